// SPDX-License-Identifier: Apache-2.0
//
// The accelerator with its memory: what runs whole programs in simulation.
//
// Four memory ports for each core, numbered by the parameters below, share one store; the control registers and
// the interrupt are brought out. Latency and throughput: those of flex_top and of the ports as set.
//
// On-chip memory is that of the design. What it is given goes to the store as well, at its address, so that at the end the
// store has every byte of every tensor, also of those whose RAM others have taken since; and what it gives back is compared
// with the store, so that a tensor whose RAM was taken too early is found out at once.

`include "flex_assert.svh"

module flex_sim_top #(
  // See flex_core for the meaning and the rules of each parameter.
  parameter  int unsigned M              = 8,
  parameter  int unsigned P              = 8,
  parameter  int unsigned N              = 8,
  parameter  int unsigned Q              = 2,
  parameter  bit          Packed         = 1'b1,
  parameter  int unsigned AccWidth       = 32,
  parameter  int unsigned DataBytes      = 64,
  parameter  int unsigned ActWords       = 1024,
  parameter  int unsigned WeightWords    = 512,
  parameter  int unsigned ParamPasses    = 8,
  parameter  int unsigned OutWords       = 512,
  parameter  int unsigned ListEntries    = 512,
  parameter  bit          Slopes         = 1'b0,
  parameter  bit          Tables         = 1'b0,
  parameter  bit          Sums           = 1'b0,
  parameter  bit          Wide           = 1'b0,
  parameter  bit          Bends          = 1'b0,
  parameter  int unsigned WindowTaps     = 0,
  parameter  int unsigned WindowBeats    = 512,
  parameter  int unsigned WindowChannels = 1024,
  parameter  bit          SplitProducts  = 1'b0,
  parameter  int unsigned Cores          = 1,
  parameter  int unsigned OnChipBytes    = 0,
  parameter  int unsigned OnChipPages    = 1,
  // Numbers by which the bench knows the memory ports of core 0; those of the next follow.
  localparam int unsigned CorePorts      = 4,
  localparam int unsigned ActPort        = 0,
  localparam int unsigned WgtPort        = 1,
  localparam int unsigned OutPort        = 2,
  localparam int unsigned SkipPort       = 3
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  output logic        interrupt_o,
  // Control registers
  input  logic [ 7:0] s_axi_ctrl_awaddr_i,
  input  logic [ 2:0] s_axi_ctrl_awprot_i,
  input  logic        s_axi_ctrl_awvalid_i,
  output logic        s_axi_ctrl_awready_o,
  input  logic [31:0] s_axi_ctrl_wdata_i,
  input  logic [ 3:0] s_axi_ctrl_wstrb_i,
  input  logic        s_axi_ctrl_wvalid_i,
  output logic        s_axi_ctrl_wready_o,
  output logic [ 1:0] s_axi_ctrl_bresp_o,
  output logic        s_axi_ctrl_bvalid_o,
  input  logic        s_axi_ctrl_bready_i,
  input  logic [ 7:0] s_axi_ctrl_araddr_i,
  input  logic [ 2:0] s_axi_ctrl_arprot_i,
  input  logic        s_axi_ctrl_arvalid_i,
  output logic        s_axi_ctrl_arready_o,
  output logic [31:0] s_axi_ctrl_rdata_o,
  output logic [ 1:0] s_axi_ctrl_rresp_o,
  output logic        s_axi_ctrl_rvalid_o,
  input  logic        s_axi_ctrl_rready_i
);

  localparam int unsigned AddrWidth = 64;

  // Activation reads
  logic [Cores-1:0][AddrWidth-1:0] act_araddr;
  logic [Cores-1:0][7:0] act_arlen;
  logic [Cores-1:0][2:0] act_arsize;
  logic [Cores-1:0][1:0] act_arburst, act_rresp;
  logic [Cores-1:0] act_arvalid, act_arready, act_rlast, act_rvalid, act_rready;
  logic [Cores-1:0][DataBytes*8-1:0] act_rdata;
  // Reads of second tensors
  logic [Cores-1:0][AddrWidth-1:0] skip_araddr;
  logic [Cores-1:0][7:0] skip_arlen;
  logic [Cores-1:0][2:0] skip_arsize;
  logic [Cores-1:0][1:0] skip_arburst, skip_rresp;
  logic [Cores-1:0] skip_arvalid, skip_arready, skip_rlast, skip_rvalid, skip_rready;
  logic [Cores-1:0][DataBytes*8-1:0] skip_rdata;
  // Program and weight reads
  logic [Cores-1:0] wgt_arid, wgt_rid;
  logic [Cores-1:0][AddrWidth-1:0] wgt_araddr;
  logic [Cores-1:0][7:0] wgt_arlen;
  logic [Cores-1:0][2:0] wgt_arsize;
  logic [Cores-1:0][1:0] wgt_arburst, wgt_rresp;
  logic [Cores-1:0] wgt_arvalid, wgt_arready, wgt_rlast, wgt_rvalid, wgt_rready;
  logic [Cores-1:0][DataBytes*8-1:0] wgt_rdata;
  // Writes
  logic [Cores-1:0][AddrWidth-1:0] out_awaddr;
  logic [Cores-1:0][7:0] out_awlen;
  logic [Cores-1:0][2:0] out_awsize;
  logic [Cores-1:0][1:0] out_awburst, out_bresp;
  logic [Cores-1:0]
      out_awvalid, out_awready, out_wlast, out_wvalid, out_wready, out_bvalid, out_bready;
  logic [Cores-1:0][DataBytes*8-1:0] out_wdata;
  logic [Cores-1:0][  DataBytes-1:0] out_wstrb;

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
    .Cores         (Cores),
    .OnChipBytes   (OnChipBytes),
    .OnChipPages   (OnChipPages)
  ) u_top (
    .clk_i,
    .rst_ni,
    .interrupt_o,
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
    .m_axi_act_araddr_o  (act_araddr),
    .m_axi_act_arlen_o   (act_arlen),
    .m_axi_act_arsize_o  (act_arsize),
    .m_axi_act_arburst_o (act_arburst),
    .m_axi_act_arvalid_o (act_arvalid),
    .m_axi_act_arready_i (act_arready),
    .m_axi_act_rdata_i   (act_rdata),
    .m_axi_act_rresp_i   (act_rresp),
    .m_axi_act_rlast_i   (act_rlast),
    .m_axi_act_rvalid_i  (act_rvalid),
    .m_axi_act_rready_o  (act_rready),
    .m_axi_skip_araddr_o (skip_araddr),
    .m_axi_skip_arlen_o  (skip_arlen),
    .m_axi_skip_arsize_o (skip_arsize),
    .m_axi_skip_arburst_o(skip_arburst),
    .m_axi_skip_arvalid_o(skip_arvalid),
    .m_axi_skip_arready_i(skip_arready),
    .m_axi_skip_rdata_i  (skip_rdata),
    .m_axi_skip_rresp_i  (skip_rresp),
    .m_axi_skip_rlast_i  (skip_rlast),
    .m_axi_skip_rvalid_i (skip_rvalid),
    .m_axi_skip_rready_o (skip_rready),
    .m_axi_wgt_arid_o    (wgt_arid),
    .m_axi_wgt_araddr_o  (wgt_araddr),
    .m_axi_wgt_arlen_o   (wgt_arlen),
    .m_axi_wgt_arsize_o  (wgt_arsize),
    .m_axi_wgt_arburst_o (wgt_arburst),
    .m_axi_wgt_arvalid_o (wgt_arvalid),
    .m_axi_wgt_arready_i (wgt_arready),
    .m_axi_wgt_rid_i     (wgt_rid),
    .m_axi_wgt_rdata_i   (wgt_rdata),
    .m_axi_wgt_rresp_i   (wgt_rresp),
    .m_axi_wgt_rlast_i   (wgt_rlast),
    .m_axi_wgt_rvalid_i  (wgt_rvalid),
    .m_axi_wgt_rready_o  (wgt_rready),
    .m_axi_out_awaddr_o  (out_awaddr),
    .m_axi_out_awlen_o   (out_awlen),
    .m_axi_out_awsize_o  (out_awsize),
    .m_axi_out_awburst_o (out_awburst),
    .m_axi_out_awvalid_o (out_awvalid),
    .m_axi_out_awready_i (out_awready),
    .m_axi_out_wdata_o   (out_wdata),
    .m_axi_out_wstrb_o   (out_wstrb),
    .m_axi_out_wlast_o   (out_wlast),
    .m_axi_out_wvalid_o  (out_wvalid),
    .m_axi_out_wready_i  (out_wready),
    .m_axi_out_bresp_i   (out_bresp),
    .m_axi_out_bvalid_i  (out_bvalid),
    .m_axi_out_bready_o  (out_bready)
  );

  for (genvar c = 0; c < Cores; c++) begin : gen_core

    // What the absent halves of the memory ports drive.
    logic unused_halves;
    logic [3:0] unused_ready, unused_valid, unused_last, unused_id;
    logic [3:0][1:0] unused_resp;
    logic [DataBytes*8-1:0] unused_data;
    logic unused_act_rid, unused_out_bid, unused_act_wready, unused_wgt_wready;
    logic unused_skip_rid, unused_skip_wready;
    assign unused_halves = ^{unused_ready, unused_valid, unused_last, unused_id, unused_resp,
                             unused_data, unused_act_rid, unused_out_bid, unused_act_wready,
                             unused_wgt_wready, unused_skip_rid, unused_skip_wready};
    assign {unused_last[3], unused_last[1:0]} = '0;

    flex_sim_axi_memory #(
      .Port     (c * CorePorts + ActPort),
      .AddrWidth(AddrWidth),
      .DataBytes(DataBytes),
      .HasWrite (1'b0)
    ) u_act (
      .clk_i,
      .rst_ni,
      .s_axi_arid_i   (1'b0),
      .s_axi_araddr_i (act_araddr[c]),
      .s_axi_arlen_i  (act_arlen[c]),
      .s_axi_arsize_i (act_arsize[c]),
      .s_axi_arburst_i(act_arburst[c]),
      .s_axi_arvalid_i(act_arvalid[c]),
      .s_axi_arready_o(act_arready[c]),
      .s_axi_rid_o    (unused_act_rid),
      .s_axi_rdata_o  (act_rdata[c]),
      .s_axi_rresp_o  (act_rresp[c]),
      .s_axi_rlast_o  (act_rlast[c]),
      .s_axi_rvalid_o (act_rvalid[c]),
      .s_axi_rready_i (act_rready[c]),
      .s_axi_awid_i   (1'b0),
      .s_axi_awaddr_i ('0),
      .s_axi_awlen_i  ('0),
      .s_axi_awsize_i ('0),
      .s_axi_awburst_i('0),
      .s_axi_awvalid_i(1'b0),
      .s_axi_awready_o(unused_ready[0]),
      .s_axi_wdata_i  ('0),
      .s_axi_wstrb_i  ('0),
      .s_axi_wlast_i  (1'b0),
      .s_axi_wvalid_i (1'b0),
      .s_axi_wready_o (unused_act_wready),
      .s_axi_bid_o    (unused_id[0]),
      .s_axi_bresp_o  (unused_resp[0]),
      .s_axi_bvalid_o (unused_valid[0]),
      .s_axi_bready_i (1'b0)
    );

    flex_sim_axi_memory #(
      .Port     (c * CorePorts + WgtPort),
      .AddrWidth(AddrWidth),
      .DataBytes(DataBytes),
      .HasWrite (1'b0)
    ) u_wgt (
      .clk_i,
      .rst_ni,
      .s_axi_arid_i   (wgt_arid[c]),
      .s_axi_araddr_i (wgt_araddr[c]),
      .s_axi_arlen_i  (wgt_arlen[c]),
      .s_axi_arsize_i (wgt_arsize[c]),
      .s_axi_arburst_i(wgt_arburst[c]),
      .s_axi_arvalid_i(wgt_arvalid[c]),
      .s_axi_arready_o(wgt_arready[c]),
      .s_axi_rid_o    (wgt_rid[c]),
      .s_axi_rdata_o  (wgt_rdata[c]),
      .s_axi_rresp_o  (wgt_rresp[c]),
      .s_axi_rlast_o  (wgt_rlast[c]),
      .s_axi_rvalid_o (wgt_rvalid[c]),
      .s_axi_rready_i (wgt_rready[c]),
      .s_axi_awid_i   (1'b0),
      .s_axi_awaddr_i ('0),
      .s_axi_awlen_i  ('0),
      .s_axi_awsize_i ('0),
      .s_axi_awburst_i('0),
      .s_axi_awvalid_i(1'b0),
      .s_axi_awready_o(unused_ready[1]),
      .s_axi_wdata_i  ('0),
      .s_axi_wstrb_i  ('0),
      .s_axi_wlast_i  (1'b0),
      .s_axi_wvalid_i (1'b0),
      .s_axi_wready_o (unused_wgt_wready),
      .s_axi_bid_o    (unused_id[1]),
      .s_axi_bresp_o  (unused_resp[1]),
      .s_axi_bvalid_o (unused_valid[1]),
      .s_axi_bready_i (1'b0)
    );

    flex_sim_axi_memory #(
      .Port     (c * CorePorts + OutPort),
      .AddrWidth(AddrWidth),
      .DataBytes(DataBytes),
      .HasRead  (1'b0)
    ) u_out (
      .clk_i,
      .rst_ni,
      .s_axi_arid_i   (1'b0),
      .s_axi_araddr_i ('0),
      .s_axi_arlen_i  ('0),
      .s_axi_arsize_i ('0),
      .s_axi_arburst_i('0),
      .s_axi_arvalid_i(1'b0),
      .s_axi_arready_o(unused_ready[2]),
      .s_axi_rid_o    (unused_id[2]),
      .s_axi_rdata_o  (unused_data),
      .s_axi_rresp_o  (unused_resp[2]),
      .s_axi_rlast_o  (unused_last[2]),
      .s_axi_rvalid_o (unused_valid[2]),
      .s_axi_rready_i (1'b0),
      .s_axi_awid_i   (1'b0),
      .s_axi_awaddr_i (out_awaddr[c]),
      .s_axi_awlen_i  (out_awlen[c]),
      .s_axi_awsize_i (out_awsize[c]),
      .s_axi_awburst_i(out_awburst[c]),
      .s_axi_awvalid_i(out_awvalid[c]),
      .s_axi_awready_o(out_awready[c]),
      .s_axi_wdata_i  (out_wdata[c]),
      .s_axi_wstrb_i  (out_wstrb[c]),
      .s_axi_wlast_i  (out_wlast[c]),
      .s_axi_wvalid_i (out_wvalid[c]),
      .s_axi_wready_o (out_wready[c]),
      .s_axi_bid_o    (unused_out_bid),
      .s_axi_bresp_o  (out_bresp[c]),
      .s_axi_bvalid_o (out_bvalid[c]),
      .s_axi_bready_i (out_bready[c])
    );

    flex_sim_axi_memory #(
      .Port     (c * CorePorts + SkipPort),
      .AddrWidth(AddrWidth),
      .DataBytes(DataBytes),
      .HasWrite (1'b0)
    ) u_skip (
      .clk_i,
      .rst_ni,
      .s_axi_arid_i   (1'b0),
      .s_axi_araddr_i (skip_araddr[c]),
      .s_axi_arlen_i  (skip_arlen[c]),
      .s_axi_arsize_i (skip_arsize[c]),
      .s_axi_arburst_i(skip_arburst[c]),
      .s_axi_arvalid_i(skip_arvalid[c]),
      .s_axi_arready_o(skip_arready[c]),
      .s_axi_rid_o    (unused_skip_rid),
      .s_axi_rdata_o  (skip_rdata[c]),
      .s_axi_rresp_o  (skip_rresp[c]),
      .s_axi_rlast_o  (skip_rlast[c]),
      .s_axi_rvalid_o (skip_rvalid[c]),
      .s_axi_rready_i (skip_rready[c]),
      .s_axi_awid_i   (1'b0),
      .s_axi_awaddr_i ('0),
      .s_axi_awlen_i  ('0),
      .s_axi_awsize_i ('0),
      .s_axi_awburst_i('0),
      .s_axi_awvalid_i(1'b0),
      .s_axi_awready_o(unused_ready[3]),
      .s_axi_wdata_i  ('0),
      .s_axi_wstrb_i  ('0),
      .s_axi_wlast_i  (1'b0),
      .s_axi_wvalid_i (1'b0),
      .s_axi_wready_o (unused_skip_wready),
      .s_axi_bid_o    (unused_id[3]),
      .s_axi_bresp_o  (unused_resp[3]),
      .s_axi_bvalid_o (unused_valid[3]),
      .s_axi_bready_i (1'b0)
    );

    // A burst is asked for only when there is room for all of it, so no read ever waits in the memory, unless for one
    // that came before it from on-chip memory.
    `FLEX_ASSERT(ActNeverWaits, act_rvalid[c] && OnChipBytes == 0 |-> act_rready[c])
    `FLEX_ASSERT(SkipNeverWaits, skip_rvalid[c] && OnChipBytes == 0 |-> skip_rready[c])
    `FLEX_ASSERT(WgtNeverWaits, wgt_rvalid[c] |-> wgt_rready[c])

  end

  if (OnChipBytes != 0) begin : gen_on_chip

    localparam int unsigned Readers = Sums ? 2 * Cores : Cores;
    localparam int unsigned MaxDataBytes = 128;

    import "DPI-C" function bit flex_sim_memory_put(
      input int unsigned                          index,
      input int unsigned                          bytes,
      input longint unsigned                      address,
      input bit              [MaxDataBytes*8-1:0] data,
      input bit              [  MaxDataBytes-1:0] strobes
    );

    import "DPI-C" function bit flex_sim_memory_got(
      input int unsigned                          index,
      input int unsigned                          bytes,
      input longint unsigned                      address,
      input bit              [MaxDataBytes*8-1:0] data
    );

    for (genvar r = 0; r < Readers; r++) begin : gen_read

      // Addresses of the beats that are due.
      longint unsigned due[$];
      logic right_q, asked, came;

      assign asked = u_top.u_on_chip.gen_ram.near_arvalid[r] &&
                     u_top.u_on_chip.gen_ram.near_arready[r];
      assign came = u_top.u_on_chip.gen_ram.near_rvalid[r] &&
                    u_top.u_on_chip.gen_ram.near_rready[r];

      always_ff @(posedge clk_i) begin
        right_q <= 1'b1;
        if (asked && rst_ni) begin
          for (int unsigned i = 0; i <= 32'(u_top.u_on_chip.gen_ram.near_arlen[r]); i++) begin
            due.push_back(64'(u_top.u_on_chip.gen_ram.near_araddr[r]) + 64'(i * DataBytes));
          end
        end
        if (came && rst_ni) begin
          right_q <= flex_sim_memory_got(
              Cores * CorePorts,
              DataBytes,
              u_top.base + due.pop_front(),
              (MaxDataBytes * 8)'(u_top.u_on_chip.gen_ram.near_rdata[r])
          );
        end
      end

      // Nobody has taken the place of what is read.
      `FLEX_ASSERT(ReadsItsTensor, right_q)

    end

    for (genvar c = 0; c < Cores; c++) begin : gen_write

      // Addresses of the beats that are due.
      longint unsigned due[$];
      logic mapped_q, asked, came;

      assign asked = u_top.u_on_chip.gen_ram.near_awvalid[c] &&
                     u_top.u_on_chip.gen_ram.near_awready[c];
      assign came = u_top.u_on_chip.gen_ram.near_wvalid[c] &&
                    u_top.u_on_chip.gen_ram.near_wready[c];

      always_ff @(posedge clk_i) begin
        mapped_q <= 1'b1;
        if (asked && rst_ni) begin
          for (int unsigned i = 0; i <= 32'(u_top.u_on_chip.gen_ram.near_awlen[c]); i++) begin
            due.push_back(64'(u_top.u_on_chip.gen_ram.near_awaddr[c]) + 64'(i * DataBytes));
          end
        end
        if (came && rst_ni) begin
          mapped_q <= flex_sim_memory_put(
              Cores * CorePorts,
              DataBytes,
              u_top.base + due.pop_front(),
              (MaxDataBytes * 8)'(u_top.u_on_chip.gen_ram.near_wdata[c]),
              MaxDataBytes'(u_top.u_on_chip.gen_ram.near_wstrb[c])
          );
        end
      end

      // The image has a place for what is written.
      `FLEX_ASSERT(WritesImage, mapped_q)

    end

  end

  // The first core's cycles stand for all. The names of what a step waits for are those of sim/harness/account.py, in this order.
  flex_sim_account #(
    .Causes(6)
  ) u_account (
    .clk_i,
    .rst_ni,
    .start_i(u_top.start),
    .running_i(u_top.u_csr.busy),
    .valid_i(u_top.gen_core[0].u_core.u_vsa.u_sequencer.u_issue.cur_valid_q),
    .step_i(u_top.gen_core[0].u_core.u_vsa.u_sequencer.u_issue.step),
    .tile_end_i(
        u_top.gen_core[0].u_core.u_vsa.u_sequencer.u_issue.step &&
        u_top.gen_core[0].u_core.u_vsa.u_sequencer.u_issue.tile_end),
    .wait_i({
      u_top.gen_core[0].u_core.u_vsa.u_sequencer.u_issue.wait_drain,
      u_top.gen_core[0].u_core.u_vsa.u_sequencer.u_issue.wait_output,
      u_top.gen_core[0].u_core.u_vsa.u_sequencer.u_issue.wait_skip,
      u_top.gen_core[0].u_core.u_vsa.u_sequencer.u_issue.wait_params,
      u_top.gen_core[0].u_core.u_vsa.u_sequencer.u_issue.wait_weights,
      u_top.gen_core[0].u_core.u_vsa.u_sequencer.u_issue.wait_window
    })
  );

endmodule
