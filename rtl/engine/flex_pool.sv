// SPDX-License-Identifier: Apache-2.0
//
// Maximum of a window: up to `Pixels` adjacent pixels per cycle, N signed bytes each.
//
// A window is any number of valid cycles from `first_i` to `last_i`; masked pixels do not count,
// and a window without any gives -128. A pair is two windows side by side, the first two pixels and
// the others, with a result each; else the results are equal. Free running; results come 3 cycles
// after `last_i`.

`include "flex_assert.svh"

module flex_pool #(
  // Bytes of a pixel.
  parameter int unsigned N      = 8,
  // Pixels per cycle, 1 to 4.
  parameter int unsigned Pixels = 4
) (
  input  logic                       clk_i,
  input  logic                       rst_ni,
  input  logic                       valid_i,
  input  logic                       first_i,
  input  logic                       last_i,
  // Two windows; only of four pixels per cycle
  input  logic                       pair_i,
  input  logic [Pixels-1:0]          mask_i,
  input  logic [Pixels-1:0][N*8-1:0] data_i,
  output logic                       valid_o,
  output logic [       1:0][N*8-1:0] data_o
);

  `FLEX_ASSERT_INIT(BytesNonZero, N > 0)
  `FLEX_ASSERT_INIT(PixelsInRange, Pixels >= 1 && Pixels <= 4)

  localparam bit Pairs = Pixels == 4;
  localparam int unsigned Windows = Pairs ? 2 : 1;

  logic valid0_q, first0_q, last0_q, pair0_q;
  logic valid1_q, first1_q, last1_q;
  logic valid2_q;

  assign valid_o = valid2_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid0_q <= 1'b0;
      valid1_q <= 1'b0;
      valid2_q <= 1'b0;
    end else begin
      valid0_q <= valid_i;
      valid1_q <= valid0_q;
      valid2_q <= valid1_q && last1_q;
    end
  end

  always_ff @(posedge clk_i) begin
    first0_q <= first_i;
    last0_q  <= last_i;
    pair0_q  <= Pairs && pair_i;
    first1_q <= first0_q;
    last1_q  <= last0_q;
  end

  for (genvar b = 0; b < N; b++) begin : gen_byte

    // The window's row, padded to four pixels. Bytes are 128 higher within, so that they compare as
    // unsigned ones and zero is the lowest.
    logic [7:0] tap[4];
    logic [7:0] left0_q, right0_q, window2_q[Windows];
    logic left_higher;

    for (genvar l = 0; l < 4; l++) begin : gen_tap
      if (l < Pixels) begin : gen_pixel
        assign tap[l] = mask_i[l] ? data_i[l][b*8+:8] ^ 8'h80 : '0;
      end else begin : gen_none
        assign tap[l] = '0;
      end
    end

    always_ff @(posedge clk_i) begin
      if (valid_i) begin
        left0_q  <= (tap[0] > tap[1]) ? tap[0] : tap[1];
        right0_q <= (tap[2] > tap[3]) ? tap[2] : tap[3];
      end
    end

    assign left_higher = left0_q > right0_q;

    for (genvar w = 0; w < Windows; w++) begin : gen_window
      logic [7:0] row1_q;

      always_ff @(posedge clk_i) begin
        if (valid0_q) row1_q <= (pair0_q ? w == 0 : left_higher) ? left0_q : right0_q;
        if (valid1_q && (first1_q || row1_q > window2_q[w])) window2_q[w] <= row1_q;
      end
    end

    // Where there are no pairs both windows are one.
    assign data_o[0][b*8+:8] = window2_q[0] ^ 8'h80;
    assign data_o[1][b*8+:8] = window2_q[Windows-1] ^ 8'h80;

  end

  // A window begins when, and only when, the one before has ended.
  logic open_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) open_q <= 1'b0;
    else if (valid_i) open_q <= !last_i;
  end
  `FLEX_ASSERT(WindowsInTurn, valid_i |-> first_i == !open_q)
  `FLEX_ASSERT(PairOfFour, valid_i && pair_i |-> Pairs)

endmodule
