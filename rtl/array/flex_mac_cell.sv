// SPDX-License-Identifier: Apache-2.0
//
// Multiplier mapping of the array: a cascade of up to 8 products of signed bytes. One register stage
// each for operands, product and sum, as in a DSP slice; the sums travel over the cascade wires.
//
// Operands of lane i come i cycles after those of lane 0; the sum of the chain comes Lanes + 2
// cycles after lane 0's operands. One chain per cycle.
//
// Packed (27x18 multipliers): two pixels x0, x1 share a multiplier and a weight w,
//   ((x1 << 18) + x0) * w = ((x1*w) << 18) + x0*w,
// so a chain adds up two 18-bit fields. 8 products span [-130048, 131072]; every chain starts from
// -1024 in both fields, which makes the low one a signed 18-bit number whose sign alone is taken
// from the high one. Both sums carry that offset of -1024.
// Unpacked: one pixel per multiplier, no offset.

`include "flex_assert.svh"

(* use_dsp = "yes" *)
module flex_mac_cell #(
  // Products of a chain, 1 to 8.
  parameter  int unsigned Lanes    = 8,
  // Two pixels per multiplier.
  parameter  bit          Packed   = 1'b1,
  // Derived
  localparam int unsigned Pixels   = Packed ? 2 : 1,
  localparam int unsigned SumWidth = Packed ? 18 : 16 + $clog2(Lanes)
) (
  input  logic                                 clk_i,
  // Signed bytes
  input  logic [Pixels-1:0][   Lanes-1:0][7:0] x_i,
  input  logic [ Lanes-1:0][         7:0]      w_i,
  // Signed sums
  output logic [Pixels-1:0][SumWidth-1:0]      sum_o
);

  `FLEX_ASSERT_INIT(LanesInRange, Lanes >= 1 && Lanes <= 8)

  // Pre-adder, and product or sum.
  localparam int unsigned OperandWidth = Packed ? 27 : 8;
  localparam int unsigned ChainWidth = Packed ? 36 : SumWidth;
  // What a chain starts from: (Offset << 18) + Offset, whose low field borrows one from the high one.
  localparam int Offset = -1024;
  localparam logic [ChainWidth-1:0] Preset =
      Packed ? ChainWidth'({18'(Offset - 1), 18'(Offset)}) : '0;

  logic [Lanes-1:0][7:0] w_q;

  always_ff @(posedge clk_i) w_q <= w_i;

  for (genvar i = 0; i < Lanes; i++) begin : gen_lane

    logic signed [OperandWidth-1:0] x_d, x_q;
    logic signed [ChainWidth-1:0] product_q;
    logic [ChainWidth-1:0] chain, chain_q;

    if (Packed) begin : gen_packed
      localparam logic [17:0] LowZero = '0;
      assign x_d = OperandWidth'(signed'({x_i[Pixels-1][i], LowZero})) +
          OperandWidth'(signed'(x_i[0][i]));
    end else begin : gen_unpacked
      assign x_d = x_i[0][i];
    end

    if (i == 0) begin : gen_first
      assign chain = Preset;
    end else begin : gen_next
      assign chain = gen_lane[i-1].chain_q;
    end

    // The 64-bit product costs nothing: only its low bits are kept.
    always_ff @(posedge clk_i) begin
      x_q       <= x_d;
      product_q <= ChainWidth'(64'(x_q) * 64'(signed'(w_q[i])));
      chain_q   <= chain + product_q;
    end

  end

  if (Packed) begin : gen_fields
    logic [35:0] chain;
    assign chain           = gen_lane[Lanes-1].chain_q;
    assign sum_o[0]        = chain[17:0];
    // The low field's sign has been taken from the high field.
    assign sum_o[Pixels-1] = chain[35:18] + 18'(chain[17]);
  end else begin : gen_field
    assign sum_o[0] = gen_lane[Lanes-1].chain_q;
  end

endmodule
