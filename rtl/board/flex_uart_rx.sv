// SPDX-License-Identifier: Apache-2.0
//
// Receiver of a serial line: a start bit, eight data bits with the lowest first, a stop bit.
//
// A byte comes in the middle of its stop bit, three cycles after the line, and is not held: there is no way to
// slow a line down. A byte without a stop bit is dropped, so is a start bit that is over before its middle.

`include "flex_assert.svh"

module flex_uart_rx #(
  // Clock cycles of a bit.
  parameter int unsigned ClocksPerBit = 20
) (
  input  logic       clk_i,
  input  logic       rst_ni,
  // Line, asynchronous; high when idle
  input  logic       rx_i,
  // Pulse: a byte has come
  output logic       valid_o,
  output logic [7:0] data_o
);

  // A bit is sampled in its middle, which the synchroniser finds to a cycle.
  `FLEX_ASSERT_INIT(BitLongEnough, ClocksPerBit >= 4)

  localparam int unsigned CountWidth = $clog2(ClocksPerBit);
  localparam logic [CountWidth-1:0] Last = CountWidth'(ClocksPerBit - 1);
  localparam logic [CountWidth-1:0] Half = CountWidth'(ClocksPerBit / 2 - 1);
  // Start bit, data bits, stop bit.
  localparam logic [3:0] StopBit = 4'd9;

  logic [1:0] line_q;
  logic busy_q, valid_q, tick;
  logic [CountWidth-1:0] count_q;
  logic [3:0] bit_q;
  logic [7:0] data_q;

  assign tick    = count_q == '0;
  assign valid_o = valid_q;
  assign data_o  = data_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) line_q <= '1;
    else line_q <= {line_q[0], rx_i};
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      busy_q  <= 1'b0;
      valid_q <= 1'b0;
    end else begin
      valid_q <= busy_q && tick && bit_q == StopBit && line_q[1];
      if (!busy_q) busy_q <= !line_q[1];
      // A start bit that is gone by its middle was none.
      else if (tick) busy_q <= bit_q == '0 ? !line_q[1] : bit_q != StopBit;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!busy_q) begin
      count_q <= Half;
      bit_q   <= '0;
    end else if (tick) begin
      count_q <= Last;
      bit_q   <= bit_q + 1'b1;
      if (bit_q != StopBit) data_q <= {line_q[1], data_q[7:1]};
    end else begin
      count_q <= count_q - 1'b1;
    end
  end

  // Bits of a byte are counted, and none beyond its stop bit.
  `FLEX_ASSERT(BitInRange, busy_q |-> bit_q <= StopBit)
  // A byte ends the reception.
  `FLEX_ASSERT(ByteEnds, valid_o |-> !busy_q)

endmodule
