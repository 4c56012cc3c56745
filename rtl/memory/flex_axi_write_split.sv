// SPDX-License-Identifier: Apache-2.0
//
// Sends the bursts of an AXI4 write master to one of two memories by their address, and gives their responses in order.
//
// The near memory takes the first 2^WindowBits bytes from `base_i` on, the far one all others. An address waits a cycle;
// beats and responses pass straight through, a burst's beats not before its address is taken. Near beats never wait for
// another memory, so those that stand behind them go on.

`include "flex_assert.svh"

module flex_axi_write_split #(
  // Bytes of a beat; a power of two.
  parameter int unsigned DataBytes      = 64,
  // Near bytes, as a power of two; no burst crosses their end.
  parameter int unsigned WindowBits     = 20,
  // Bursts that may await their response.
  parameter int unsigned MaxOutstanding = 64
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  // Where the near bytes begin; constant while bursts are under way
  input  logic [           63:0] base_i,
  // Master
  input  logic [           63:0] in_awaddr_i,
  input  logic [            7:0] in_awlen_i,
  input  logic                   in_awvalid_i,
  output logic                   in_awready_o,
  input  logic [DataBytes*8-1:0] in_wdata_i,
  input  logic [  DataBytes-1:0] in_wstrb_i,
  input  logic                   in_wlast_i,
  input  logic                   in_wvalid_i,
  output logic                   in_wready_o,
  output logic [            1:0] in_bresp_o,
  output logic                   in_bvalid_o,
  input  logic                   in_bready_i,
  // Far memory
  output logic [           63:0] far_awaddr_o,
  output logic [            7:0] far_awlen_o,
  output logic                   far_awvalid_o,
  input  logic                   far_awready_i,
  output logic [DataBytes*8-1:0] far_wdata_o,
  output logic [  DataBytes-1:0] far_wstrb_o,
  output logic                   far_wlast_o,
  output logic                   far_wvalid_o,
  input  logic                   far_wready_i,
  input  logic [            1:0] far_bresp_i,
  input  logic                   far_bvalid_i,
  output logic                   far_bready_o,
  // Near memory, whose addresses count from `base_i` on
  output logic [ WindowBits-1:0] near_awaddr_o,
  output logic [            7:0] near_awlen_o,
  output logic                   near_awvalid_o,
  input  logic                   near_awready_i,
  output logic [DataBytes*8-1:0] near_wdata_o,
  output logic [  DataBytes-1:0] near_wstrb_o,
  output logic                   near_wlast_o,
  output logic                   near_wvalid_o,
  input  logic                   near_wready_i,
  input  logic [            1:0] near_bresp_i,
  input  logic                   near_bvalid_i,
  output logic                   near_bready_o
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
  logic near, valid, ready, room, taken;
  logic beats_ready, answers_ready;

  // No burst lies in both, so its first byte decides.
  assign offset = in_awaddr_i - base_i;

  flex_stream_register #(
    .Width(1 + WindowBits + 64 + 8)
  ) u_aw (
    .clk_i,
    .rst_ni,
    .in_data_i  ({offset[63:WindowBits] == '0, offset[WindowBits-1:0], in_awaddr_i, in_awlen_i}),
    .in_valid_i (in_awvalid_i),
    .in_ready_o (in_awready_o),
    .out_data_o ({near, near_addr, addr, len}),
    .out_valid_o(valid),
    .out_ready_i(ready)
  );

  assign room           = beats_ready && answers_ready;
  assign far_awaddr_o   = addr;
  assign far_awlen_o    = len;
  assign far_awvalid_o  = valid && room && !near;
  assign near_awaddr_o  = near_addr;
  assign near_awlen_o   = len;
  assign near_awvalid_o = valid && room && near;
  assign ready          = room && (near ? near_awready_i : far_awready_i);
  assign taken          = valid && ready;

  //////////
  // Data //
  //////////

  // Where beats go, and where the next response comes from: one entry for each burst.
  logic to_near, beats_due, beats_end;
  logic from_near, answer_due, answered;
  logic [LevelWidth-1:0] unused_beats_level, unused_answers_level;

  flex_stream_fifo #(
    .Width(1),
    .Depth(MaxOutstanding)
  ) u_beats (
    .clk_i,
    .rst_ni,
    .in_data_i  (near),
    .in_valid_i (taken),
    .in_ready_o (beats_ready),
    .out_data_o (to_near),
    .out_valid_o(beats_due),
    .out_ready_i(beats_end),
    .level_o    (unused_beats_level)
  );

  assign far_wdata_o   = in_wdata_i;
  assign far_wstrb_o   = in_wstrb_i;
  assign far_wlast_o   = in_wlast_i;
  assign far_wvalid_o  = in_wvalid_i && beats_due && !to_near;
  assign near_wdata_o  = in_wdata_i;
  assign near_wstrb_o  = in_wstrb_i;
  assign near_wlast_o  = in_wlast_i;
  assign near_wvalid_o = in_wvalid_i && beats_due && to_near;
  assign in_wready_o   = beats_due && (to_near ? near_wready_i : far_wready_i);
  assign beats_end     = in_wvalid_i && in_wready_o && in_wlast_i;

  ///////////////
  // Responses //
  ///////////////

  flex_stream_fifo #(
    .Width(1),
    .Depth(MaxOutstanding)
  ) u_answers (
    .clk_i,
    .rst_ni,
    .in_data_i  (near),
    .in_valid_i (taken),
    .in_ready_o (answers_ready),
    .out_data_o (from_near),
    .out_valid_o(answer_due),
    .out_ready_i(answered),
    .level_o    (unused_answers_level)
  );

  assign in_bresp_o    = from_near ? near_bresp_i : far_bresp_i;
  assign in_bvalid_o   = answer_due && (from_near ? near_bvalid_i : far_bvalid_i);
  assign far_bready_o  = answer_due && !from_near && in_bready_i;
  assign near_bready_o = answer_due && from_near && in_bready_i;
  assign answered      = in_bvalid_o && in_bready_i;

  logic [63:0] last_near;
  assign last_near = 64'(near_awaddr_o) + 64'(near_awlen_o) * DataBytes;

  // Addresses and beats offered stay put until they are taken.
  `FLEX_ASSERT(FarStable, far_awvalid_o && !far_awready_i |=> far_awvalid_o && $stable
                          ({far_awaddr_o, far_awlen_o}))
  `FLEX_ASSERT(NearStable, near_awvalid_o && !near_awready_i |=> near_awvalid_o && $stable
                           ({near_awaddr_o, near_awlen_o}))
  `FLEX_ASSERT(FarBeatStable, far_wvalid_o && !far_wready_i |=> far_wvalid_o && $stable
                              ({far_wdata_o, far_wstrb_o, far_wlast_o}))
  `FLEX_ASSERT(NearBeatStable, near_wvalid_o && !near_wready_i |=> near_wvalid_o && $stable
                               ({near_wdata_o, near_wstrb_o, near_wlast_o}))
  // The bytes of a near burst lie in the window.
  `FLEX_ASSERT(NearInWindow, near_awvalid_o |-> last_near >> WindowBits == '0)
  // A response comes only for a burst that awaits one.
  `FLEX_ASSERT(ResponseExpected, far_bvalid_i || near_bvalid_i |-> answer_due)

endmodule
