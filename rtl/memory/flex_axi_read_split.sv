// SPDX-License-Identifier: Apache-2.0
//
// Sends the bursts of an AXI4 read master to one of two memories by their address, and gives their data in order.
//
// The near memory answers the first 2^WindowBits bytes from `base_i` on, the far one all others. An address waits a
// cycle, data pass straight through, one beat per cycle. Far data may come while near ones are still due and wait for
// them; near data never wait for another master, so the wait ends.

`include "flex_assert.svh"

module flex_axi_read_split #(
  // Bytes of a beat; a power of two.
  parameter int unsigned DataBytes      = 64,
  // Near bytes, as a power of two; no burst crosses their end.
  parameter int unsigned WindowBits     = 20,
  // Bursts that may be under way.
  parameter int unsigned MaxOutstanding = 64
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  // Where the near bytes begin; constant while bursts are under way
  input  logic [           63:0] base_i,
  // Master
  input  logic [           63:0] in_araddr_i,
  input  logic [            7:0] in_arlen_i,
  input  logic                   in_arvalid_i,
  output logic                   in_arready_o,
  output logic [DataBytes*8-1:0] in_rdata_o,
  output logic [            1:0] in_rresp_o,
  output logic                   in_rlast_o,
  output logic                   in_rvalid_o,
  input  logic                   in_rready_i,
  // Far memory
  output logic [           63:0] far_araddr_o,
  output logic [            7:0] far_arlen_o,
  output logic                   far_arvalid_o,
  input  logic                   far_arready_i,
  input  logic [DataBytes*8-1:0] far_rdata_i,
  input  logic [            1:0] far_rresp_i,
  input  logic                   far_rlast_i,
  input  logic                   far_rvalid_i,
  output logic                   far_rready_o,
  // Near memory, whose addresses count from `base_i` on
  output logic [ WindowBits-1:0] near_araddr_o,
  output logic [            7:0] near_arlen_o,
  output logic                   near_arvalid_o,
  input  logic                   near_arready_i,
  input  logic [DataBytes*8-1:0] near_rdata_i,
  input  logic [            1:0] near_rresp_i,
  input  logic                   near_rlast_i,
  input  logic                   near_rvalid_i,
  output logic                   near_rready_o
);

  `FLEX_ASSERT_INIT(WindowLegal, WindowBits > $clog2(DataBytes) && WindowBits < 64)
  `FLEX_ASSERT_INIT(OutstandingNonZero, MaxOutstanding >= 1)

  localparam int unsigned LevelWidth = $clog2(MaxOutstanding + 1);

  ///////////////
  // Addresses //
  ///////////////

  logic [63:0] offset, addr;
  logic [WindowBits-1:0] near_addr;
  logic [7:0] len;
  logic near, valid, ready, order_ready, taken;

  // No burst lies in both, so its first byte decides.
  assign offset = in_araddr_i - base_i;

  flex_stream_register #(
    .Width(1 + WindowBits + 64 + 8)
  ) u_ar (
    .clk_i,
    .rst_ni,
    .in_data_i  ({offset[63:WindowBits] == '0, offset[WindowBits-1:0], in_araddr_i, in_arlen_i}),
    .in_valid_i (in_arvalid_i),
    .in_ready_o (in_arready_o),
    .out_data_o ({near, near_addr, addr, len}),
    .out_valid_o(valid),
    .out_ready_i(ready)
  );

  assign far_araddr_o   = addr;
  assign far_arlen_o    = len;
  assign far_arvalid_o  = valid && order_ready && !near;
  assign near_araddr_o  = near_addr;
  assign near_arlen_o   = len;
  assign near_arvalid_o = valid && order_ready && near;
  assign ready          = order_ready && (near ? near_arready_i : far_arready_i);
  assign taken          = valid && ready;

  //////////
  // Data //
  //////////

  // Which memory answers next: one entry for each burst under way.
  logic from_near, expected, ended;
  logic [LevelWidth-1:0] unused_level;

  flex_stream_fifo #(
    .Width(1),
    .Depth(MaxOutstanding)
  ) u_order (
    .clk_i,
    .rst_ni,
    .in_data_i  (near),
    .in_valid_i (taken),
    .in_ready_o (order_ready),
    .out_data_o (from_near),
    .out_valid_o(expected),
    .out_ready_i(ended),
    .level_o    (unused_level)
  );

  assign in_rdata_o    = from_near ? near_rdata_i : far_rdata_i;
  assign in_rresp_o    = from_near ? near_rresp_i : far_rresp_i;
  assign in_rlast_o    = from_near ? near_rlast_i : far_rlast_i;
  assign in_rvalid_o   = expected && (from_near ? near_rvalid_i : far_rvalid_i);
  assign far_rready_o  = expected && !from_near && in_rready_i;
  assign near_rready_o = expected && from_near && in_rready_i;
  assign ended         = in_rvalid_o && in_rready_i && in_rlast_o;

  logic [63:0] last_near;
  assign last_near = 64'(near_araddr_o) + 64'(near_arlen_o) * DataBytes;

  // Addresses offered stay put until they are taken.
  `FLEX_ASSERT(FarStable, far_arvalid_o && !far_arready_i |=> far_arvalid_o && $stable
                          ({far_araddr_o, far_arlen_o}))
  `FLEX_ASSERT(NearStable, near_arvalid_o && !near_arready_i |=> near_arvalid_o && $stable
                           ({near_araddr_o, near_arlen_o}))
  // The bytes of a near burst lie in the window.
  `FLEX_ASSERT(NearInWindow, near_arvalid_o |-> last_near >> WindowBits == '0)
  // Data come only when asked for.
  `FLEX_ASSERT(DataExpected, far_rvalid_i || near_rvalid_i |-> expected)

endmodule
