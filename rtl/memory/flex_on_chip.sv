// SPDX-License-Identifier: Apache-2.0
//
// On-chip memory beside the memory that all cores share: activations, second tensors and outputs reach either by address.
//
// The first WindowBytes from `base_i` on are on the chip: Bytes of RAM, which appear Pages times, one behind the other at
// steps of their size rounded up to a power of two. So tensors that follow each other in the same RAM have addresses of
// their own. With Bytes = 0 there is nothing here but wires. Each port moves a beat per cycle; addresses that go on to the
// shared memory wait a cycle.

`include "flex_assert.svh"

module flex_on_chip #(
  // Bytes of a beat; a power of two.
  parameter int unsigned DataBytes = 64,
  parameter int unsigned Cores     = 1,
  // Cores read second tensors.
  parameter bit          Sums      = 1'b0,
  // Bytes of RAM, whole words in each bank: a multiple of DataBytes for each of the ports that read, their number rounded
  // up to a power of two; 0 for none.
  parameter int unsigned Bytes     = 0,
  // A power of two.
  parameter int unsigned Pages     = 1
) (
  input  logic                              clk_i,
  input  logic                              rst_ni,
  input  logic [     63:0]                  base_i,
  // Cores: activation reads
  input  logic [Cores-1:0][           63:0] core_act_araddr_i,
  input  logic [Cores-1:0][            7:0] core_act_arlen_i,
  input  logic [Cores-1:0]                  core_act_arvalid_i,
  output logic [Cores-1:0]                  core_act_arready_o,
  output logic [Cores-1:0][DataBytes*8-1:0] core_act_rdata_o,
  output logic [Cores-1:0][            1:0] core_act_rresp_o,
  output logic [Cores-1:0]                  core_act_rlast_o,
  output logic [Cores-1:0]                  core_act_rvalid_o,
  input  logic [Cores-1:0]                  core_act_rready_i,
  // Cores: reads of second tensors
  input  logic [Cores-1:0][           63:0] core_skip_araddr_i,
  input  logic [Cores-1:0][            7:0] core_skip_arlen_i,
  input  logic [Cores-1:0]                  core_skip_arvalid_i,
  output logic [Cores-1:0]                  core_skip_arready_o,
  output logic [Cores-1:0][DataBytes*8-1:0] core_skip_rdata_o,
  output logic [Cores-1:0][            1:0] core_skip_rresp_o,
  output logic [Cores-1:0]                  core_skip_rlast_o,
  output logic [Cores-1:0]                  core_skip_rvalid_o,
  input  logic [Cores-1:0]                  core_skip_rready_i,
  // Cores: writes
  input  logic [Cores-1:0][           63:0] core_out_awaddr_i,
  input  logic [Cores-1:0][            7:0] core_out_awlen_i,
  input  logic [Cores-1:0]                  core_out_awvalid_i,
  output logic [Cores-1:0]                  core_out_awready_o,
  input  logic [Cores-1:0][DataBytes*8-1:0] core_out_wdata_i,
  input  logic [Cores-1:0][  DataBytes-1:0] core_out_wstrb_i,
  input  logic [Cores-1:0]                  core_out_wlast_i,
  input  logic [Cores-1:0]                  core_out_wvalid_i,
  output logic [Cores-1:0]                  core_out_wready_o,
  output logic [Cores-1:0][            1:0] core_out_bresp_o,
  output logic [Cores-1:0]                  core_out_bvalid_o,
  input  logic [Cores-1:0]                  core_out_bready_i,
  // Shared memory: activation reads
  output logic [Cores-1:0][           63:0] axi_act_araddr_o,
  output logic [Cores-1:0][            7:0] axi_act_arlen_o,
  output logic [Cores-1:0]                  axi_act_arvalid_o,
  input  logic [Cores-1:0]                  axi_act_arready_i,
  input  logic [Cores-1:0][DataBytes*8-1:0] axi_act_rdata_i,
  input  logic [Cores-1:0][            1:0] axi_act_rresp_i,
  input  logic [Cores-1:0]                  axi_act_rlast_i,
  input  logic [Cores-1:0]                  axi_act_rvalid_i,
  output logic [Cores-1:0]                  axi_act_rready_o,
  // Shared memory: reads of second tensors
  output logic [Cores-1:0][           63:0] axi_skip_araddr_o,
  output logic [Cores-1:0][            7:0] axi_skip_arlen_o,
  output logic [Cores-1:0]                  axi_skip_arvalid_o,
  input  logic [Cores-1:0]                  axi_skip_arready_i,
  input  logic [Cores-1:0][DataBytes*8-1:0] axi_skip_rdata_i,
  input  logic [Cores-1:0][            1:0] axi_skip_rresp_i,
  input  logic [Cores-1:0]                  axi_skip_rlast_i,
  input  logic [Cores-1:0]                  axi_skip_rvalid_i,
  output logic [Cores-1:0]                  axi_skip_rready_o,
  // Shared memory: writes
  output logic [Cores-1:0][           63:0] axi_out_awaddr_o,
  output logic [Cores-1:0][            7:0] axi_out_awlen_o,
  output logic [Cores-1:0]                  axi_out_awvalid_o,
  input  logic [Cores-1:0]                  axi_out_awready_i,
  output logic [Cores-1:0][DataBytes*8-1:0] axi_out_wdata_o,
  output logic [Cores-1:0][  DataBytes-1:0] axi_out_wstrb_o,
  output logic [Cores-1:0]                  axi_out_wlast_o,
  output logic [Cores-1:0]                  axi_out_wvalid_o,
  input  logic [Cores-1:0]                  axi_out_wready_i,
  input  logic [Cores-1:0][            1:0] axi_out_bresp_i,
  input  logic [Cores-1:0]                  axi_out_bvalid_i,
  output logic [Cores-1:0]                  axi_out_bready_o
);

  if (Bytes == 0) begin : gen_none

    logic unused_clock;
    assign unused_clock       = ^{clk_i, rst_ni, base_i};

    assign axi_act_araddr_o   = core_act_araddr_i;
    assign axi_act_arlen_o    = core_act_arlen_i;
    assign axi_act_arvalid_o  = core_act_arvalid_i;
    assign core_act_arready_o = axi_act_arready_i;
    assign core_act_rdata_o   = axi_act_rdata_i;
    assign core_act_rresp_o   = axi_act_rresp_i;
    assign core_act_rlast_o   = axi_act_rlast_i;
    assign core_act_rvalid_o  = axi_act_rvalid_i;
    assign axi_act_rready_o   = core_act_rready_i;
    assign axi_out_awaddr_o   = core_out_awaddr_i;
    assign axi_out_awlen_o    = core_out_awlen_i;
    assign axi_out_awvalid_o  = core_out_awvalid_i;
    assign core_out_awready_o = axi_out_awready_i;
    assign axi_out_wdata_o    = core_out_wdata_i;
    assign axi_out_wstrb_o    = core_out_wstrb_i;
    assign axi_out_wlast_o    = core_out_wlast_i;
    assign axi_out_wvalid_o   = core_out_wvalid_i;
    assign core_out_wready_o  = axi_out_wready_i;
    assign core_out_bresp_o   = axi_out_bresp_i;
    assign core_out_bvalid_o  = axi_out_bvalid_i;
    assign axi_out_bready_o   = core_out_bready_i;

  end else begin : gen_ram

    localparam int unsigned Readers = Sums ? 2 * Cores : Cores;
    localparam int unsigned Banks = 2 ** $clog2(Readers);
    localparam int unsigned AddrWidth = $clog2(Bytes);
    localparam int unsigned WindowBits = AddrWidth + $clog2(Pages);

    `FLEX_ASSERT_INIT(BytesWhole, Bytes % (DataBytes * Banks) == 0 && Bytes > DataBytes)
    `FLEX_ASSERT_INIT(PagesLegal, Pages >= 1 && 2 ** $clog2(Pages) == Pages)
    `FLEX_ASSERT_INIT(WindowLegal, WindowBits <= 32)

    // Near reads: activations of every core, then second tensors.
    logic [Readers-1:0][WindowBits-1:0] near_araddr;
    logic [Readers-1:0][AddrWidth-1:0] ram_araddr;
    logic [Readers-1:0][7:0] near_arlen;
    logic [Readers-1:0] near_arvalid, near_arready, near_rlast, near_rvalid, near_rready;
    logic [Readers-1:0][DataBytes*8-1:0] near_rdata;
    logic [Readers-1:0][1:0] near_rresp;
    // Near writes
    logic [Cores-1:0][WindowBits-1:0] near_awaddr;
    logic [Cores-1:0][AddrWidth-1:0] ram_awaddr;
    logic [Cores-1:0][7:0] near_awlen;
    logic [Cores-1:0] near_awvalid, near_awready, near_wlast, near_wvalid, near_wready;
    logic [Cores-1:0] near_bvalid, near_bready;
    logic [Cores-1:0][DataBytes*8-1:0] near_wdata;
    logic [Cores-1:0][DataBytes-1:0] near_wstrb;
    logic [Cores-1:0][1:0] near_bresp;

    for (genvar c = 0; c < Cores; c++) begin : gen_core

      flex_axi_read_split #(
        .DataBytes (DataBytes),
        .WindowBits(WindowBits)
      ) u_act (
        .clk_i,
        .rst_ni,
        .base_i,
        .in_araddr_i   (core_act_araddr_i[c]),
        .in_arlen_i    (core_act_arlen_i[c]),
        .in_arvalid_i  (core_act_arvalid_i[c]),
        .in_arready_o  (core_act_arready_o[c]),
        .in_rdata_o    (core_act_rdata_o[c]),
        .in_rresp_o    (core_act_rresp_o[c]),
        .in_rlast_o    (core_act_rlast_o[c]),
        .in_rvalid_o   (core_act_rvalid_o[c]),
        .in_rready_i   (core_act_rready_i[c]),
        .far_araddr_o  (axi_act_araddr_o[c]),
        .far_arlen_o   (axi_act_arlen_o[c]),
        .far_arvalid_o (axi_act_arvalid_o[c]),
        .far_arready_i (axi_act_arready_i[c]),
        .far_rdata_i   (axi_act_rdata_i[c]),
        .far_rresp_i   (axi_act_rresp_i[c]),
        .far_rlast_i   (axi_act_rlast_i[c]),
        .far_rvalid_i  (axi_act_rvalid_i[c]),
        .far_rready_o  (axi_act_rready_o[c]),
        .near_araddr_o (near_araddr[c]),
        .near_arlen_o  (near_arlen[c]),
        .near_arvalid_o(near_arvalid[c]),
        .near_arready_i(near_arready[c]),
        .near_rdata_i  (near_rdata[c]),
        .near_rresp_i  (near_rresp[c]),
        .near_rlast_i  (near_rlast[c]),
        .near_rvalid_i (near_rvalid[c]),
        .near_rready_o (near_rready[c])
      );

      flex_axi_write_split #(
        .DataBytes (DataBytes),
        .WindowBits(WindowBits)
      ) u_out (
        .clk_i,
        .rst_ni,
        .base_i,
        .in_awaddr_i   (core_out_awaddr_i[c]),
        .in_awlen_i    (core_out_awlen_i[c]),
        .in_awvalid_i  (core_out_awvalid_i[c]),
        .in_awready_o  (core_out_awready_o[c]),
        .in_wdata_i    (core_out_wdata_i[c]),
        .in_wstrb_i    (core_out_wstrb_i[c]),
        .in_wlast_i    (core_out_wlast_i[c]),
        .in_wvalid_i   (core_out_wvalid_i[c]),
        .in_wready_o   (core_out_wready_o[c]),
        .in_bresp_o    (core_out_bresp_o[c]),
        .in_bvalid_o   (core_out_bvalid_o[c]),
        .in_bready_i   (core_out_bready_i[c]),
        .far_awaddr_o  (axi_out_awaddr_o[c]),
        .far_awlen_o   (axi_out_awlen_o[c]),
        .far_awvalid_o (axi_out_awvalid_o[c]),
        .far_awready_i (axi_out_awready_i[c]),
        .far_wdata_o   (axi_out_wdata_o[c]),
        .far_wstrb_o   (axi_out_wstrb_o[c]),
        .far_wlast_o   (axi_out_wlast_o[c]),
        .far_wvalid_o  (axi_out_wvalid_o[c]),
        .far_wready_i  (axi_out_wready_i[c]),
        .far_bresp_i   (axi_out_bresp_i[c]),
        .far_bvalid_i  (axi_out_bvalid_i[c]),
        .far_bready_o  (axi_out_bready_o[c]),
        .near_awaddr_o (near_awaddr[c]),
        .near_awlen_o  (near_awlen[c]),
        .near_awvalid_o(near_awvalid[c]),
        .near_awready_i(near_awready[c]),
        .near_wdata_o  (near_wdata[c]),
        .near_wstrb_o  (near_wstrb[c]),
        .near_wlast_o  (near_wlast[c]),
        .near_wvalid_o (near_wvalid[c]),
        .near_wready_i (near_wready[c]),
        .near_bresp_i  (near_bresp[c]),
        .near_bvalid_i (near_bvalid[c]),
        .near_bready_o (near_bready[c])
      );

      assign ram_awaddr[c] = near_awaddr[c][AddrWidth-1:0];

    end

    for (genvar r = 0; r < Readers; r++) begin : gen_reader
      assign ram_araddr[r] = near_araddr[r][AddrWidth-1:0];
    end

    if (Pages > 1) begin : gen_pages
      logic unused_pages;
      always_comb begin
        unused_pages = 1'b0;
        for (int unsigned r = 0; r < Readers; r++) begin
          unused_pages ^= ^near_araddr[r][WindowBits-1:AddrWidth];
        end
        for (int unsigned c = 0; c < Cores; c++) begin
          unused_pages ^= ^near_awaddr[c][WindowBits-1:AddrWidth];
        end
      end
    end

    if (Sums) begin : gen_sums
      for (genvar c = 0; c < Cores; c++) begin : gen_core_skip
        flex_axi_read_split #(
          .DataBytes (DataBytes),
          .WindowBits(WindowBits)
        ) u_skip (
          .clk_i,
          .rst_ni,
          .base_i,
          .in_araddr_i   (core_skip_araddr_i[c]),
          .in_arlen_i    (core_skip_arlen_i[c]),
          .in_arvalid_i  (core_skip_arvalid_i[c]),
          .in_arready_o  (core_skip_arready_o[c]),
          .in_rdata_o    (core_skip_rdata_o[c]),
          .in_rresp_o    (core_skip_rresp_o[c]),
          .in_rlast_o    (core_skip_rlast_o[c]),
          .in_rvalid_o   (core_skip_rvalid_o[c]),
          .in_rready_i   (core_skip_rready_i[c]),
          .far_araddr_o  (axi_skip_araddr_o[c]),
          .far_arlen_o   (axi_skip_arlen_o[c]),
          .far_arvalid_o (axi_skip_arvalid_o[c]),
          .far_arready_i (axi_skip_arready_i[c]),
          .far_rdata_i   (axi_skip_rdata_i[c]),
          .far_rresp_i   (axi_skip_rresp_i[c]),
          .far_rlast_i   (axi_skip_rlast_i[c]),
          .far_rvalid_i  (axi_skip_rvalid_i[c]),
          .far_rready_o  (axi_skip_rready_o[c]),
          .near_araddr_o (near_araddr[Cores+c]),
          .near_arlen_o  (near_arlen[Cores+c]),
          .near_arvalid_o(near_arvalid[Cores+c]),
          .near_arready_i(near_arready[Cores+c]),
          .near_rdata_i  (near_rdata[Cores+c]),
          .near_rresp_i  (near_rresp[Cores+c]),
          .near_rlast_i  (near_rlast[Cores+c]),
          .near_rvalid_i (near_rvalid[Cores+c]),
          .near_rready_o (near_rready[Cores+c])
        );
      end
    end

    flex_on_chip_ram #(
      .DataBytes(DataBytes),
      .Words    (Bytes / DataBytes),
      .Banks    (Banks),
      .Readers  (Readers),
      .Writers  (Cores)
    ) u_ram (
      .clk_i,
      .rst_ni,
      .axi_araddr_i (ram_araddr),
      .axi_arlen_i  (near_arlen),
      .axi_arvalid_i(near_arvalid),
      .axi_arready_o(near_arready),
      .axi_rdata_o  (near_rdata),
      .axi_rresp_o  (near_rresp),
      .axi_rlast_o  (near_rlast),
      .axi_rvalid_o (near_rvalid),
      .axi_rready_i (near_rready),
      .axi_awaddr_i (ram_awaddr),
      .axi_awlen_i  (near_awlen),
      .axi_awvalid_i(near_awvalid),
      .axi_awready_o(near_awready),
      .axi_wdata_i  (near_wdata),
      .axi_wstrb_i  (near_wstrb),
      .axi_wlast_i  (near_wlast),
      .axi_wvalid_i (near_wvalid),
      .axi_wready_o (near_wready),
      .axi_bresp_o  (near_bresp),
      .axi_bvalid_o (near_bvalid),
      .axi_bready_i (near_bready)
    );

  end

  // Second tensors without on-chip memory, or none at all.
  if (Bytes == 0 || !Sums) begin : gen_skip_wires
    assign axi_skip_araddr_o   = core_skip_araddr_i;
    assign axi_skip_arlen_o    = core_skip_arlen_i;
    assign axi_skip_arvalid_o  = core_skip_arvalid_i;
    assign core_skip_arready_o = axi_skip_arready_i;
    assign core_skip_rdata_o   = axi_skip_rdata_i;
    assign core_skip_rresp_o   = axi_skip_rresp_i;
    assign core_skip_rlast_o   = axi_skip_rlast_i;
    assign core_skip_rvalid_o  = axi_skip_rvalid_i;
    assign axi_skip_rready_o   = core_skip_rready_i;
  end

  // A core without sums reads no second tensor.
  `FLEX_ASSERT(NoSkipWithoutSums, Sums || core_skip_arvalid_i == '0)

endmodule
