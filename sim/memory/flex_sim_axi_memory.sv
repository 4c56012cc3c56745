// SPDX-License-Identifier: Apache-2.0
//
// AXI4 memory for simulation: one port of a store that all instances share.
//
// The store and the port's behaviour (latency, pauses, bandwidth, errors, order) are in
// flex_sim_axi_memory.cpp, set by the bench through sim/memory/model.py under the port's number.
// Latency: as set, at least one cycle. Throughput: one beat per cycle each way unless slowed down.
// Limits: incrementing bursts of full-width beats; a read-only or write-only use leaves the other
// half out. Checks the master's protocol.

`include "flex_assert.svh"

module flex_sim_axi_memory #(
  // Number by which the bench knows this port; each instance has its own.
  parameter int unsigned Port      = 0,
  // Address bits, at most 64.
  parameter int unsigned AddrWidth = 64,
  // Bytes of a beat, a power of two up to 128.
  parameter int unsigned DataBytes = 64,
  // Bits of the transaction IDs, at most 32.
  parameter int unsigned IdWidth   = 1,
  // Which halves exist.
  parameter bit          HasRead   = 1'b1,
  parameter bit          HasWrite  = 1'b1
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  // Read address
  input  logic [    IdWidth-1:0] s_axi_arid_i,
  input  logic [  AddrWidth-1:0] s_axi_araddr_i,
  input  logic [            7:0] s_axi_arlen_i,
  input  logic [            2:0] s_axi_arsize_i,
  input  logic [            1:0] s_axi_arburst_i,
  input  logic                   s_axi_arvalid_i,
  output logic                   s_axi_arready_o,
  // Read data
  output logic [    IdWidth-1:0] s_axi_rid_o,
  output logic [DataBytes*8-1:0] s_axi_rdata_o,
  output logic [            1:0] s_axi_rresp_o,
  output logic                   s_axi_rlast_o,
  output logic                   s_axi_rvalid_o,
  input  logic                   s_axi_rready_i,
  // Write address
  input  logic [    IdWidth-1:0] s_axi_awid_i,
  input  logic [  AddrWidth-1:0] s_axi_awaddr_i,
  input  logic [            7:0] s_axi_awlen_i,
  input  logic [            2:0] s_axi_awsize_i,
  input  logic [            1:0] s_axi_awburst_i,
  input  logic                   s_axi_awvalid_i,
  output logic                   s_axi_awready_o,
  // Write data
  input  logic [DataBytes*8-1:0] s_axi_wdata_i,
  input  logic [  DataBytes-1:0] s_axi_wstrb_i,
  input  logic                   s_axi_wlast_i,
  input  logic                   s_axi_wvalid_i,
  output logic                   s_axi_wready_o,
  // Write response
  output logic [    IdWidth-1:0] s_axi_bid_o,
  output logic [            1:0] s_axi_bresp_o,
  output logic                   s_axi_bvalid_o,
  input  logic                   s_axi_bready_i
);

  // The store's functions take vectors of the widest beat.
  localparam int unsigned MaxDataBytes = 128;
  localparam int unsigned PageBytes = 4096;
  localparam logic [2:0] FullSize = 3'($clog2(DataBytes));
  localparam logic [1:0] BurstIncr = 2'b01;

  `FLEX_ASSERT_INIT(DataBytesLegal, DataBytes <= MaxDataBytes && 2 ** $clog2(DataBytes)
                    == DataBytes)
  `FLEX_ASSERT_INIT(AddrWidthLegal, AddrWidth >= 12 && AddrWidth <= 64)
  `FLEX_ASSERT_INIT(IdWidthLegal, IdWidth >= 1 && IdWidth <= 32)
  `FLEX_ASSERT_INIT(HasHalf, HasRead || HasWrite)

  import "DPI-C" function void flex_sim_axi_memory_read(
    input  int unsigned                          index,
    input  int unsigned                          bytes,
    input  bit                                   reset,
    input  bit                                   ar_fire,
    input  longint unsigned                      ar_addr,
    input  int unsigned                          ar_len,
    input  int unsigned                          ar_id,
    input  bit                                   r_fire,
    output bit                                   ar_ready,
    output bit                                   r_valid,
    output bit              [MaxDataBytes*8-1:0] r_data,
    output int unsigned                          r_id,
    output bit              [               1:0] r_resp,
    output bit                                   r_last
  );

  import "DPI-C" function void flex_sim_axi_memory_write(
    input  int unsigned                          index,
    input  int unsigned                          bytes,
    input  bit                                   reset,
    input  bit                                   aw_fire,
    input  longint unsigned                      aw_addr,
    input  int unsigned                          aw_len,
    input  int unsigned                          aw_id,
    input  bit                                   w_valid,
    input  bit                                   w_fire,
    input  bit              [MaxDataBytes*8-1:0] w_data,
    input  bit              [  MaxDataBytes-1:0] w_strb,
    input  bit                                   w_last,
    input  bit                                   b_fire,
    output bit                                   aw_ready,
    output bit                                   w_ready,
    output bit                                   b_valid,
    output int unsigned                          b_id,
    output bit              [               1:0] b_resp,
    output bit                                   last_is_wrong
  );

  // Whether a burst of full-width beats, at offset `page_offset` of its page, stays within it.
  function automatic bit in_page(logic [11:0] page_offset, logic [7:0] len);
    logic [11:0] first;
    first = page_offset & ~12'(DataBytes - 1);
    return 32'(first) + (32'(len) + 1) * DataBytes <= PageBytes;
  endfunction

  if (HasRead) begin : gen_read
    bit ar_ready, r_valid, r_last;
    bit [MaxDataBytes*8-1:0] r_data;
    bit [1:0] r_resp;
    int unsigned r_id;

    // The function fills the widest beat and the widest ID.
    logic unused_r;
    assign unused_r = ^{r_data, r_id};

    always_ff @(posedge clk_i) begin
      flex_sim_axi_memory_read(Port, DataBytes, !rst_ni, s_axi_arvalid_i && s_axi_arready_o,
                               64'(s_axi_araddr_i), 32'(s_axi_arlen_i), 32'(s_axi_arid_i),
                               s_axi_rvalid_o && s_axi_rready_i, ar_ready, r_valid, r_data, r_id,
                               r_resp, r_last);
      s_axi_arready_o <= ar_ready;
      s_axi_rvalid_o  <= r_valid;
      s_axi_rdata_o   <= r_data[DataBytes*8-1:0];
      s_axi_rid_o     <= r_id[IdWidth-1:0];
      s_axi_rresp_o   <= r_resp;
      s_axi_rlast_o   <= r_last;
    end

    // An address on offer stays until it is accepted.
    `FLEX_ASSERT(ArStable,
                 s_axi_arvalid_i && !s_axi_arready_o |=> s_axi_arvalid_i && $stable(
                     {s_axi_arid_i, s_axi_araddr_i, s_axi_arlen_i, s_axi_arsize_i, s_axi_arburst_i}
                 ))
    // Only incrementing bursts of full-width beats, none across a page.
    `FLEX_ASSERT(ArBurst, s_axi_arvalid_i |-> s_axi_arburst_i == BurstIncr)
    `FLEX_ASSERT(ArSize, s_axi_arvalid_i |-> s_axi_arsize_i == FullSize)
    `FLEX_ASSERT(ArInPage, s_axi_arvalid_i |-> in_page(s_axi_araddr_i[11:0], s_axi_arlen_i))
    // The model keeps the protocol, too.
    `FLEX_ASSERT(RStable,
                 s_axi_rvalid_o && !s_axi_rready_i |=> s_axi_rvalid_o && $stable(
                     {s_axi_rid_o, s_axi_rdata_o, s_axi_rresp_o, s_axi_rlast_o}
                 ))
  end else begin : gen_no_read
    logic unused_read;
    assign unused_read = ^{s_axi_arid_i, s_axi_araddr_i, s_axi_arlen_i, s_axi_arsize_i,
                           s_axi_arburst_i, s_axi_rready_i};
    assign s_axi_arready_o = 1'b0;
    assign s_axi_rvalid_o = 1'b0;
    assign s_axi_rdata_o = '0;
    assign s_axi_rid_o = '0;
    assign s_axi_rresp_o = '0;
    assign s_axi_rlast_o = 1'b0;
    // Nothing reads from a write-only port.
    `FLEX_ASSERT(NoRead, !s_axi_arvalid_i)
  end

  if (HasWrite) begin : gen_write
    bit aw_ready, w_ready, b_valid, last_is_wrong;
    bit [1:0] b_resp;
    int unsigned b_id;
    logic last_is_wrong_q;

    // The function fills the widest ID.
    logic unused_b;
    assign unused_b = ^b_id;

    always_ff @(posedge clk_i) begin
      flex_sim_axi_memory_write(Port, DataBytes, !rst_ni, s_axi_awvalid_i && s_axi_awready_o,
                                64'(s_axi_awaddr_i), 32'(s_axi_awlen_i), 32'(s_axi_awid_i),
                                s_axi_wvalid_i, s_axi_wvalid_i && s_axi_wready_o,
                                (MaxDataBytes * 8)'(s_axi_wdata_i), MaxDataBytes'(s_axi_wstrb_i),
                                s_axi_wlast_i, s_axi_bvalid_o && s_axi_bready_i, aw_ready, w_ready,
                                b_valid, b_id, b_resp, last_is_wrong);
      s_axi_awready_o <= aw_ready;
      s_axi_wready_o  <= w_ready;
      s_axi_bvalid_o  <= b_valid;
      s_axi_bid_o     <= b_id[IdWidth-1:0];
      s_axi_bresp_o   <= b_resp;
      last_is_wrong_q <= last_is_wrong;
    end

    // An address and a beat on offer stay until they are accepted.
    `FLEX_ASSERT(AwStable,
                 s_axi_awvalid_i && !s_axi_awready_o |=> s_axi_awvalid_i && $stable(
                     {s_axi_awid_i, s_axi_awaddr_i, s_axi_awlen_i, s_axi_awsize_i, s_axi_awburst_i}
                 ))
    `FLEX_ASSERT(WStable,
                 s_axi_wvalid_i && !s_axi_wready_o |=> s_axi_wvalid_i && $stable(
                     {s_axi_wdata_i, s_axi_wstrb_i, s_axi_wlast_i}
                 ))
    // Only incrementing bursts of full-width beats, none across a page.
    `FLEX_ASSERT(AwBurst, s_axi_awvalid_i |-> s_axi_awburst_i == BurstIncr)
    `FLEX_ASSERT(AwSize, s_axi_awvalid_i |-> s_axi_awsize_i == FullSize)
    `FLEX_ASSERT(AwInPage, s_axi_awvalid_i |-> in_page(s_axi_awaddr_i[11:0], s_axi_awlen_i))
    // The last beat of a burst, and no other, is marked.
    `FLEX_ASSERT(WLastAtEnd, !last_is_wrong_q)
    // The model keeps the protocol, too.
    `FLEX_ASSERT(BStable,
                 s_axi_bvalid_o && !s_axi_bready_i |=> s_axi_bvalid_o && $stable(
                     {s_axi_bid_o, s_axi_bresp_o}
                 ))
  end else begin : gen_no_write
    logic unused_write;
    assign unused_write = ^{s_axi_awid_i, s_axi_awaddr_i, s_axi_awlen_i, s_axi_awsize_i,
                            s_axi_awburst_i, s_axi_wdata_i, s_axi_wstrb_i, s_axi_wlast_i,
                            s_axi_bready_i};
    assign s_axi_awready_o = 1'b0;
    assign s_axi_wready_o = 1'b0;
    assign s_axi_bvalid_o = 1'b0;
    assign s_axi_bid_o = '0;
    assign s_axi_bresp_o = '0;
    // Nothing writes to a read-only port.
    `FLEX_ASSERT(NoWrite, !s_axi_awvalid_i && !s_axi_wvalid_i)
  end

endmodule
