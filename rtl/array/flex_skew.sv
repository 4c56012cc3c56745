// SPDX-License-Identifier: Apache-2.0
//
// Triangular delay: lane i comes out i cycles after it went in.
//
// Latency i cycles for lane i, lane 0 is a wire; one word per cycle. Undefined until filled.

`include "flex_assert.svh"

module flex_skew #(
  // Lanes of a word.
  parameter int unsigned Lanes     = 8,
  // Bits of a lane.
  parameter int unsigned LaneWidth = 8
) (
  input  logic                            clk_i,
  input  logic [Lanes-1:0][LaneWidth-1:0] data_i,
  output logic [Lanes-1:0][LaneWidth-1:0] data_o
);

  `FLEX_ASSERT_INIT(LanesNonZero, Lanes > 0)
  `FLEX_ASSERT_INIT(LaneWidthNonZero, LaneWidth > 0)

  assign data_o[0] = data_i[0];

  // Stage s holds the lanes from s on, one cycle older than the stage before: whole words move.
  for (genvar s = 1; s < Lanes; s++) begin : gen_stage
    logic [Lanes-1:s][LaneWidth-1:0] data_q;

    if (s == 1) begin : gen_first
      always_ff @(posedge clk_i) data_q <= data_i[Lanes-1:1];
    end else begin : gen_next
      always_ff @(posedge clk_i) data_q <= gen_stage[s-1].data_q[Lanes-1:s];
    end

    assign data_o[s] = data_q[s];
  end

  if (Lanes == 1) begin : gen_unused_clock
    logic unused_clock;
    assign unused_clock = clk_i;
  end

endmodule
