// SPDX-License-Identifier: Apache-2.0
//
// The accelerator: control registers on AXI4-Lite, one core, three AXI4 masters, four with sums.
//
// Host view: docs/rtl/csr.md. Throughput and limits: docs/rtl/microarchitecture.md.

module flex_top
  import flex_pkg::*;
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
  parameter int unsigned WindowTaps     = 0,
  parameter int unsigned WindowBeats    = 512,
  parameter int unsigned WindowChannels = 1024
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  output logic                   interrupt_o,
  // Control registers
  input  logic [            7:0] s_axi_ctrl_awaddr_i,
  input  logic [            2:0] s_axi_ctrl_awprot_i,
  input  logic                   s_axi_ctrl_awvalid_i,
  output logic                   s_axi_ctrl_awready_o,
  input  logic [           31:0] s_axi_ctrl_wdata_i,
  input  logic [            3:0] s_axi_ctrl_wstrb_i,
  input  logic                   s_axi_ctrl_wvalid_i,
  output logic                   s_axi_ctrl_wready_o,
  output logic [            1:0] s_axi_ctrl_bresp_o,
  output logic                   s_axi_ctrl_bvalid_o,
  input  logic                   s_axi_ctrl_bready_i,
  input  logic [            7:0] s_axi_ctrl_araddr_i,
  input  logic [            2:0] s_axi_ctrl_arprot_i,
  input  logic                   s_axi_ctrl_arvalid_i,
  output logic                   s_axi_ctrl_arready_o,
  output logic [           31:0] s_axi_ctrl_rdata_o,
  output logic [            1:0] s_axi_ctrl_rresp_o,
  output logic                   s_axi_ctrl_rvalid_o,
  input  logic                   s_axi_ctrl_rready_i,
  // Activation reads
  output logic [           63:0] m_axi_act_araddr_o,
  output logic [            7:0] m_axi_act_arlen_o,
  output logic [            2:0] m_axi_act_arsize_o,
  output logic [            1:0] m_axi_act_arburst_o,
  output logic                   m_axi_act_arvalid_o,
  input  logic                   m_axi_act_arready_i,
  input  logic [DataBytes*8-1:0] m_axi_act_rdata_i,
  input  logic [            1:0] m_axi_act_rresp_i,
  input  logic                   m_axi_act_rlast_i,
  input  logic                   m_axi_act_rvalid_i,
  output logic                   m_axi_act_rready_o,
  // Reads of second tensors: silent without Sums
  output logic [           63:0] m_axi_skip_araddr_o,
  output logic [            7:0] m_axi_skip_arlen_o,
  output logic [            2:0] m_axi_skip_arsize_o,
  output logic [            1:0] m_axi_skip_arburst_o,
  output logic                   m_axi_skip_arvalid_o,
  input  logic                   m_axi_skip_arready_i,
  input  logic [DataBytes*8-1:0] m_axi_skip_rdata_i,
  input  logic [            1:0] m_axi_skip_rresp_i,
  input  logic                   m_axi_skip_rlast_i,
  input  logic                   m_axi_skip_rvalid_i,
  output logic                   m_axi_skip_rready_o,
  // Program (ID 0) and weight (ID 1) reads
  output logic                   m_axi_wgt_arid_o,
  output logic [           63:0] m_axi_wgt_araddr_o,
  output logic [            7:0] m_axi_wgt_arlen_o,
  output logic [            2:0] m_axi_wgt_arsize_o,
  output logic [            1:0] m_axi_wgt_arburst_o,
  output logic                   m_axi_wgt_arvalid_o,
  input  logic                   m_axi_wgt_arready_i,
  input  logic                   m_axi_wgt_rid_i,
  input  logic [DataBytes*8-1:0] m_axi_wgt_rdata_i,
  input  logic [            1:0] m_axi_wgt_rresp_i,
  input  logic                   m_axi_wgt_rlast_i,
  input  logic                   m_axi_wgt_rvalid_i,
  output logic                   m_axi_wgt_rready_o,
  // Writes
  output logic [           63:0] m_axi_out_awaddr_o,
  output logic [            7:0] m_axi_out_awlen_o,
  output logic [            2:0] m_axi_out_awsize_o,
  output logic [            1:0] m_axi_out_awburst_o,
  output logic                   m_axi_out_awvalid_o,
  input  logic                   m_axi_out_awready_i,
  output logic [DataBytes*8-1:0] m_axi_out_wdata_o,
  output logic [  DataBytes-1:0] m_axi_out_wstrb_o,
  output logic                   m_axi_out_wlast_o,
  output logic                   m_axi_out_wvalid_o,
  input  logic                   m_axi_out_wready_i,
  input  logic [            1:0] m_axi_out_bresp_i,
  input  logic                   m_axi_out_bvalid_i,
  output logic                   m_axi_out_bready_o
);

  // Every burst is incrementing and of full-width beats.
  localparam logic [2:0] Size = 3'($clog2(DataBytes));
  localparam logic [1:0] BurstIncr = 2'b01;

  assign m_axi_act_arsize_o   = Size;
  assign m_axi_skip_arsize_o  = Size;
  assign m_axi_wgt_arsize_o   = Size;
  assign m_axi_out_awsize_o   = Size;
  assign m_axi_act_arburst_o  = BurstIncr;
  assign m_axi_skip_arburst_o = BurstIncr;
  assign m_axi_wgt_arburst_o  = BurstIncr;
  assign m_axi_out_awburst_o  = BurstIncr;

  logic start, done;
  logic [63:0] base;
  logic [OffsetWidth-1:0] program_addr;
  logic [BeatsWidth-1:0] program_beats;
  logic [3:0] error, engine_busy, engine_starved, engine_blocked;
  logic [31:0] tiles_done;

  flex_csr #(
    .M     (M),
    .P     (P),
    .N     (N),
    .Packed(Packed)
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
    .WindowTaps    (WindowTaps),
    .WindowBeats   (WindowBeats),
    .WindowChannels(WindowChannels)
  ) u_core (
    .clk_i,
    .rst_ni,
    .start_i         (start),
    .base_i          (base),
    .program_addr_i  (program_addr),
    .program_beats_i (program_beats),
    .done_o          (done),
    .error_o         (error),
    .tiles_done_o    (tiles_done),
    .engine_busy_o   (engine_busy),
    .engine_starved_o(engine_starved),
    .engine_blocked_o(engine_blocked),
    .m_axi_act_araddr_o,
    .m_axi_act_arlen_o,
    .m_axi_act_arvalid_o,
    .m_axi_act_arready_i,
    .m_axi_act_rdata_i,
    .m_axi_act_rresp_i,
    .m_axi_act_rlast_i,
    .m_axi_act_rvalid_i,
    .m_axi_act_rready_o,
    .m_axi_skip_araddr_o,
    .m_axi_skip_arlen_o,
    .m_axi_skip_arvalid_o,
    .m_axi_skip_arready_i,
    .m_axi_skip_rdata_i,
    .m_axi_skip_rresp_i,
    .m_axi_skip_rlast_i,
    .m_axi_skip_rvalid_i,
    .m_axi_skip_rready_o,
    .m_axi_wgt_arid_o,
    .m_axi_wgt_araddr_o,
    .m_axi_wgt_arlen_o,
    .m_axi_wgt_arvalid_o,
    .m_axi_wgt_arready_i,
    .m_axi_wgt_rid_i,
    .m_axi_wgt_rdata_i,
    .m_axi_wgt_rresp_i,
    .m_axi_wgt_rlast_i,
    .m_axi_wgt_rvalid_i,
    .m_axi_wgt_rready_o,
    .m_axi_out_awaddr_o,
    .m_axi_out_awlen_o,
    .m_axi_out_awvalid_o,
    .m_axi_out_awready_i,
    .m_axi_out_wdata_o,
    .m_axi_out_wstrb_o,
    .m_axi_out_wlast_o,
    .m_axi_out_wvalid_o,
    .m_axi_out_wready_i,
    .m_axi_out_bresp_i,
    .m_axi_out_bvalid_i,
    .m_axi_out_bready_o
  );

endmodule
