// SPDX-License-Identifier: Apache-2.0
//
// The accelerator: control registers on AXI4-Lite, 1..MaxCores cores, each with three AXI4 masters, four with sums.
//
// Each core runs a program of its own; the programs follow each other in memory, all of the same length. A run ends when
// every core is done; an error that ends one of them ends all.
//
// Host view: docs/rtl/csr.md. Throughput and limits: docs/rtl/microarchitecture.md.

`include "flex_assert.svh"

module flex_top
  import flex_pkg::*;
  import flex_program_pkg::*;
#(
  // See flex_core for the meaning and the rules of each parameter.
  parameter int unsigned M              = 8,
  parameter int unsigned P              = 8,
  parameter int unsigned N              = 8,
  parameter int unsigned Q              = 2,
  parameter bit          Packed         = 1'b1,
  parameter int unsigned AccWidth       = 32,
  parameter int unsigned DataBytes      = 64,
  parameter int unsigned ActWords       = 1024,
  parameter int unsigned WeightWords    = 512,
  parameter int unsigned ParamPasses    = 8,
  parameter int unsigned OutWords       = 512,
  parameter int unsigned ListEntries    = 512,
  parameter bit          Slopes         = 1'b0,
  parameter bit          Tables         = 1'b0,
  parameter bit          Sums           = 1'b0,
  parameter bit          Wide           = 1'b0,
  // Sums may be requantised with two slopes; needs Sums and Slopes.
  parameter bit          Bends          = 1'b0,
  parameter int unsigned WindowTaps     = 0,
  parameter int unsigned WindowBeats    = 512,
  parameter int unsigned WindowChannels = 1024,
  parameter bit          SplitProducts  = 1'b0,
  // Cores that share memory and each other's progress.
  parameter int unsigned Cores          = 1,
  // See flex_on_chip: RAM for tensors, and how often it appears in the addresses; 0 for none.
  parameter int unsigned OnChipBytes    = 0,
  parameter int unsigned OnChipPages    = 1
) (
  input  logic                              clk_i,
  input  logic                              rst_ni,
  output logic                              interrupt_o,
  // Control registers
  input  logic [      7:0]                  s_axi_ctrl_awaddr_i,
  input  logic [      2:0]                  s_axi_ctrl_awprot_i,
  input  logic                              s_axi_ctrl_awvalid_i,
  output logic                              s_axi_ctrl_awready_o,
  input  logic [     31:0]                  s_axi_ctrl_wdata_i,
  input  logic [      3:0]                  s_axi_ctrl_wstrb_i,
  input  logic                              s_axi_ctrl_wvalid_i,
  output logic                              s_axi_ctrl_wready_o,
  output logic [      1:0]                  s_axi_ctrl_bresp_o,
  output logic                              s_axi_ctrl_bvalid_o,
  input  logic                              s_axi_ctrl_bready_i,
  input  logic [      7:0]                  s_axi_ctrl_araddr_i,
  input  logic [      2:0]                  s_axi_ctrl_arprot_i,
  input  logic                              s_axi_ctrl_arvalid_i,
  output logic                              s_axi_ctrl_arready_o,
  output logic [     31:0]                  s_axi_ctrl_rdata_o,
  output logic [      1:0]                  s_axi_ctrl_rresp_o,
  output logic                              s_axi_ctrl_rvalid_o,
  input  logic                              s_axi_ctrl_rready_i,
  // Activation reads
  output logic [Cores-1:0][           63:0] m_axi_act_araddr_o,
  output logic [Cores-1:0][            7:0] m_axi_act_arlen_o,
  output logic [Cores-1:0][            2:0] m_axi_act_arsize_o,
  output logic [Cores-1:0][            1:0] m_axi_act_arburst_o,
  output logic [Cores-1:0]                  m_axi_act_arvalid_o,
  input  logic [Cores-1:0]                  m_axi_act_arready_i,
  input  logic [Cores-1:0][DataBytes*8-1:0] m_axi_act_rdata_i,
  input  logic [Cores-1:0][            1:0] m_axi_act_rresp_i,
  input  logic [Cores-1:0]                  m_axi_act_rlast_i,
  input  logic [Cores-1:0]                  m_axi_act_rvalid_i,
  output logic [Cores-1:0]                  m_axi_act_rready_o,
  // Reads of second tensors: silent without Sums
  output logic [Cores-1:0][           63:0] m_axi_skip_araddr_o,
  output logic [Cores-1:0][            7:0] m_axi_skip_arlen_o,
  output logic [Cores-1:0][            2:0] m_axi_skip_arsize_o,
  output logic [Cores-1:0][            1:0] m_axi_skip_arburst_o,
  output logic [Cores-1:0]                  m_axi_skip_arvalid_o,
  input  logic [Cores-1:0]                  m_axi_skip_arready_i,
  input  logic [Cores-1:0][DataBytes*8-1:0] m_axi_skip_rdata_i,
  input  logic [Cores-1:0][            1:0] m_axi_skip_rresp_i,
  input  logic [Cores-1:0]                  m_axi_skip_rlast_i,
  input  logic [Cores-1:0]                  m_axi_skip_rvalid_i,
  output logic [Cores-1:0]                  m_axi_skip_rready_o,
  // Program (ID 0) and weight (ID 1) reads
  output logic [Cores-1:0]                  m_axi_wgt_arid_o,
  output logic [Cores-1:0][           63:0] m_axi_wgt_araddr_o,
  output logic [Cores-1:0][            7:0] m_axi_wgt_arlen_o,
  output logic [Cores-1:0][            2:0] m_axi_wgt_arsize_o,
  output logic [Cores-1:0][            1:0] m_axi_wgt_arburst_o,
  output logic [Cores-1:0]                  m_axi_wgt_arvalid_o,
  input  logic [Cores-1:0]                  m_axi_wgt_arready_i,
  input  logic [Cores-1:0]                  m_axi_wgt_rid_i,
  input  logic [Cores-1:0][DataBytes*8-1:0] m_axi_wgt_rdata_i,
  input  logic [Cores-1:0][            1:0] m_axi_wgt_rresp_i,
  input  logic [Cores-1:0]                  m_axi_wgt_rlast_i,
  input  logic [Cores-1:0]                  m_axi_wgt_rvalid_i,
  output logic [Cores-1:0]                  m_axi_wgt_rready_o,
  // Writes
  output logic [Cores-1:0][           63:0] m_axi_out_awaddr_o,
  output logic [Cores-1:0][            7:0] m_axi_out_awlen_o,
  output logic [Cores-1:0][            2:0] m_axi_out_awsize_o,
  output logic [Cores-1:0][            1:0] m_axi_out_awburst_o,
  output logic [Cores-1:0]                  m_axi_out_awvalid_o,
  input  logic [Cores-1:0]                  m_axi_out_awready_i,
  output logic [Cores-1:0][DataBytes*8-1:0] m_axi_out_wdata_o,
  output logic [Cores-1:0][  DataBytes-1:0] m_axi_out_wstrb_o,
  output logic [Cores-1:0]                  m_axi_out_wlast_o,
  output logic [Cores-1:0]                  m_axi_out_wvalid_o,
  input  logic [Cores-1:0]                  m_axi_out_wready_i,
  input  logic [Cores-1:0][            1:0] m_axi_out_bresp_i,
  input  logic [Cores-1:0]                  m_axi_out_bvalid_i,
  output logic [Cores-1:0]                  m_axi_out_bready_o
);

  // Every burst is incrementing and of full-width beats.
  localparam logic [2:0] Size = 3'($clog2(DataBytes));
  localparam logic [1:0] BurstIncr = 2'b01;

  assign m_axi_act_arsize_o   = {Cores{Size}};
  assign m_axi_skip_arsize_o  = {Cores{Size}};
  assign m_axi_wgt_arsize_o   = {Cores{Size}};
  assign m_axi_out_awsize_o   = {Cores{Size}};
  assign m_axi_act_arburst_o  = {Cores{BurstIncr}};
  assign m_axi_skip_arburst_o = {Cores{BurstIncr}};
  assign m_axi_wgt_arburst_o  = {Cores{BurstIncr}};
  assign m_axi_out_awburst_o  = {Cores{BurstIncr}};

  `FLEX_ASSERT_INIT(CoresInRange, Cores >= 1 && Cores <= MaxCores)

  logic start, done;
  logic [63:0] base;
  logic [OffsetWidth-1:0] program_addr;
  logic [BeatsWidth-1:0] program_beats;
  logic [3:0] error;
  logic [31:0] tiles_done;

  // What each core tells.
  logic [Cores-1:0] core_done, core_lost;
  logic [Cores-1:0][3:0] core_error, engine_busy, engine_starved, engine_blocked;
  logic [Cores-1:0][31:0] core_tiles;
  logic [Cores-1:0][15:0] cores_done;
  logic start_q, abort_q;

  // An error of any core is the run's; tiles are counted together.
  always_comb begin
    error = '0;
    for (int unsigned c = 0; c < Cores; c++) error |= core_error[c];
  end

  logic [31:0] tiles_sum;

  always_comb begin
    tiles_sum = '0;
    for (int unsigned c = 0; c < Cores; c++) tiles_sum += core_tiles[c];
  end

  always_ff @(posedge clk_i) tiles_done <= tiles_sum;

  // A core that has lost its way would let the others wait for ever. What an earlier run has left is
  // gone in the second cycle after a start.
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      start_q <= 1'b0;
      abort_q <= 1'b0;
    end else begin
      start_q <= start;
      abort_q <= |core_lost && !start && !start_q;
    end
  end

  assign done = &core_done;

  // The cores' masters of tensors, in front of on-chip memory if there is some.
  logic [Cores-1:0][63:0] core_act_araddr;
  logic [Cores-1:0][7:0] core_act_arlen;
  logic [Cores-1:0][DataBytes*8-1:0] core_act_rdata;
  logic [Cores-1:0][1:0] core_act_rresp;
  logic [Cores-1:0]
      core_act_arvalid, core_act_arready, core_act_rlast, core_act_rvalid, core_act_rready;
  logic [Cores-1:0][63:0] core_skip_araddr;
  logic [Cores-1:0][7:0] core_skip_arlen;
  logic [Cores-1:0][DataBytes*8-1:0] core_skip_rdata;
  logic [Cores-1:0][1:0] core_skip_rresp;
  logic [Cores-1:0]
      core_skip_arvalid, core_skip_arready, core_skip_rlast, core_skip_rvalid, core_skip_rready;
  logic [Cores-1:0][63:0] core_out_awaddr;
  logic [Cores-1:0][7:0] core_out_awlen;
  logic [Cores-1:0][DataBytes*8-1:0] core_out_wdata;
  logic [Cores-1:0][DataBytes-1:0] core_out_wstrb;
  logic [Cores-1:0][1:0] core_out_bresp;
  logic [Cores-1:0]
      core_out_awvalid,
      core_out_awready,
      core_out_wlast,
      core_out_wvalid,
      core_out_wready,
      core_out_bvalid,
      core_out_bready;

  flex_csr #(
    .M     (M),
    .P     (P),
    .N     (N),
    .Packed(Packed),
    .Cores (Cores)
  ) u_csr (
    .clk_i,
    .rst_ni,
    .s_axi_ctrl_awaddr_i,
    .s_axi_ctrl_awprot_i,
    .s_axi_ctrl_awvalid_i,
    .s_axi_ctrl_awready_o,
    .s_axi_ctrl_wdata_i,
    .s_axi_ctrl_wstrb_i,
    .s_axi_ctrl_wvalid_i,
    .s_axi_ctrl_wready_o,
    .s_axi_ctrl_bresp_o,
    .s_axi_ctrl_bvalid_o,
    .s_axi_ctrl_bready_i,
    .s_axi_ctrl_araddr_i,
    .s_axi_ctrl_arprot_i,
    .s_axi_ctrl_arvalid_i,
    .s_axi_ctrl_arready_o,
    .s_axi_ctrl_rdata_o,
    .s_axi_ctrl_rresp_o,
    .s_axi_ctrl_rvalid_o,
    .s_axi_ctrl_rready_i,
    .start_o         (start),
    .base_o          (base),
    .program_addr_o  (program_addr),
    .program_beats_o (program_beats),
    .interrupt_o,
    .done_i          (done),
    .error_i         (error),
    .tiles_done_i    (tiles_done),
    .engine_busy_i   (engine_busy),
    .engine_starved_i(engine_starved),
    .engine_blocked_i(engine_blocked)
  );

  for (genvar c = 0; c < Cores; c++) begin : gen_core

    // Where the core's program begins, known long before a start.
    logic [OffsetWidth-1:0] core_addr_q;

    always_ff @(posedge clk_i) begin
      core_addr_q <= program_addr +
          OffsetWidth'((OffsetWidth'(program_beats) * OffsetWidth'(c)) << $clog2(DataBytes));
    end

    assign cores_done[c] = core_tiles[c][15:0];

    flex_core #(
      .M             (M),
      .P             (P),
      .N             (N),
      .Q             (Q),
      .Packed        (Packed),
      .AccWidth      (AccWidth),
      .DataBytes     (DataBytes),
      .ActWords      (ActWords),
      .WeightWords   (WeightWords),
      .ParamPasses   (ParamPasses),
      .OutWords      (OutWords),
      .ListEntries   (ListEntries),
      .Slopes        (Slopes),
      .Tables        (Tables),
      .Sums          (Sums),
      .Wide          (Wide),
      .Bends         (Bends),
      .WindowTaps    (WindowTaps),
      .WindowBeats   (WindowBeats),
      .WindowChannels(WindowChannels),
      .SplitProducts (SplitProducts),
      .Cores         (Cores)
    ) u_core (
      .clk_i,
      .rst_ni,
      .start_i             (start),
      .abort_i             (abort_q),
      .cores_done_i        (cores_done),
      .lost_o              (core_lost[c]),
      .base_i              (base),
      .program_addr_i      (core_addr_q),
      .program_beats_i     (program_beats),
      .done_o              (core_done[c]),
      .error_o             (core_error[c]),
      .tiles_done_o        (core_tiles[c]),
      .engine_busy_o       (engine_busy[c]),
      .engine_starved_o    (engine_starved[c]),
      .engine_blocked_o    (engine_blocked[c]),
      .m_axi_act_araddr_o  (core_act_araddr[c]),
      .m_axi_act_arlen_o   (core_act_arlen[c]),
      .m_axi_act_arvalid_o (core_act_arvalid[c]),
      .m_axi_act_arready_i (core_act_arready[c]),
      .m_axi_act_rdata_i   (core_act_rdata[c]),
      .m_axi_act_rresp_i   (core_act_rresp[c]),
      .m_axi_act_rlast_i   (core_act_rlast[c]),
      .m_axi_act_rvalid_i  (core_act_rvalid[c]),
      .m_axi_act_rready_o  (core_act_rready[c]),
      .m_axi_skip_araddr_o (core_skip_araddr[c]),
      .m_axi_skip_arlen_o  (core_skip_arlen[c]),
      .m_axi_skip_arvalid_o(core_skip_arvalid[c]),
      .m_axi_skip_arready_i(core_skip_arready[c]),
      .m_axi_skip_rdata_i  (core_skip_rdata[c]),
      .m_axi_skip_rresp_i  (core_skip_rresp[c]),
      .m_axi_skip_rlast_i  (core_skip_rlast[c]),
      .m_axi_skip_rvalid_i (core_skip_rvalid[c]),
      .m_axi_skip_rready_o (core_skip_rready[c]),
      .m_axi_wgt_arid_o    (m_axi_wgt_arid_o[c]),
      .m_axi_wgt_araddr_o  (m_axi_wgt_araddr_o[c]),
      .m_axi_wgt_arlen_o   (m_axi_wgt_arlen_o[c]),
      .m_axi_wgt_arvalid_o (m_axi_wgt_arvalid_o[c]),
      .m_axi_wgt_arready_i (m_axi_wgt_arready_i[c]),
      .m_axi_wgt_rid_i     (m_axi_wgt_rid_i[c]),
      .m_axi_wgt_rdata_i   (m_axi_wgt_rdata_i[c]),
      .m_axi_wgt_rresp_i   (m_axi_wgt_rresp_i[c]),
      .m_axi_wgt_rlast_i   (m_axi_wgt_rlast_i[c]),
      .m_axi_wgt_rvalid_i  (m_axi_wgt_rvalid_i[c]),
      .m_axi_wgt_rready_o  (m_axi_wgt_rready_o[c]),
      .m_axi_out_awaddr_o  (core_out_awaddr[c]),
      .m_axi_out_awlen_o   (core_out_awlen[c]),
      .m_axi_out_awvalid_o (core_out_awvalid[c]),
      .m_axi_out_awready_i (core_out_awready[c]),
      .m_axi_out_wdata_o   (core_out_wdata[c]),
      .m_axi_out_wstrb_o   (core_out_wstrb[c]),
      .m_axi_out_wlast_o   (core_out_wlast[c]),
      .m_axi_out_wvalid_o  (core_out_wvalid[c]),
      .m_axi_out_wready_i  (core_out_wready[c]),
      .m_axi_out_bresp_i   (core_out_bresp[c]),
      .m_axi_out_bvalid_i  (core_out_bvalid[c]),
      .m_axi_out_bready_o  (core_out_bready[c])
    );

  end

  flex_on_chip #(
    .DataBytes(DataBytes),
    .Cores    (Cores),
    .Sums     (Sums),
    .Bytes    (OnChipBytes),
    .Pages    (OnChipPages)
  ) u_on_chip (
    .clk_i,
    .rst_ni,
    .base_i             (base),
    .core_act_araddr_i  (core_act_araddr),
    .core_act_arlen_i   (core_act_arlen),
    .core_act_arvalid_i (core_act_arvalid),
    .core_act_arready_o (core_act_arready),
    .core_act_rdata_o   (core_act_rdata),
    .core_act_rresp_o   (core_act_rresp),
    .core_act_rlast_o   (core_act_rlast),
    .core_act_rvalid_o  (core_act_rvalid),
    .core_act_rready_i  (core_act_rready),
    .core_skip_araddr_i (core_skip_araddr),
    .core_skip_arlen_i  (core_skip_arlen),
    .core_skip_arvalid_i(core_skip_arvalid),
    .core_skip_arready_o(core_skip_arready),
    .core_skip_rdata_o  (core_skip_rdata),
    .core_skip_rresp_o  (core_skip_rresp),
    .core_skip_rlast_o  (core_skip_rlast),
    .core_skip_rvalid_o (core_skip_rvalid),
    .core_skip_rready_i (core_skip_rready),
    .core_out_awaddr_i  (core_out_awaddr),
    .core_out_awlen_i   (core_out_awlen),
    .core_out_awvalid_i (core_out_awvalid),
    .core_out_awready_o (core_out_awready),
    .core_out_wdata_i   (core_out_wdata),
    .core_out_wstrb_i   (core_out_wstrb),
    .core_out_wlast_i   (core_out_wlast),
    .core_out_wvalid_i  (core_out_wvalid),
    .core_out_wready_o  (core_out_wready),
    .core_out_bresp_o   (core_out_bresp),
    .core_out_bvalid_o  (core_out_bvalid),
    .core_out_bready_i  (core_out_bready),
    .axi_act_araddr_o   (m_axi_act_araddr_o),
    .axi_act_arlen_o    (m_axi_act_arlen_o),
    .axi_act_arvalid_o  (m_axi_act_arvalid_o),
    .axi_act_arready_i  (m_axi_act_arready_i),
    .axi_act_rdata_i    (m_axi_act_rdata_i),
    .axi_act_rresp_i    (m_axi_act_rresp_i),
    .axi_act_rlast_i    (m_axi_act_rlast_i),
    .axi_act_rvalid_i   (m_axi_act_rvalid_i),
    .axi_act_rready_o   (m_axi_act_rready_o),
    .axi_skip_araddr_o  (m_axi_skip_araddr_o),
    .axi_skip_arlen_o   (m_axi_skip_arlen_o),
    .axi_skip_arvalid_o (m_axi_skip_arvalid_o),
    .axi_skip_arready_i (m_axi_skip_arready_i),
    .axi_skip_rdata_i   (m_axi_skip_rdata_i),
    .axi_skip_rresp_i   (m_axi_skip_rresp_i),
    .axi_skip_rlast_i   (m_axi_skip_rlast_i),
    .axi_skip_rvalid_i  (m_axi_skip_rvalid_i),
    .axi_skip_rready_o  (m_axi_skip_rready_o),
    .axi_out_awaddr_o   (m_axi_out_awaddr_o),
    .axi_out_awlen_o    (m_axi_out_awlen_o),
    .axi_out_awvalid_o  (m_axi_out_awvalid_o),
    .axi_out_awready_i  (m_axi_out_awready_i),
    .axi_out_wdata_o    (m_axi_out_wdata_o),
    .axi_out_wstrb_o    (m_axi_out_wstrb_o),
    .axi_out_wlast_o    (m_axi_out_wlast_o),
    .axi_out_wvalid_o   (m_axi_out_wvalid_o),
    .axi_out_wready_i   (m_axi_out_wready_i),
    .axi_out_bresp_i    (m_axi_out_bresp_i),
    .axi_out_bvalid_i   (m_axi_out_bvalid_i),
    .axi_out_bready_o   (m_axi_out_bready_o)
  );

endmodule
