// SPDX-License-Identifier: Apache-2.0
//
// Simple dual-port RAM, one clock: a write port with an enable per lane and a read port.
//
// Read data come two cycles after `rd_en_i` (the RAM's own register, then its output register)
// and stay until the data of the next read. A write at one edge is seen by reads from the next
// cycle on. A read of the word that is written in the same cycle returns undefined data.

`include "flex_assert.svh"

module flex_ram_sdp #(
  // Word width in bits.
  parameter  int unsigned Width          = 8,
  // Words.
  parameter  int unsigned Depth          = 16,
  // Bits under one write enable; divides Width.
  parameter  int unsigned LaneWidth      = Width,
  // The user makes sure that data of a read that collides with a write are not used.
  parameter  bit          AllowCollision = 1'b0,
  // Derived
  localparam int unsigned Lanes          = Width / LaneWidth,
  localparam int unsigned AddrWidth      = (Depth > 1) ? $clog2(Depth) : 1
) (
  input  logic                 clk_i,
  // Write
  input  logic [    Lanes-1:0] wr_en_i,
  input  logic [AddrWidth-1:0] wr_addr_i,
  input  logic [    Width-1:0] wr_data_i,
  // Read
  input  logic                 rd_en_i,
  input  logic [AddrWidth-1:0] rd_addr_i,
  output logic [    Width-1:0] rd_data_o
);

  `FLEX_ASSERT_INIT(DepthNonZero, Depth > 0)
  `FLEX_ASSERT_INIT(LanesDivide, LaneWidth > 0 && Width > 0 && Width % LaneWidth == 0)

  // Nobody uses what a colliding read returns: no logic shall be spent on it.
  (* no_rw_check *)
  logic [Width-1:0] mem[Depth];
  logic [Width-1:0] ram_q, out_q;

  assign rd_data_o = out_q;

  if (Lanes == 1) begin : gen_word
    always_ff @(posedge clk_i) begin
      if (wr_en_i[0]) mem[wr_addr_i] <= wr_data_i;
    end
  end else begin : gen_lanes
    always_ff @(posedge clk_i) begin
      for (int unsigned l = 0; l < Lanes; l++) begin
        if (wr_en_i[l]) mem[wr_addr_i][l*LaneWidth+:LaneWidth] <= wr_data_i[l*LaneWidth+:LaneWidth];
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (rd_en_i) ram_q <= mem[rd_addr_i];
    out_q <= ram_q;
  end

  // There is no reset here: the checks begin after the first clock edge.
  logic rst_ni;
  initial rst_ni = 1'b0;
  always_ff @(posedge clk_i) rst_ni <= 1'b1;

  // Addresses lie in the RAM.
  `FLEX_ASSERT(WriteInRange, |wr_en_i |-> 32'(wr_addr_i) < Depth)
  `FLEX_ASSERT(ReadInRange, rd_en_i |-> 32'(rd_addr_i) < Depth)
  // No word is read while it is written.
  `FLEX_ASSERT(NoCollision, AllowCollision || !(rd_en_i && |wr_en_i && rd_addr_i == wr_addr_i))

endmodule
