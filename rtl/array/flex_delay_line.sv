// SPDX-License-Identifier: Apache-2.0
//
// Long delay in a small RAM: puts out its input `Cycles` cycles later, as flex_delay does, but moves
// one word per cycle instead of all. Parts without shift-register LUTs need no register per word.
//
// Latency `Cycles`, one word per cycle. Undefined until filled.

`include "flex_assert.svh"

module flex_delay_line #(
  // Word width in bits.
  parameter int unsigned Width  = 32,
  // Delay in clock cycles; 0 is a wire.
  parameter int unsigned Cycles = 8
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic [Width-1:0] data_i,
  output logic [Width-1:0] data_o
);

  `FLEX_ASSERT_INIT(WidthNonZero, Width > 0)

  // Below, the RAM would be no smaller than the registers.
  localparam int unsigned MinRingCycles = 4;

  if (Cycles < MinRingCycles) begin : gen_registers

    flex_delay #(
      .Width (Width),
      .Cycles(Cycles),
      .Reset (1'b0)
    ) u_delay (
      .clk_i,
      .rst_ni,
      .data_i,
      .data_o
    );

  end else begin : gen_ring

    // A word stays in the RAM for a turn of the ring, the last cycle in the output register.
    localparam int unsigned Depth = Cycles - 1;
    localparam int unsigned AddrWidth = $clog2(Depth);

    logic [Width-1:0] mem[Depth];
    logic [Width-1:0] data_q;
    logic [AddrWidth-1:0] addr_q;

    assign data_o = data_q;

    always_ff @(posedge clk_i) begin
      data_q      <= mem[addr_q];
      mem[addr_q] <= data_i;
    end

    always_ff @(posedge clk_i) begin
      if (!rst_ni) addr_q <= '0;
      else addr_q <= (addr_q == AddrWidth'(Depth - 1)) ? '0 : addr_q + 1'b1;
    end

    // The ring turns within the RAM.
    `FLEX_ASSERT(AddressInRange, 32'(addr_q) < Depth)

  end

endmodule
