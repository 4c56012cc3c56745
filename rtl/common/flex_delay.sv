// SPDX-License-Identifier: Apache-2.0
//
// Shift register: puts out its input some cycles later.
//
// Latency `Cycles`, one word per cycle. Without `Reset` it maps on shift-register LUTs and holds
// undefined words until it has been filled.

`include "flex_assert.svh"

module flex_delay #(
  // Word width in bits.
  parameter int unsigned Width  = 8,
  // Delay in clock cycles; 0 is a wire.
  parameter int unsigned Cycles = 1,
  // Clears the whole register in reset.
  parameter bit          Reset  = 1'b0
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic [Width-1:0] data_i,
  output logic [Width-1:0] data_o
);

  `FLEX_ASSERT_INIT(WidthNonZero, Width > 0)

  if (Cycles == 0) begin : gen_wire

    assign data_o = data_i;

    logic unused_clocking;
    assign unused_clocking = ^{clk_i, rst_ni};

  end else begin : gen_shift

    localparam int unsigned TotalWidth = Cycles * Width;

    // The oldest word stands at the top.
    logic [TotalWidth-1:0] shift_d, shift_q;

    assign shift_d = TotalWidth'({shift_q, data_i});
    assign data_o  = shift_q[TotalWidth-1-:Width];

    if (Reset) begin : gen_reset
      always_ff @(posedge clk_i) begin
        if (!rst_ni) shift_q <= '0;
        else shift_q <= shift_d;
      end
    end else begin : gen_no_reset
      always_ff @(posedge clk_i) begin
        shift_q <= shift_d;
      end

      logic unused_reset;
      assign unused_reset = rst_ni;
    end

  end

endmodule
