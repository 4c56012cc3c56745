// SPDX-License-Identifier: Apache-2.0
//
// Drain of the accumulators of some rows of a column: row by row they are captured into a register
// each, then shifted down and out, the lowest first.
//
// `capture_i[r]` says that row r's accumulators are complete in the next cycle; row r + 1 follows
// one cycle later. Their data come out in Rows cycles that begin two cycles after
// `capture_i[Rows-1]`. A block may follow another after Rows cycles; the control goes on to the
// next column in the next cycle.

`include "flex_assert.svh"

module flex_drain_chain #(
  // Rows.
  parameter int unsigned Rows  = 4,
  // Accumulator bits of a row.
  parameter int unsigned Width = 64
) (
  input  logic                        clk_i,
  input  logic                        rst_ni,
  // Control from the left, and onwards
  input  logic [ Rows-1:0]            capture_i,
  output logic [ Rows-1:0]            capture_o,
  // Accumulators
  input  logic [ Rows-1:0][Width-1:0] acc_i,
  // Out of the lowest row
  output logic                        valid_o,
  output logic [Width-1:0]            data_o
);

  `FLEX_ASSERT_INIT(RowsNonZero, Rows > 0)
  `FLEX_ASSERT_INIT(WidthNonZero, Width > 0)

  // Row r shifts r times, from when the lowest row has captured: it passes on r rows above.
  logic [Rows-1:0] capture_q, shift_d, shift_q;
  logic valid_q;

  assign shift_d = capture_q[Rows-1] ? ~Rows'(1) : shift_q << 1;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      capture_q <= '0;
      shift_q   <= '0;
      valid_q   <= 1'b0;
    end else begin
      capture_q <= capture_i;
      shift_q   <= shift_d;
      valid_q   <= capture_q[Rows-1] || shift_q[Rows-1];
    end
  end

  for (genvar r = 0; r < Rows; r++) begin : gen_row
    logic [Width-1:0] above, data_q;

    if (r == 0) begin : gen_top
      assign above = '0;
    end else begin : gen_below
      assign above = gen_row[r-1].data_q;
    end

    always_ff @(posedge clk_i) begin
      if (capture_q[r]) data_q <= acc_i[r];
      else if (shift_q[r]) data_q <= above;
    end
  end

  assign capture_o = capture_q;
  assign valid_o   = valid_q;
  assign data_o    = gen_row[Rows-1].data_q;

  // A block is drained before the next one is captured.
  `FLEX_ASSERT(Drained, capture_q[Rows-1] |-> shift_q == '0)

endmodule
