// SPDX-License-Identifier: Apache-2.0
//
// Processing element: N lanes, one output channel, one pixel or a packed pair of pixels.
//
// Weights and control go on to the right, activations downwards, one register per element. An
// accumulator that is complete is captured into the drain register while the next block begins;
// drain registers shift downwards.
//
// All timing is relative to lane 0's operands at cycle t: lane i comes at t + (i mod 8), `valid_i`
// and `first_i` belong to them and come at t + ControlLatency, `capture_i` one cycle after the last
// `valid_i` of a block. One step per cycle; nothing here needs a reset.

`include "flex_assert.svh"

module flex_pe #(
  // Lanes: 1, 2, 4 or a multiple of 8.
  parameter  int unsigned N        = 8,
  // Two pixels per multiplier.
  parameter  bit          Packed   = 1'b1,
  // Accumulator bits.
  parameter  int unsigned AccWidth = 32,
  // Derived
  localparam int unsigned Pixels   = Packed ? 2 : 1
) (
  input  logic                            clk_i,
  // Operands from the left and from above, and onwards
  input  logic [   N*8-1:0]               w_i,
  output logic [   N*8-1:0]               w_o,
  input  logic [Pixels-1:0][     N*8-1:0] x_i,
  output logic [Pixels-1:0][     N*8-1:0] x_o,
  // Control from the left, and onwards: a step, which is the first of its block; copy the
  // accumulators to the drain; take the drain of the element above
  input  logic                            valid_i,
  input  logic                            first_i,
  input  logic                            capture_i,
  input  logic                            shift_i,
  output logic                            valid_o,
  output logic                            first_o,
  output logic                            capture_o,
  output logic                            shift_o,
  // Drain from above, and onwards
  input  logic [Pixels-1:0][AccWidth-1:0] drain_i,
  output logic [Pixels-1:0][AccWidth-1:0] drain_o
);

  // One function in simulation that all elements share: smaller and faster than copies of it.
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
  logic [Pixels-1:0][AccWidth-1:0] drain_q;
  logic valid_q, first_q, capture_q, shift_q;
  logic [Pixels-1:0][AccWidth-1:0] acc;

  assign w_o       = w_q;
  assign x_o       = x_q;
  assign valid_o   = valid_q;
  assign first_o   = first_q;
  assign capture_o = capture_q;
  assign shift_o   = shift_q;
  assign drain_o   = drain_q;

  always_ff @(posedge clk_i) begin
    w_q       <= w_i;
    x_q       <= x_i;
    valid_q   <= valid_i;
    first_q   <= first_i;
    capture_q <= capture_i;
    shift_q   <= shift_i;
    if (capture_q) drain_q <= acc;
    else if (shift_q) drain_q <= drain_i;
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
    logic [AccWidth-1:0] acc_q;

    always_ff @(posedge clk_i) begin
      sum_q <= gen_node[1].total[p];
      if (valid_q) acc_q <= (first_q ? '0 : acc_q) + AccWidth'(sum_q);
    end

    assign acc[p] = acc_q;
  end

endmodule
