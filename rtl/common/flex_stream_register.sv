// SPDX-License-Identifier: Apache-2.0
//
// Ready/valid register of two entries: data, valid and ready are all registered, so it cuts every
// combinational path in both directions.
//
// Latency 1 cycle, one word per cycle.

`include "flex_assert.svh"

module flex_stream_register #(
  // Payload width in bits.
  parameter int unsigned Width = 8
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  // Upstream
  input  logic [Width-1:0] in_data_i,
  input  logic             in_valid_i,
  output logic             in_ready_o,
  // Downstream
  output logic [Width-1:0] out_data_o,
  output logic             out_valid_o,
  input  logic             out_ready_i
);

  `FLEX_ASSERT_INIT(WidthNonZero, Width > 0)

  // The older word is offered; `skid` keeps one that came while the other had to stay.
  logic [Width-1:0] data_q, skid_q;
  logic valid_d, valid_q;
  logic ready_d, ready_q;
  logic move;

  assign in_ready_o  = ready_q;
  assign out_valid_o = valid_q;
  assign out_data_o  = data_q;

  // The offered word leaves, or there is none. `ready_q` is low exactly while `skid` holds a word.
  assign move        = out_ready_i || !valid_q;
  assign valid_d     = !move || !ready_q || in_valid_i;
  assign ready_d     = move || (ready_q && !in_valid_i);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q <= 1'b0;
      ready_q <= 1'b1;
    end else begin
      valid_q <= valid_d;
      ready_q <= ready_d;
    end
  end

  always_ff @(posedge clk_i) begin
    if (move) data_q <= ready_q ? in_data_i : skid_q;
    if (ready_q) skid_q <= in_data_i;
  end

  // A word offered downstream stays put until it is taken.
  `FLEX_ASSERT(OutputStable, out_valid_o && !out_ready_i |=> out_valid_o && $stable(out_data_o))
  // A word offered upstream stays put until it is taken.
  `FLEX_ASSERT(InputStable, in_valid_i && !in_ready_o |=> in_valid_i && $stable(in_data_i))
  // The second entry is used only behind the first.
  `FLEX_ASSERT(FilledInOrder, !ready_q |-> valid_q)

endmodule
