// SPDX-License-Identifier: Apache-2.0
//
// Beats of results to beats of the output: as they are, or with strides of 2 every other pixel,
// two beats into one. A beat that the row ends with may hold its first half only.
//
// Latency: none; the first half waits in a register.

`include "flex_assert.svh"

module flex_window_pack #(
  // Bytes of a pixel.
  parameter int unsigned N = 8,
  // Pixels of a beat; a power of two.
  parameter int unsigned B = 8
) (
  input  logic                  clk_i,
  input  logic                  valid_i,
  input  logic                  gather_i,
  input  logic                  odd_i,
  input  logic                  second_i,
  input  logic [B-1:0][N*8-1:0] data_i,
  output logic [B-1:0][N*8-1:0] data_o
);

  if (B == 1) begin : gen_pixel

    logic unused_halves;

    assign data_o        = data_i;
    assign unused_halves = ^{clk_i, valid_i, gather_i, odd_i, second_i};

  end else begin : gen_halves

    logic [B/2-1:0][N*8-1:0] half, held_q;

    always_comb begin
      for (int unsigned i = 0; i < B / 2; i++) half[i] = odd_i ? data_i[2*i+1] : data_i[2*i];
    end

    always_ff @(posedge clk_i) begin
      if (valid_i && !second_i) held_q <= half;
    end

    assign data_o = gather_i ? {half, second_i ? held_q : half} : data_i;

  end

endmodule
