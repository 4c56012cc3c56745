// SPDX-License-Identifier: Apache-2.0
//
// Write engine: turns requests and a stream of beats into AXI4 write bursts and tells when each
// request is completely acknowledged.
//
// The address of a burst goes out only when all its beats wait in the FIFO, so a write never holds
// up others on a shared port. Up to MaxOutstanding bursts await their response; bursts follow each
// other without a gap, one beat per cycle. Latency of the engine: 7 cycles from a beat to AXI, 1
// from a response to `done_o`. No combinational path between AXI, requests and data. All bursts
// have the same ID, so responses come in order.

`include "flex_assert.svh"

module flex_axi_write
  import flex_pkg::*;
#(
  // Bytes of a beat; a power of two.
  parameter int unsigned DataBytes      = 64,
  // Beats of the longest burst.
  parameter int unsigned MaxBurst       = 64,
  // Beats that may wait for their address; 512 fill block RAMs of 512 x 72 bits.
  parameter int unsigned FifoBeats      = 512,
  // Bursts that may await their response.
  parameter int unsigned MaxOutstanding = 64
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  // Added to the byte offsets of requests; a multiple of DataBytes
  input  logic [           63:0] base_i,
  // While high no burst is issued; beats of those issued still go out
  input  logic                   halt_i,
  // No burst awaits its response
  output logic                   idle_o,
  // Pulse: the oldest request is completely acknowledged; one per request
  output logic                   done_o,
  // Pulse: a response reported an error; not later than the request's `done_o`
  output logic                   error_o,
  // Requests
  input  logic [OffsetWidth-1:0] req_addr_i,
  input  logic [ BeatsWidth-1:0] req_beats_i,
  input  logic                   req_valid_i,
  output logic                   req_ready_o,
  // Data of all requests
  input  logic [DataBytes*8-1:0] data_data_i,
  input  logic [  DataBytes-1:0] data_strb_i,
  input  logic                   data_valid_i,
  output logic                   data_ready_o,
  // AXI
  output logic [           63:0] axi_awaddr_o,
  output logic [            7:0] axi_awlen_o,
  output logic                   axi_awvalid_o,
  input  logic                   axi_awready_i,
  output logic [DataBytes*8-1:0] axi_wdata_o,
  output logic [  DataBytes-1:0] axi_wstrb_o,
  output logic                   axi_wlast_o,
  output logic                   axi_wvalid_o,
  input  logic                   axi_wready_i,
  input  logic [            1:0] axi_bresp_i,
  input  logic                   axi_bvalid_i,
  output logic                   axi_bready_o
);

  `FLEX_ASSERT_INIT(FifoHoldsBurst, FifoBeats >= MaxBurst)
  `FLEX_ASSERT_INIT(OutstandingNonZero, MaxOutstanding >= 1)

  localparam int unsigned FillWidth = $clog2(FifoBeats + 1);
  localparam int unsigned OutstandingWidth = $clog2(MaxOutstanding + 1);
  localparam logic [1:0] Okay = 2'b00;

  //////////
  // Data //
  //////////

  logic [DataBytes*8-1:0] beat_data;
  logic [  DataBytes-1:0] beat_strb;
  logic beat_valid, beat_ready;
  logic [FillWidth-1:0] unused_level;

  flex_stream_fifo #(
    .Width(DataBytes * 9),
    .Depth(FifoBeats)
  ) u_fifo (
    .clk_i,
    .rst_ni,
    .in_data_i  ({data_strb_i, data_data_i}),
    .in_valid_i (data_valid_i),
    .in_ready_o (data_ready_o),
    .out_data_o ({beat_strb, beat_data}),
    .out_valid_o(beat_valid),
    .out_ready_i(beat_ready),
    .level_o    (unused_level)
  );

  ///////////////
  // Addresses //
  ///////////////

  logic [63:0] burst_addr;
  logic [ 7:0] burst_len;
  logic burst_last, burst_valid, burst_ready, issue, aw_ready;
  logic len_ready, open_ready;

  // Beats in the FIFO that no burst has claimed.
  logic [FillWidth-1:0] avail_q, claim;
  logic push;

  flex_axi_burst #(
    .DataBytes(DataBytes),
    .MaxBurst (MaxBurst)
  ) u_burst (
    .clk_i,
    .rst_ni,
    .base_i,
    .req_addr_i,
    .req_beats_i,
    .req_valid_i,
    .req_ready_o,
    .burst_addr_o (burst_addr),
    .burst_len_o  (burst_len),
    .burst_last_o (burst_last),
    .burst_valid_o(burst_valid),
    .burst_ready_i(burst_ready)
  );

  assign push = data_valid_i && data_ready_o;
  assign burst_ready = aw_ready && len_ready && open_ready && !halt_i &&
                       32'(avail_q) > 32'(burst_len);
  assign issue = burst_valid && burst_ready;
  assign claim = issue ? FillWidth'(burst_len) + 1'b1 : '0;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) avail_q <= '0;
    else avail_q <= avail_q + FillWidth'(push) - claim;
  end

  flex_stream_register #(
    .Width(64 + 8)
  ) u_aw (
    .clk_i,
    .rst_ni,
    .in_data_i  ({burst_addr, burst_len}),
    .in_valid_i (issue),
    .in_ready_o (aw_ready),
    .out_data_o ({axi_awaddr_o, axi_awlen_o}),
    .out_valid_o(axi_awvalid_o),
    .out_ready_i(axi_awready_i)
  );

  ////////////
  // Bursts //
  ////////////

  // Lengths of the bursts whose beats have not begun to go out.
  logic [7:0] len;
  logic len_valid, len_next;
  logic [OutstandingWidth-1:0] unused_len_level;

  flex_stream_fifo #(
    .Width(8),
    .Depth(MaxOutstanding)
  ) u_lengths (
    .clk_i,
    .rst_ni,
    .in_data_i  (burst_len),
    .in_valid_i (issue),
    .in_ready_o (len_ready),
    .out_data_o (len),
    .out_valid_o(len_valid),
    .out_ready_i(len_next),
    .level_o    (unused_len_level)
  );

  // The burst whose beats go out: how many are to come after the next one.
  logic [7:0] rest_q;
  logic sending_q, beat_last_q, w_ready, w_push;

  assign beat_ready = sending_q && w_ready;
  assign w_push     = beat_valid && beat_ready;
  assign len_next   = !sending_q || (w_push && beat_last_q);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) sending_q <= 1'b0;
    else if (len_next) sending_q <= len_valid;
  end

  always_ff @(posedge clk_i) begin
    if (len_next) begin
      rest_q      <= len;
      beat_last_q <= len == '0;
    end else if (w_push) begin
      rest_q      <= rest_q - 1'b1;
      beat_last_q <= rest_q == 8'd1;
    end
  end

  flex_stream_register #(
    .Width(DataBytes * 9 + 1)
  ) u_w (
    .clk_i,
    .rst_ni,
    .in_data_i  ({beat_last_q, beat_strb, beat_data}),
    .in_valid_i (w_push),
    .in_ready_o (w_ready),
    .out_data_o ({axi_wlast_o, axi_wstrb_o, axi_wdata_o}),
    .out_valid_o(axi_wvalid_o),
    .out_ready_i(axi_wready_i)
  );

  ///////////////
  // Responses //
  ///////////////

  // For every burst that awaits its response, whether a request ends with it.
  logic open_last, open_valid;
  logic [OutstandingWidth-1:0] open_level;
  logic [1:0] b_resp_q;
  logic b_valid_q;

  flex_stream_fifo #(
    .Width(1),
    .Depth(MaxOutstanding)
  ) u_open (
    .clk_i,
    .rst_ni,
    .in_data_i  (burst_last),
    .in_valid_i (issue),
    .in_ready_o (open_ready),
    .out_data_o (open_last),
    .out_valid_o(open_valid),
    .out_ready_i(b_valid_q),
    .level_o    (open_level)
  );

  assign axi_bready_o = 1'b1;
  assign done_o       = b_valid_q && open_last;
  assign error_o      = b_valid_q && b_resp_q != Okay;
  assign idle_o       = open_level == '0;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) b_valid_q <= 1'b0;
    else b_valid_q <= axi_bvalid_i;
  end

  always_ff @(posedge clk_i) begin
    b_resp_q <= axi_bresp_i;
  end

  // A response comes only for a burst that awaits one.
  `FLEX_ASSERT(ResponseExpected, b_valid_q |-> open_valid)
  // A burst takes no more beats than there are.
  `FLEX_ASSERT(AvailableInRange, avail_q <= FillWidth'(FifoBeats))
  // Address and data offered stay put until they are taken.
  `FLEX_ASSERT(AddressStable, axi_awvalid_o && !axi_awready_i |=> axi_awvalid_o && $stable
                              ({axi_awaddr_o, axi_awlen_o}))
  `FLEX_ASSERT(DataStable, axi_wvalid_o && !axi_wready_i |=> axi_wvalid_o && $stable
                           ({axi_wdata_o, axi_wstrb_o, axi_wlast_o}))

endmodule
