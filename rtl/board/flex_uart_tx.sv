// SPDX-License-Identifier: Apache-2.0
//
// Sender of a serial line: a start bit, eight data bits with the lowest first, a stop bit.
//
// Takes a byte every ten bits; the start bit begins the cycle after.

`include "flex_assert.svh"

module flex_uart_tx #(
  // Clock cycles of a bit.
  parameter int unsigned ClocksPerBit = 20
) (
  input  logic       clk_i,
  input  logic       rst_ni,
  // Bytes
  input  logic [7:0] in_data_i,
  input  logic       in_valid_i,
  output logic       in_ready_o,
  // Line; high when idle
  output logic       tx_o
);

  `FLEX_ASSERT_INIT(BitLongEnough, ClocksPerBit >= 4)

  localparam int unsigned CountWidth = $clog2(ClocksPerBit);
  localparam logic [CountWidth-1:0] Last = CountWidth'(ClocksPerBit - 1);

  // The bits still to come, the one on the line lowest; a byte is over when its stop bit is the only one.
  logic [9:0] bits_q;
  logic [3:0] left_q;
  logic [CountWidth-1:0] count_q;

  assign in_ready_o = left_q == '0;
  assign tx_o       = bits_q[0];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      bits_q <= '1;
      left_q <= '0;
    end else if (in_ready_o) begin
      if (in_valid_i) begin
        bits_q <= {1'b1, in_data_i, 1'b0};
        left_q <= 4'd10;
      end
    end else if (count_q == '0) begin
      bits_q <= {1'b1, bits_q[9:1]};
      left_q <= left_q - 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (in_ready_o || count_q == '0) count_q <= Last;
    else count_q <= count_q - 1'b1;
  end

  // The line is idle between bytes.
  `FLEX_ASSERT(IdleHigh, left_q == '0 |-> tx_o)
  // A byte offered stays put until it is taken.
  `FLEX_ASSERT(InputStable, in_valid_i && !in_ready_o |=> in_valid_i && $stable(in_data_i))

endmodule
