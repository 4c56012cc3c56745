// SPDX-License-Identifier: Apache-2.0
//
// Read engine: turns requests into AXI4 read bursts and gives their beats in order.
//
// A burst is issued only when the FIFO has room for all its beats, so a read never holds up others
// on a shared port and `axi_rready_o` is constantly high. Bursts follow each other without a gap,
// at most one address per cycle. One beat per cycle as long as FifoBeats covers MaxBurst and the
// memory's latency in cycles plus 16. Latency of the engine: 4 cycles from a request to its
// address, 6 from a beat to the data stream. No combinational path between AXI, requests and data.

`include "flex_assert.svh"

module flex_axi_read
  import flex_pkg::*;
#(
  // Bytes of a beat; a power of two.
  parameter int unsigned DataBytes = 64,
  // Beats of the longest burst.
  parameter int unsigned MaxBurst  = 64,
  // Beats that may be under way or wait; 512 fill block RAMs of 512 x 72 bits.
  parameter int unsigned FifoBeats = 512
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  // Added to the byte offsets of requests; a multiple of DataBytes
  input  logic [           63:0] base_i,
  // While high no burst is issued
  input  logic                   halt_i,
  // No beat is under way
  output logic                   idle_o,
  // Pulse: a beat came with an error response
  output logic                   error_o,
  // Requests
  input  logic [OffsetWidth-1:0] req_addr_i,
  input  logic [ BeatsWidth-1:0] req_beats_i,
  input  logic                   req_valid_i,
  output logic                   req_ready_o,
  // Data of all requests
  output logic [DataBytes*8-1:0] data_data_o,
  output logic                   data_valid_o,
  input  logic                   data_ready_i,
  // AXI
  output logic [           63:0] axi_araddr_o,
  output logic [            7:0] axi_arlen_o,
  output logic                   axi_arvalid_o,
  input  logic                   axi_arready_i,
  input  logic [DataBytes*8-1:0] axi_rdata_i,
  input  logic [            1:0] axi_rresp_i,
  input  logic                   axi_rlast_i,
  input  logic                   axi_rvalid_i,
  output logic                   axi_rready_o
);

  `FLEX_ASSERT_INIT(FifoHoldsBurst, FifoBeats >= MaxBurst)

  localparam int unsigned FillWidth = $clog2(FifoBeats + 1);
  localparam logic [1:0] Okay = 2'b00;

  ///////////////
  // Addresses //
  ///////////////

  logic [63:0] burst_addr;
  logic [ 7:0] burst_len;
  logic unused_burst_last, burst_valid, burst_ready, issue, ar_ready;

  // Places in the FIFO that no burst has reserved; beats that have been asked for and not come.
  logic [FillWidth-1:0] free_q, pending_q, reserve;
  logic pop, arrive;

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
    .burst_last_o (unused_burst_last),
    .burst_valid_o(burst_valid),
    .burst_ready_i(burst_ready)
  );

  assign burst_ready = ar_ready && !halt_i && 32'(free_q) > 32'(burst_len);
  assign issue       = burst_valid && burst_ready;
  assign reserve     = issue ? FillWidth'(burst_len) + 1'b1 : '0;

  flex_stream_register #(
    .Width(64 + 8)
  ) u_ar (
    .clk_i,
    .rst_ni,
    .in_data_i  ({burst_addr, burst_len}),
    .in_valid_i (issue),
    .in_ready_o (ar_ready),
    .out_data_o ({axi_araddr_o, axi_arlen_o}),
    .out_valid_o(axi_arvalid_o),
    .out_ready_i(axi_arready_i)
  );

  //////////
  // Data //
  //////////

  logic [DataBytes*8-1:0] r_data_q;
  logic [1:0] r_resp_q;
  logic r_valid_q;
  logic fifo_ready;
  logic [FillWidth-1:0] unused_level;

  assign axi_rready_o = 1'b1;
  assign arrive       = r_valid_q;
  assign pop          = data_valid_o && data_ready_i;
  assign error_o      = r_valid_q && r_resp_q != Okay;
  assign idle_o       = pending_q == '0;

  always_ff @(posedge clk_i) begin
    r_data_q <= axi_rdata_i;
    r_resp_q <= axi_rresp_i;
  end

  flex_stream_fifo #(
    .Width(DataBytes * 8),
    .Depth(FifoBeats)
  ) u_fifo (
    .clk_i,
    .rst_ni,
    .in_data_i  (r_data_q),
    .in_valid_i (r_valid_q),
    .in_ready_o (fifo_ready),
    .out_data_o (data_data_o),
    .out_valid_o(data_valid_o),
    .out_ready_i(data_ready_i),
    .level_o    (unused_level)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      r_valid_q <= 1'b0;
      free_q    <= FillWidth'(FifoBeats);
      pending_q <= '0;
    end else begin
      r_valid_q <= axi_rvalid_i;
      free_q    <= free_q - reserve + FillWidth'(pop);
      pending_q <= pending_q + reserve - FillWidth'(arrive);
    end
  end

  // Beats are counted, so the mark on the last one of a burst tells nothing new.
  logic unused_rlast;
  assign unused_rlast = axi_rlast_i;

  // A beat comes only when asked for, and finds its place.
  `FLEX_ASSERT(BeatExpected, r_valid_q |-> pending_q != '0)
  `FLEX_ASSERT(BeatHasPlace, r_valid_q |-> fifo_ready)
  // Places reserved and places taken are never more than there are.
  `FLEX_ASSERT(FreeInRange, free_q <= FillWidth'(FifoBeats))
  // An address offered stays put until it is taken.
  `FLEX_ASSERT(AddressStable, axi_arvalid_o && !axi_arready_i |=> axi_arvalid_o && $stable
                              ({axi_araddr_o, axi_arlen_o}))

endmodule
