// SPDX-License-Identifier: Apache-2.0
//
// Ready/valid FIFO with first-word fall-through. No combinational path from one side to the
// other: `in_ready_o`, `out_valid_o`, `out_data_o` and `level_o` depend on registers alone.
//
// Up to LutDepth words it is a LUT RAM: latency 1 cycle, one word per cycle (one word in two
// cycles when Depth is 1). Deeper ones are a block RAM with its output register, behind which a
// small LUT RAM holds the words read ahead: latency 4 cycles, one word per cycle.

`include "flex_assert.svh"

module flex_stream_fifo #(
  // Payload width in bits.
  parameter  int unsigned Width      = 8,
  // Words it holds; any number from 1.
  parameter  int unsigned Depth      = 16,
  // Derived
  localparam int unsigned LevelWidth = $clog2(Depth + 1)
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  // Upstream
  input  logic [     Width-1:0] in_data_i,
  input  logic                  in_valid_i,
  output logic                  in_ready_o,
  // Downstream
  output logic [     Width-1:0] out_data_o,
  output logic                  out_valid_o,
  input  logic                  out_ready_i,
  // Words taken and not yet given
  output logic [LevelWidth-1:0] level_o
);

  `FLEX_ASSERT_INIT(WidthNonZero, Width > 0)
  `FLEX_ASSERT_INIT(DepthNonZero, Depth > 0)

  // The deepest LUT RAM, and the words that are read ahead of a block RAM: a place is used again
  // four cycles after a read has claimed it.
  localparam int unsigned LutDepth = 64;
  localparam int unsigned AheadDepth = 4;

  // The LUT RAM at the output.
  localparam int unsigned OutDepth = (Depth > LutDepth) ? AheadDepth : Depth;
  localparam int unsigned OutAddrWidth = (OutDepth > 1) ? $clog2(OutDepth) : 1;
  localparam int unsigned OutLevelWidth = $clog2(OutDepth + 1);
  localparam logic [OutAddrWidth-1:0] OutLast = OutAddrWidth'(OutDepth - 1);

  logic push, pop;

  assign push = in_valid_i && in_ready_o;
  assign pop  = out_valid_o && out_ready_i;

  ////////////
  // Output //
  ////////////

  logic [Width-1:0] out_mem[OutDepth];
  logic [Width-1:0] out_in_data;
  logic out_push;
  logic [OutAddrWidth-1:0] out_wr_addr_q, out_rd_addr_q;
  logic [OutLevelWidth-1:0] out_level_q;
  logic out_valid_d, out_valid_q;

  assign out_data_o  = out_mem[out_rd_addr_q];
  assign out_valid_o = out_valid_q;
  // Empty after the last word leaves while none comes.
  assign out_valid_d = out_push || (out_valid_q && !(pop && out_level_q == OutLevelWidth'(1)));

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      out_wr_addr_q <= '0;
      out_rd_addr_q <= '0;
      out_level_q   <= '0;
      out_valid_q   <= 1'b0;
    end else begin
      if (out_push) out_wr_addr_q <= (out_wr_addr_q == OutLast) ? '0 : out_wr_addr_q + 1'b1;
      if (pop) out_rd_addr_q <= (out_rd_addr_q == OutLast) ? '0 : out_rd_addr_q + 1'b1;
      out_level_q <= out_level_q + OutLevelWidth'(out_push) - OutLevelWidth'(pop);
      out_valid_q <= out_valid_d;
    end
  end

  always_ff @(posedge clk_i) begin
    if (out_push) out_mem[out_wr_addr_q] <= out_in_data;
  end

  ///////////
  // Input //
  ///////////

  logic [LevelWidth-1:0] level_q;
  logic ready_d, ready_q;

  // Full after the last place is taken while no word leaves.
  assign ready_d    = pop || (ready_q && !(push && level_q == LevelWidth'(Depth - 1)));
  assign level_o    = level_q;
  assign in_ready_o = ready_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      level_q <= '0;
      ready_q <= 1'b1;
    end else begin
      level_q <= level_q + LevelWidth'(push) - LevelWidth'(pop);
      ready_q <= ready_d;
    end
  end

  if (Depth <= LutDepth) begin : gen_lut

    assign out_push    = push;
    assign out_in_data = in_data_i;

  end else begin : gen_ram

    localparam int unsigned AddrWidth = $clog2(Depth);
    localparam logic [AddrWidth-1:0] Last = AddrWidth'(Depth - 1);

    logic [AddrWidth-1:0] wr_addr_q, rd_addr_q;
    logic [LevelWidth-1:0] stored_q;
    logic [OutLevelWidth-1:0] ahead_q;
    logic read;

    // `stored` words stand in the RAM; `ahead` have been read from it and not yet given.
    assign read = stored_q != '0 && ahead_q != OutLevelWidth'(AheadDepth);

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        wr_addr_q <= '0;
        rd_addr_q <= '0;
        stored_q  <= '0;
        ahead_q   <= '0;
      end else begin
        if (push) wr_addr_q <= (wr_addr_q == Last) ? '0 : wr_addr_q + 1'b1;
        if (read) rd_addr_q <= (rd_addr_q == Last) ? '0 : rd_addr_q + 1'b1;
        stored_q <= stored_q + LevelWidth'(push) - LevelWidth'(read);
        ahead_q  <= ahead_q + OutLevelWidth'(read) - OutLevelWidth'(pop);
      end
    end

    flex_ram_sdp #(
      .Width(Width),
      .Depth(Depth)
    ) u_ram (
      .clk_i,
      .wr_en_i  (push),
      .wr_addr_i(wr_addr_q),
      .wr_data_i(in_data_i),
      .rd_en_i  (read),
      .rd_addr_i(rd_addr_q),
      .rd_data_o(out_in_data)
    );

    flex_delay #(
      .Width (1),
      .Cycles(2),
      .Reset (1'b1)
    ) u_read (
      .clk_i,
      .rst_ni,
      .data_i(read),
      .data_o(out_push)
    );

  end

  // A word offered downstream stays put until it is taken.
  `FLEX_ASSERT(OutputStable, out_valid_o && !out_ready_i |=> out_valid_o && $stable(out_data_o))
  // A word offered upstream stays put until it is taken.
  `FLEX_ASSERT(InputStable, in_valid_i && !in_ready_o |=> in_valid_i && $stable(in_data_i))
  // Neither overflow nor underflow.
  `FLEX_ASSERT(LevelInRange,
               level_q <= LevelWidth'(Depth) && out_level_q <= OutLevelWidth'(OutDepth))
  `FLEX_ASSERT(NoOverflow, out_push |-> out_level_q != OutLevelWidth'(OutDepth))
  `FLEX_ASSERT(ReadyBelowDepth, in_ready_o == (level_q != LevelWidth'(Depth)))
  `FLEX_ASSERT(ValidHasWord, out_valid_o == (out_level_q != '0))

endmodule
