// SPDX-License-Identifier: Apache-2.0
//
// Processing element: N lanes, one output channel, one pixel or a packed pair of pixels.
//
// Weights and control go on to the right, activations downwards, one register per element.
//
// Operands of lane 0 come at cycle t, those of lane i at t + (i mod 8), the step's control at
// t + min(N,8) + 3; the accumulators hold its products two cycles after its control and are put out
// until the next step's. One step per cycle. Control that has never been driven does no harm: a
// block begins from zero with its first step, so nothing here needs a reset.

`include "flex_assert.svh"

module flex_pe #(
  // Lanes: 1, 2, 4 or a multiple of 8.
  parameter  int unsigned N        = 8,
  // Two pixels per multiplier.
  parameter  bit          Packed   = 1'b1,
  // Accumulator bits.
  parameter  int unsigned AccWidth = 32,
  // Steps may raise what has been summed by 8 bits first.
  parameter  bit          Wide     = 1'b0,
  // Derived
  localparam int unsigned Pixels   = Packed ? 2 : 1
) (
  input  logic                            clk_i,
  // Operands from the left and from above, and onwards
  input  logic [   N*8-1:0]               w_i,
  output logic [   N*8-1:0]               w_o,
  input  logic [Pixels-1:0][     N*8-1:0] x_i,
  output logic [Pixels-1:0][     N*8-1:0] x_o,
  // Control from the left, and onwards: a step, the first of its block, one that raises
  input  logic                            valid_i,
  input  logic                            first_i,
  input  logic                            shift_i,
  output logic                            valid_o,
  output logic                            first_o,
  output logic                            shift_o,
  // Accumulators
  output logic [Pixels-1:0][AccWidth-1:0] acc_o
);

  // All elements share one function in simulation, which stays in the processor's caches.
  /* verilator no_inline_module */

  // Lanes of a multiplier chain; chains.
  localparam int unsigned Lanes = (N < 8) ? N : 8;
  localparam int unsigned Chains = N / Lanes;
  // A chain's sum, and the sum of all.
  localparam int unsigned ChainWidth = Packed ? 18 : 16 + $clog2(Lanes);
  localparam int unsigned SumWidth = ChainWidth + $clog2(Chains);

  `FLEX_ASSERT_INIT(LanesInChains, N > 0 && N % Lanes == 0)
  `FLEX_ASSERT_INIT(SumFits, SumWidth <= AccWidth)

  //////////
  // Hops //
  //////////

  logic [N*8-1:0] w_q;
  logic [Pixels-1:0][N*8-1:0] x_q;
  logic valid_q, first_q, shift_q;
  logic [Pixels-1:0][AccWidth-1:0] acc;

  assign w_o     = w_q;
  assign x_o     = x_q;
  assign valid_o = valid_q;
  assign first_o = first_q;
  assign shift_o = shift_q;
  assign acc_o   = acc;

  always_ff @(posedge clk_i) begin
    w_q     <= w_i;
    x_q     <= x_i;
    valid_q <= valid_i;
    first_q <= first_i;
    shift_q <= Wide && shift_i;
  end

  //////////
  // Sums //
  //////////

  // A binary heap: nodes from Chains on are multiplier chains, node n adds up 2n and 2n + 1.
  for (genvar n = 2 * Chains - 1; n >= 1; n--) begin : gen_node
    logic [Pixels-1:0][SumWidth-1:0] total;

    if (n >= Chains) begin : gen_chain
      localparam int unsigned First = (n - Chains) * Lanes * 8;

      logic [Pixels-1:0][Lanes*8-1:0] x;
      logic [Pixels-1:0][ChainWidth-1:0] chain_sum;

      for (genvar p = 0; p < Pixels; p++) begin : gen_pixel
        assign x[p]     = x_q[p][First+:Lanes*8];
        assign total[p] = SumWidth'(signed'(chain_sum[p]));
      end

      flex_mac_cell #(
        .Lanes (Lanes),
        .Packed(Packed)
      ) u_cell (
        .clk_i,
        .x_i  (x),
        .w_i  (w_q[First+:Lanes*8]),
        .sum_o(chain_sum)
      );
    end else begin : gen_add
      for (genvar p = 0; p < Pixels; p++) begin : gen_pixel
        assign total[p] = gen_node[2*n].total[p] + gen_node[2*n+1].total[p];
      end
    end
  end

  //////////////////
  // Accumulators //
  //////////////////

  for (genvar p = 0; p < Pixels; p++) begin : gen_pixel
    logic signed [SumWidth-1:0] sum_q;
    logic [AccWidth-1:0] base, acc_q;

    assign base = first_q ? '0 : (Wide && shift_q) ? acc_q << 8 : acc_q;

    always_ff @(posedge clk_i) begin
      sum_q <= gen_node[1].total[p];
      if (valid_q) acc_q <= base + AccWidth'(sum_q);
    end

    assign acc[p] = acc_q;
  end

endmodule
