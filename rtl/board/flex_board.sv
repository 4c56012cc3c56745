// SPDX-License-Identifier: Apache-2.0
//
// The accelerator with its memory and a serial line to a host: all of a board that is not particular to its FPGA.
//
// One core. Memory begins at address 0; the host and the core share it. Registers are those of flex_top.

`include "flex_assert.svh"

module flex_board
  import flex_link_pkg::*;
#(
  // See flex_core for the meaning and the rules of each parameter.
  parameter int unsigned M              = 8,
  parameter int unsigned P              = 4,
  parameter int unsigned N              = 4,
  parameter int unsigned Q              = 1,
  parameter bit          Packed         = 1'b0,
  parameter int unsigned AccWidth       = 32,
  parameter int unsigned DataBytes      = 8,
  parameter int unsigned ActWords       = 64,
  parameter int unsigned WeightWords    = 256,
  parameter int unsigned ParamPasses    = 4,
  parameter int unsigned OutWords       = 64,
  parameter int unsigned ListEntries    = 32,
  parameter bit          Slopes         = 1'b0,
  parameter bit          Tables         = 1'b0,
  parameter bit          Sums           = 1'b0,
  parameter bit          Wide           = 1'b0,
  parameter bit          Bends          = 1'b0,
  parameter int unsigned WindowTaps     = 0,
  parameter int unsigned WindowBeats    = 16,
  parameter int unsigned WindowChannels = 4,
  parameter bit          SplitProducts  = 1'b0,
  // Bytes of memory.
  parameter int unsigned MemoryBytes    = 65536,
  // Clock cycles of a bit on the line.
  parameter int unsigned ClocksPerBit   = 20,
  // Cycles between two bytes after which a frame is given up.
  parameter int unsigned GapCycles      = 65536
) (
  input  logic       clk_i,
  input  logic       rst_ni,
  // Serial line, asynchronous
  input  logic       rx_i,
  output logic       tx_o,
  // Lights: a run is over; toggles with every request
  output logic [1:0] light_o
);

  `FLEX_ASSERT_INIT(BeatIsTheLinks, DataBytes == BeatBytes)
  `FLEX_ASSERT_INIT(WholeBeats, MemoryBytes % DataBytes == 0)

  // Masters that read; the core's third port is two, by its ID.
  localparam int unsigned Act = 0, Program = 1, Weights = 2, Skip = 3, Host = 4, Readers = 5;
  localparam int unsigned IdWidth = $clog2(Readers);

  logic interrupt, active, light_q;

  assign light_o = {light_q, interrupt};

  always_ff @(posedge clk_i) begin
    if (!rst_ni) light_q <= 1'b0;
    else if (active) light_q <= !light_q;
  end

  //////////
  // Host //
  //////////

  logic [7:0] reg_awaddr, reg_araddr;
  logic [31:0] reg_wdata, reg_rdata;
  logic [1:0] reg_bresp, reg_rresp;
  logic reg_awvalid, reg_awready, reg_wvalid, reg_wready, reg_bvalid, reg_bready;
  logic reg_arvalid, reg_arready, reg_rvalid, reg_rready;

  // Reads of all masters; the data are common.
  logic [Readers-1:0][63:0] araddr;
  logic [Readers-1:0][ 7:0] arlen;
  logic [Readers-1:0] arvalid, arready, rvalid, rready;
  logic [DataBytes*8-1:0] rdata;
  logic [1:0] rresp;
  logic rlast;

  // Writes: core, host.
  logic [1:0][63:0] awaddr;
  logic [1:0][7:0] awlen;
  logic [1:0][DataBytes*8-1:0] wdata;
  logic [1:0][DataBytes-1:0] wstrb;
  logic [1:0] awvalid, awready, wlast, wvalid, wready, bvalid, bready;
  logic [1:0] bresp;

  flex_link #(
    .ClocksPerBit(ClocksPerBit),
    .GapCycles   (GapCycles),
    .MemoryBytes (MemoryBytes)
  ) u_link (
    .clk_i,
    .rst_ni,
    .rx_i,
    .tx_o,
    .active_o     (active),
    .reg_awaddr_o (reg_awaddr),
    .reg_awvalid_o(reg_awvalid),
    .reg_awready_i(reg_awready),
    .reg_wdata_o  (reg_wdata),
    .reg_wvalid_o (reg_wvalid),
    .reg_wready_i (reg_wready),
    .reg_bresp_i  (reg_bresp),
    .reg_bvalid_i (reg_bvalid),
    .reg_bready_o (reg_bready),
    .reg_araddr_o (reg_araddr),
    .reg_arvalid_o(reg_arvalid),
    .reg_arready_i(reg_arready),
    .reg_rdata_i  (reg_rdata),
    .reg_rresp_i  (reg_rresp),
    .reg_rvalid_i (reg_rvalid),
    .reg_rready_o (reg_rready),
    .mem_araddr_o (araddr[Host]),
    .mem_arlen_o  (arlen[Host]),
    .mem_arvalid_o(arvalid[Host]),
    .mem_arready_i(arready[Host]),
    .mem_rdata_i  (rdata),
    .mem_rresp_i  (rresp),
    .mem_rlast_i  (rlast),
    .mem_rvalid_i (rvalid[Host]),
    .mem_rready_o (rready[Host]),
    .mem_awaddr_o (awaddr[1]),
    .mem_awlen_o  (awlen[1]),
    .mem_awvalid_o(awvalid[1]),
    .mem_awready_i(awready[1]),
    .mem_wdata_o  (wdata[1]),
    .mem_wstrb_o  (wstrb[1]),
    .mem_wlast_o  (wlast[1]),
    .mem_wvalid_o (wvalid[1]),
    .mem_wready_i (wready[1]),
    .mem_bresp_i  (bresp),
    .mem_bvalid_i (bvalid[1]),
    .mem_bready_o (bready[1])
  );

  /////////////////
  // Accelerator //
  /////////////////

  logic [63:0] wgt_araddr;
  logic [ 7:0] wgt_arlen;
  logic wgt_arid, wgt_arvalid, wgt_rready;

  // All bursts are incrementing and of full-width beats.
  logic [3:0][2:0] size;
  logic [3:0][1:0] burst;
  logic unused_constants;

  assign unused_constants = ^{size, burst};

  flex_top #(
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
    .Cores         (1)
  ) u_top (
    .clk_i,
    .rst_ni,
    .interrupt_o         (interrupt),
    .s_axi_ctrl_awaddr_i (reg_awaddr),
    .s_axi_ctrl_awprot_i ('0),
    .s_axi_ctrl_awvalid_i(reg_awvalid),
    .s_axi_ctrl_awready_o(reg_awready),
    .s_axi_ctrl_wdata_i  (reg_wdata),
    .s_axi_ctrl_wstrb_i  ('1),
    .s_axi_ctrl_wvalid_i (reg_wvalid),
    .s_axi_ctrl_wready_o (reg_wready),
    .s_axi_ctrl_bresp_o  (reg_bresp),
    .s_axi_ctrl_bvalid_o (reg_bvalid),
    .s_axi_ctrl_bready_i (reg_bready),
    .s_axi_ctrl_araddr_i (reg_araddr),
    .s_axi_ctrl_arprot_i ('0),
    .s_axi_ctrl_arvalid_i(reg_arvalid),
    .s_axi_ctrl_arready_o(reg_arready),
    .s_axi_ctrl_rdata_o  (reg_rdata),
    .s_axi_ctrl_rresp_o  (reg_rresp),
    .s_axi_ctrl_rvalid_o (reg_rvalid),
    .s_axi_ctrl_rready_i (reg_rready),
    .m_axi_act_araddr_o  (araddr[Act]),
    .m_axi_act_arlen_o   (arlen[Act]),
    .m_axi_act_arsize_o  (size[0]),
    .m_axi_act_arburst_o (burst[0]),
    .m_axi_act_arvalid_o (arvalid[Act]),
    .m_axi_act_arready_i (arready[Act]),
    .m_axi_act_rdata_i   (rdata),
    .m_axi_act_rresp_i   (rresp),
    .m_axi_act_rlast_i   (rlast),
    .m_axi_act_rvalid_i  (rvalid[Act]),
    .m_axi_act_rready_o  (rready[Act]),
    .m_axi_skip_araddr_o (araddr[Skip]),
    .m_axi_skip_arlen_o  (arlen[Skip]),
    .m_axi_skip_arsize_o (size[1]),
    .m_axi_skip_arburst_o(burst[1]),
    .m_axi_skip_arvalid_o(arvalid[Skip]),
    .m_axi_skip_arready_i(arready[Skip]),
    .m_axi_skip_rdata_i  (rdata),
    .m_axi_skip_rresp_i  (rresp),
    .m_axi_skip_rlast_i  (rlast),
    .m_axi_skip_rvalid_i (rvalid[Skip]),
    .m_axi_skip_rready_o (rready[Skip]),
    .m_axi_wgt_arid_o    (wgt_arid),
    .m_axi_wgt_araddr_o  (wgt_araddr),
    .m_axi_wgt_arlen_o   (wgt_arlen),
    .m_axi_wgt_arsize_o  (size[2]),
    .m_axi_wgt_arburst_o (burst[2]),
    .m_axi_wgt_arvalid_o (wgt_arvalid),
    .m_axi_wgt_arready_i (wgt_arid ? arready[Weights] : arready[Program]),
    .m_axi_wgt_rid_i     (rvalid[Weights]),
    .m_axi_wgt_rdata_i   (rdata),
    .m_axi_wgt_rresp_i   (rresp),
    .m_axi_wgt_rlast_i   (rlast),
    .m_axi_wgt_rvalid_i  (rvalid[Weights] || rvalid[Program]),
    .m_axi_wgt_rready_o  (wgt_rready),
    .m_axi_out_awaddr_o  (awaddr[0]),
    .m_axi_out_awlen_o   (awlen[0]),
    .m_axi_out_awsize_o  (size[3]),
    .m_axi_out_awburst_o (burst[3]),
    .m_axi_out_awvalid_o (awvalid[0]),
    .m_axi_out_awready_i (awready[0]),
    .m_axi_out_wdata_o   (wdata[0]),
    .m_axi_out_wstrb_o   (wstrb[0]),
    .m_axi_out_wlast_o   (wlast[0]),
    .m_axi_out_wvalid_o  (wvalid[0]),
    .m_axi_out_wready_i  (wready[0]),
    .m_axi_out_bresp_i   (bresp),
    .m_axi_out_bvalid_i  (bvalid[0]),
    .m_axi_out_bready_o  (bready[0])
  );

  assign araddr[Program]  = wgt_araddr;
  assign araddr[Weights]  = wgt_araddr;
  assign arlen[Program]   = wgt_arlen;
  assign arlen[Weights]   = wgt_arlen;
  assign arvalid[Program] = wgt_arvalid && !wgt_arid;
  assign arvalid[Weights] = wgt_arvalid && wgt_arid;
  assign rready[Program]  = wgt_rready;
  assign rready[Weights]  = wgt_rready;

  ////////////
  // Memory //
  ////////////

  logic [IdWidth-1:0] mem_arid, mem_rid;
  logic [63:0] mem_araddr, mem_awaddr;
  logic [7:0] mem_arlen, mem_awlen;
  logic [DataBytes*8-1:0] mem_rdata, mem_wdata;
  logic [DataBytes-1:0] mem_wstrb;
  logic [1:0] mem_rresp, mem_bresp;
  logic mem_arvalid, mem_arready, mem_rlast, mem_rvalid, mem_rready;
  logic mem_awvalid, mem_awready, mem_wlast, mem_wvalid, mem_wready, mem_bvalid, mem_bready;

  flex_axi_read_mux #(
    .DataBytes (DataBytes),
    .Ports     (Readers),
    .Registered(1'b1)
  ) u_read_mux (
    .clk_i,
    .rst_ni,
    .in_araddr_i  (araddr),
    .in_arlen_i   (arlen),
    .in_arvalid_i (arvalid),
    .in_arready_o (arready),
    .in_rdata_o   (rdata),
    .in_rresp_o   (rresp),
    .in_rlast_o   (rlast),
    .in_rvalid_o  (rvalid),
    .in_rready_i  (rready),
    .axi_arid_o   (mem_arid),
    .axi_araddr_o (mem_araddr),
    .axi_arlen_o  (mem_arlen),
    .axi_arvalid_o(mem_arvalid),
    .axi_arready_i(mem_arready),
    .axi_rid_i    (mem_rid),
    .axi_rdata_i  (mem_rdata),
    .axi_rresp_i  (mem_rresp),
    .axi_rlast_i  (mem_rlast),
    .axi_rvalid_i (mem_rvalid),
    .axi_rready_o (mem_rready)
  );

  flex_axi_write_mux #(
    .DataBytes(DataBytes),
    .Ports    (2)
  ) u_write_mux (
    .clk_i,
    .rst_ni,
    .in_awaddr_i  (awaddr),
    .in_awlen_i   (awlen),
    .in_awvalid_i (awvalid),
    .in_awready_o (awready),
    .in_wdata_i   (wdata),
    .in_wstrb_i   (wstrb),
    .in_wlast_i   (wlast),
    .in_wvalid_i  (wvalid),
    .in_wready_o  (wready),
    .in_bresp_o   (bresp),
    .in_bvalid_o  (bvalid),
    .in_bready_i  (bready),
    .axi_awaddr_o (mem_awaddr),
    .axi_awlen_o  (mem_awlen),
    .axi_awvalid_o(mem_awvalid),
    .axi_awready_i(mem_awready),
    .axi_wdata_o  (mem_wdata),
    .axi_wstrb_o  (mem_wstrb),
    .axi_wlast_o  (mem_wlast),
    .axi_wvalid_o (mem_wvalid),
    .axi_wready_i (mem_wready),
    .axi_bresp_i  (mem_bresp),
    .axi_bvalid_i (mem_bvalid),
    .axi_bready_o (mem_bready)
  );

  flex_axi_ram #(
    .DataBytes(DataBytes),
    .Words    (MemoryBytes / DataBytes),
    .IdWidth  (IdWidth)
  ) u_memory (
    .clk_i,
    .rst_ni,
    .s_axi_arid_i   (mem_arid),
    .s_axi_araddr_i (mem_araddr),
    .s_axi_arlen_i  (mem_arlen),
    .s_axi_arvalid_i(mem_arvalid),
    .s_axi_arready_o(mem_arready),
    .s_axi_rid_o    (mem_rid),
    .s_axi_rdata_o  (mem_rdata),
    .s_axi_rresp_o  (mem_rresp),
    .s_axi_rlast_o  (mem_rlast),
    .s_axi_rvalid_o (mem_rvalid),
    .s_axi_rready_i (mem_rready),
    .s_axi_awaddr_i (mem_awaddr),
    .s_axi_awlen_i  (mem_awlen),
    .s_axi_awvalid_i(mem_awvalid),
    .s_axi_awready_o(mem_awready),
    .s_axi_wdata_i  (mem_wdata),
    .s_axi_wstrb_i  (mem_wstrb),
    .s_axi_wlast_i  (mem_wlast),
    .s_axi_wvalid_i (mem_wvalid),
    .s_axi_wready_o (mem_wready),
    .s_axi_bresp_o  (mem_bresp),
    .s_axi_bvalid_o (mem_bvalid),
    .s_axi_bready_i (mem_bready)
  );

  // Program and weights come from the same port of the core, one beat a cycle.
  `FLEX_ASSERT(OneOfTwo, !(rvalid[Program] && rvalid[Weights]))

endmodule
