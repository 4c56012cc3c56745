// SPDX-License-Identifier: Apache-2.0
//
// One-entry stream register, with faults that the runner and the stream drivers must find.
// Latency one cycle, one word every cycle; ready depends on ready.

`include "flex_assert.svh"

module runner_probe #(
  // Payload width in bits; above 2048 the elaboration check fails.
  parameter int unsigned        Width       = 8,
  // Changes a waiting word.
  parameter bit                 Unstable    = 1'b0,
  // Breaks an assertion when a word of all ones passes.
  parameter bit                 FailsOnOnes = 1'b0,
  // Never resets the flag that says whether a word is held.
  parameter bit                 NoReset     = 1'b0,
  // Printed once, to show that strings and wide numbers arrive.
  parameter string              Greeting    = "none",
  parameter logic        [63:0] Marker      = 64'd0
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic [Width-1:0] in_data_i,
  input  logic             in_valid_i,
  output logic             in_ready_o,
  output logic [Width-1:0] out_data_o,
  output logic             out_valid_o,
  input  logic             out_ready_i
);

  `FLEX_ASSERT_INIT(WidthInRange, Width > 0 && Width <= 2048)

  initial $display("greeting: %s %x", Greeting, Marker);

  logic [Width-1:0] data_q;
  logic valid_q;

  assign in_ready_o  = !valid_q || out_ready_i;
  assign out_valid_o = valid_q;
  assign out_data_o  = data_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni && !NoReset) begin
      valid_q <= 1'b0;
    end else if (in_ready_o) begin
      valid_q <= in_valid_i;
    end
    if (in_ready_o) begin
      data_q <= in_data_i;
    end else if (Unstable) begin
      data_q <= ~data_q;
    end
  end

  // The clock does not rise before the bench drives it, whatever the inputs hold at the start.
  `FLEX_ASSERT(NoEdgeAtStart, $time > 0)
  // Fails on purpose when asked to.
  `FLEX_ASSERT(NoOnes, !FailsOnOnes || !(in_valid_i && in_ready_o && &in_data_i))

endmodule
