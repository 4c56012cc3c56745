// SPDX-License-Identifier: Apache-2.0
//
// One core: fetch, loads, weight load, versatile systolic array, requantiser, sum, output buffer, store.
//
// A start pulse runs one program; `done_o` rises when all its tiles are stored and acknowledged, or at once when the
// program or its weights cannot be trusted. Other AXI errors are reported and do not stop the run. See docs/rtl/microarchitecture.md.

`include "flex_assert.svh"

module flex_core
  import flex_pkg::*;
  import flex_program_pkg::*;
#(
  // Rows: output channels per pass; a power of two.
  parameter int unsigned M              = 8,
  // Columns: adjacent output pixels.
  parameter int unsigned P              = 8,
  // Lanes: input channels per step, bytes of a buffer word; a power of two.
  parameter int unsigned N              = 8,
  // Drain chains per column; a power of two that divides M and N.
  parameter int unsigned Q              = 2,
  // Two pixel columns share one multiplier.
  parameter bit          Packed         = 1'b1,
  // Accumulator bits.
  parameter int unsigned AccWidth       = 32,
  // Bytes of a memory beat; a power of two, at least N.
  parameter int unsigned DataBytes      = 64,
  // Words per bank and half of the activation buffer; a power of two.
  parameter int unsigned ActWords       = 1024,
  // Column phases of a tile at most, 1..4; a core for smaller strides is smaller.
  parameter int unsigned ColumnPhases   = 4,
  // Output phases, for transposed convolutions.
  parameter bit          OutputPhases   = 1'b1,
  // Words of the weight ring; a power of two.
  parameter int unsigned WeightWords    = 512,
  // Passes of the parameter ring; a power of two.
  parameter int unsigned ParamPasses    = 8,
  // Words per bank and half of the output buffer; a power of two.
  parameter int unsigned OutWords       = 512,
  // Entries per half of the list memory; a power of two.
  parameter int unsigned ListEntries    = 512,
  // Requantisers have a second set of parameters, for outputs below zero.
  parameter bit          Slopes         = 1'b0,
  // There are tables behind the requantisers.
  parameter bit          Tables         = 1'b0,
  // Outputs may be summed with a second tensor.
  parameter bit          Sums           = 1'b0,
  // Activations may have 16 bits, each two bytes in planes of their own.
  parameter bit          Wide           = 1'b0,
  // Sums may be requantised with two slopes; needs Sums and Slopes.
  parameter bit          Bends          = 1'b0,
  // Taps of the window engine in front of the array, 9 or 1; 0 without one.
  parameter int unsigned WindowTaps     = 0,
  // Memory beats of a row of its tiles at most, where the taps are 9.
  parameter int unsigned WindowBeats    = 512,
  // Channels of its layers at most; a power of two.
  parameter int unsigned WindowChannels = 1024,
  // Multipliers of the part take 18x18 bits, not 27x18, see flex_product.
  parameter bit          SplitProducts  = 1'b0,
  // Cores that share memory and each other's progress, 1..MaxCores.
  parameter int unsigned Cores          = 1
) (
  input  logic                         clk_i,
  input  logic                         rst_ni,
  // Control
  input  logic                         start_i,
  // Level: another core has lost its way, this one ends, too
  input  logic                         abort_i,
  // Stored tiles of every core, modulo 2^16
  input  logic [      Cores-1:0][15:0] cores_done_i,
  // Level until the next start: the program or its weights cannot be trusted
  output logic                         lost_o,
  input  logic [           63:0]       base_i,
  input  logic [OffsetWidth-1:0]       program_addr_i,
  input  logic [ BeatsWidth-1:0]       program_beats_i,
  output logic                         done_o,
  output logic [            3:0]       error_o,
  output logic [           31:0]       tiles_done_o,
  output logic [            3:0]       engine_busy_o,
  output logic [            3:0]       engine_starved_o,
  output logic [            3:0]       engine_blocked_o,
  // Activation reads
  output logic [           63:0]       m_axi_act_araddr_o,
  output logic [            7:0]       m_axi_act_arlen_o,
  output logic                         m_axi_act_arvalid_o,
  input  logic                         m_axi_act_arready_i,
  input  logic [DataBytes*8-1:0]       m_axi_act_rdata_i,
  input  logic [            1:0]       m_axi_act_rresp_i,
  input  logic                         m_axi_act_rlast_i,
  input  logic                         m_axi_act_rvalid_i,
  output logic                         m_axi_act_rready_o,
  // Reads of second tensors: silent without Sums
  output logic [           63:0]       m_axi_skip_araddr_o,
  output logic [            7:0]       m_axi_skip_arlen_o,
  output logic                         m_axi_skip_arvalid_o,
  input  logic                         m_axi_skip_arready_i,
  input  logic [DataBytes*8-1:0]       m_axi_skip_rdata_i,
  input  logic [            1:0]       m_axi_skip_rresp_i,
  input  logic                         m_axi_skip_rlast_i,
  input  logic                         m_axi_skip_rvalid_i,
  output logic                         m_axi_skip_rready_o,
  // Program (ID 0) and weight (ID 1) reads
  output logic                         m_axi_wgt_arid_o,
  output logic [           63:0]       m_axi_wgt_araddr_o,
  output logic [            7:0]       m_axi_wgt_arlen_o,
  output logic                         m_axi_wgt_arvalid_o,
  input  logic                         m_axi_wgt_arready_i,
  input  logic                         m_axi_wgt_rid_i,
  input  logic [DataBytes*8-1:0]       m_axi_wgt_rdata_i,
  input  logic [            1:0]       m_axi_wgt_rresp_i,
  input  logic                         m_axi_wgt_rlast_i,
  input  logic                         m_axi_wgt_rvalid_i,
  output logic                         m_axi_wgt_rready_o,
  // Writes
  output logic [           63:0]       m_axi_out_awaddr_o,
  output logic [            7:0]       m_axi_out_awlen_o,
  output logic                         m_axi_out_awvalid_o,
  input  logic                         m_axi_out_awready_i,
  output logic [DataBytes*8-1:0]       m_axi_out_wdata_o,
  output logic [  DataBytes-1:0]       m_axi_out_wstrb_o,
  output logic                         m_axi_out_wlast_o,
  output logic                         m_axi_out_wvalid_o,
  input  logic                         m_axi_out_wready_i,
  input  logic [            1:0]       m_axi_out_bresp_i,
  input  logic                         m_axi_out_bvalid_i,
  output logic                         m_axi_out_bready_o
);

  `FLEX_ASSERT_INIT(RowsPowerOfTwo, (M & (M - 1)) == 0 && M >= 1)
  `FLEX_ASSERT_INIT(LanesPowerOfTwo, (N & (N - 1)) == 0 && N >= 4 && N <= 32)
  `FLEX_ASSERT_INIT(ChainsDivide, Q >= 1 && M % Q == 0 && N % Q == 0)
  `FLEX_ASSERT_INIT(BeatHoldsWord,
                    (DataBytes & (DataBytes - 1)) == 0 && DataBytes >= N && DataBytes <= 128)

  localparam int unsigned ActAddrWidth = $clog2(2 * ActWords);
  localparam int unsigned OutAddrWidth = $clog2(2 * OutWords);
  localparam int unsigned WeightAddrWidth = $clog2(WeightWords);
  localparam int unsigned ParamAddrWidth = $clog2(ParamPasses * (M / Q));
  // Bytes of a channel's parameters.
  localparam int unsigned RecordBytes = Slopes ? 32 : 16;
  localparam int unsigned RotationWidth = (P > 1) ? $clog2(P) : 1;

  // A start clears what an earlier run left; nothing is in flight then. The run begins a cycle later.
  // All that is cleared lies all over the core and is cleared from a register, which powers up low.
  logic clear_q, start;
  logic core_rst_n;

  initial core_rst_n = 1'b0;

  always_ff @(posedge clk_i) core_rst_n <= rst_ni && !start_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      clear_q <= 1'b0;
      start   <= 1'b0;
    end else begin
      clear_q <= start_i;
      start   <= clear_q;
    end
  end

  // The core follows its reset by a cycle, so that one must last two: what it is connected to is in
  // reset as long as the core may still ask for something.
  `FLEX_ASSERT(ResetLasts, $rose(rst_ni) |-> !$past(core_rst_n))

  ///////////
  // Fetch //
  ///////////

  logic [OffsetWidth-1:0] fetch_req_addr, weights_req_addr, load_req_addr, store_req_addr;
  logic [BeatsWidth-1:0] fetch_req_beats, weights_req_beats, load_req_beats, store_req_beats;
  logic fetch_req_valid, fetch_req_ready, weights_req_valid, weights_req_ready;
  logic load_req_valid, load_req_ready, store_req_valid, store_req_ready;
  logic [DataBytes*8-1:0] fetch_data, weights_data, load_data, store_data;
  logic [DataBytes-1:0] store_strb;
  logic fetch_valid, fetch_ready, weights_valid, weights_ready;
  logic load_valid, load_ready, store_valid, store_ready, store_done;

  logic [WordBits-1:0] load_cmd, weights_cmd, array_cmd, store_cmd;
  logic load_cmd_valid, load_cmd_ready, weights_cmd_valid, weights_cmd_ready;
  logic array_cmd_valid, array_cmd_ready, store_cmd_valid, store_cmd_ready;
  logic [WordBits-1:0] skip_cmd;
  logic skip_cmd_valid, skip_cmd_ready;
  logic end_valid, fetch_busy, fetch_error, array_error, store_error, program_error;
  logic [31:0] end_tiles;
  logic tile_done;

  flex_fetch #(
    .DataBytes         (DataBytes),
    .Sums              (Sums),
    .WindowChannelWords(WindowTaps == 0 ? 0 : Slopes ? 6 : 4)
  ) u_fetch (
    .clk_i,
    .rst_ni         (core_rst_n),
    .start_i        (start),
    .program_addr_i,
    .program_beats_i,
    .req_addr_o     (fetch_req_addr),
    .req_beats_o    (fetch_req_beats),
    .req_valid_o    (fetch_req_valid),
    .req_ready_i    (fetch_req_ready),
    .data_data_i    (fetch_data),
    .data_valid_i   (fetch_valid),
    .data_ready_o   (fetch_ready),
    .load_data_o    (load_cmd),
    .load_valid_o   (load_cmd_valid),
    .load_ready_i   (load_cmd_ready),
    .weights_data_o (weights_cmd),
    .weights_valid_o(weights_cmd_valid),
    .weights_ready_i(weights_cmd_ready),
    .array_data_o   (array_cmd),
    .array_valid_o  (array_cmd_valid),
    .array_ready_i  (array_cmd_ready),
    .store_data_o   (store_cmd),
    .store_valid_o  (store_cmd_valid),
    .store_ready_i  (store_cmd_ready),
    .skip_data_o    (skip_cmd),
    .skip_valid_o   (skip_cmd_valid),
    .skip_ready_i   (skip_cmd_ready),
    .end_valid_o    (end_valid),
    .end_tiles_o    (end_tiles),
    .busy_o         (fetch_busy),
    .error_o        (fetch_error)
  );

  ///////////////////
  // Memory access //
  ///////////////////

  logic act_error, skip_error, write_error;
  logic [1:0] wgt_error;

  // The run is over: nothing more is issued, and it is done when nothing is under way.
  logic ending;
  logic [4:0] idle;

  flex_axi_read #(
    .DataBytes(DataBytes)
  ) u_act_read (
    .clk_i,
    .rst_ni       (core_rst_n),
    .base_i,
    .halt_i       (ending),
    .idle_o       (idle[0]),
    .req_addr_i   (load_req_addr),
    .req_beats_i  (load_req_beats),
    .req_valid_i  (load_req_valid),
    .req_ready_o  (load_req_ready),
    .data_data_o  (load_data),
    .data_valid_o (load_valid),
    .data_ready_i (load_ready),
    .axi_araddr_o (m_axi_act_araddr_o),
    .axi_arlen_o  (m_axi_act_arlen_o),
    .axi_arvalid_o(m_axi_act_arvalid_o),
    .axi_arready_i(m_axi_act_arready_i),
    .axi_rdata_i  (m_axi_act_rdata_i),
    .axi_rresp_i  (m_axi_act_rresp_i),
    .axi_rlast_i  (m_axi_act_rlast_i),
    .axi_rvalid_i (m_axi_act_rvalid_i),
    .axi_rready_o (m_axi_act_rready_o),
    .error_o      (act_error)
  );

  logic [1:0][63:0] mux_araddr;
  logic [1:0][ 7:0] mux_arlen;
  logic [1:0] mux_arvalid, mux_arready;
  logic [DataBytes*8-1:0] mux_rdata;
  logic [1:0] mux_rresp;
  logic mux_rlast;
  logic [1:0] mux_rvalid, mux_rready;

  flex_axi_read #(
    .DataBytes(DataBytes)
  ) u_program_read (
    .clk_i,
    .rst_ni       (core_rst_n),
    .base_i,
    .halt_i       (ending),
    .idle_o       (idle[1]),
    .req_addr_i   (fetch_req_addr),
    .req_beats_i  (fetch_req_beats),
    .req_valid_i  (fetch_req_valid),
    .req_ready_o  (fetch_req_ready),
    .data_data_o  (fetch_data),
    .data_valid_o (fetch_valid),
    .data_ready_i (fetch_ready),
    .axi_araddr_o (mux_araddr[0]),
    .axi_arlen_o  (mux_arlen[0]),
    .axi_arvalid_o(mux_arvalid[0]),
    .axi_arready_i(mux_arready[0]),
    .axi_rdata_i  (mux_rdata),
    .axi_rresp_i  (mux_rresp),
    .axi_rlast_i  (mux_rlast),
    .axi_rvalid_i (mux_rvalid[0]),
    .axi_rready_o (mux_rready[0]),
    .error_o      (wgt_error[0])
  );

  flex_axi_read #(
    .DataBytes(DataBytes)
  ) u_weight_read (
    .clk_i,
    .rst_ni       (core_rst_n),
    .base_i,
    .halt_i       (ending),
    .idle_o       (idle[2]),
    .req_addr_i   (weights_req_addr),
    .req_beats_i  (weights_req_beats),
    .req_valid_i  (weights_req_valid),
    .req_ready_o  (weights_req_ready),
    .data_data_o  (weights_data),
    .data_valid_o (weights_valid),
    .data_ready_i (weights_ready),
    .axi_araddr_o (mux_araddr[1]),
    .axi_arlen_o  (mux_arlen[1]),
    .axi_arvalid_o(mux_arvalid[1]),
    .axi_arready_i(mux_arready[1]),
    .axi_rdata_i  (mux_rdata),
    .axi_rresp_i  (mux_rresp),
    .axi_rlast_i  (mux_rlast),
    .axi_rvalid_i (mux_rvalid[1]),
    .axi_rready_o (mux_rready[1]),
    .error_o      (wgt_error[1])
  );

  flex_axi_read_mux #(
    .DataBytes(DataBytes),
    .Ports    (2)
  ) u_read_mux (
    .clk_i,
    .rst_ni       (core_rst_n),
    .in_araddr_i  (mux_araddr),
    .in_arlen_i   (mux_arlen),
    .in_arvalid_i (mux_arvalid),
    .in_arready_o (mux_arready),
    .in_rdata_o   (mux_rdata),
    .in_rresp_o   (mux_rresp),
    .in_rlast_o   (mux_rlast),
    .in_rvalid_o  (mux_rvalid),
    .in_rready_i  (mux_rready),
    .axi_arid_o   (m_axi_wgt_arid_o),
    .axi_araddr_o (m_axi_wgt_araddr_o),
    .axi_arlen_o  (m_axi_wgt_arlen_o),
    .axi_arvalid_o(m_axi_wgt_arvalid_o),
    .axi_arready_i(m_axi_wgt_arready_i),
    .axi_rid_i    (m_axi_wgt_rid_i),
    .axi_rdata_i  (m_axi_wgt_rdata_i),
    .axi_rresp_i  (m_axi_wgt_rresp_i),
    .axi_rlast_i  (m_axi_wgt_rlast_i),
    .axi_rvalid_i (m_axi_wgt_rvalid_i),
    .axi_rready_o (m_axi_wgt_rready_o)
  );

  flex_axi_write #(
    .DataBytes(DataBytes)
  ) u_write (
    .clk_i,
    .rst_ni       (core_rst_n),
    .base_i,
    .halt_i       (ending),
    .idle_o       (idle[3]),
    .req_addr_i   (store_req_addr),
    .req_beats_i  (store_req_beats),
    .req_valid_i  (store_req_valid),
    .req_ready_o  (store_req_ready),
    .data_data_i  (store_data),
    .data_strb_i  (store_strb),
    .data_valid_i (store_valid),
    .data_ready_o (store_ready),
    .done_o       (store_done),
    .axi_awaddr_o (m_axi_out_awaddr_o),
    .axi_awlen_o  (m_axi_out_awlen_o),
    .axi_awvalid_o(m_axi_out_awvalid_o),
    .axi_awready_i(m_axi_out_awready_i),
    .axi_wdata_o  (m_axi_out_wdata_o),
    .axi_wstrb_o  (m_axi_out_wstrb_o),
    .axi_wlast_o  (m_axi_out_wlast_o),
    .axi_wvalid_o (m_axi_out_wvalid_o),
    .axi_wready_i (m_axi_out_wready_i),
    .axi_bresp_i  (m_axi_out_bresp_i),
    .axi_bvalid_i (m_axi_out_bvalid_i),
    .axi_bready_o (m_axi_out_bready_o),
    .error_o      (write_error)
  );

  ////////////////
  // Input side //
  ////////////////

  logic [P-1:0] act_wr_en;
  logic [P-1:0][ActAddrWidth-1:0] act_wr_addr;
  logic [P-1:0][N*8-1:0] act_wr_data;
  logic act_full, act_freed;

  flex_load #(
    .P             (P),
    .N             (N),
    .DataBytes     (DataBytes),
    .ActWords      (ActWords),
    .ColumnPhases  (ColumnPhases),
    .WindowTaps    (WindowTaps),
    .WindowBeats   (WindowBeats),
    .WindowChannels(WindowChannels),
    .Wide          (Wide),
    .Packed        (Packed),
    .Slopes        (Slopes),
    .Cores         (Cores),
    .SplitProducts (SplitProducts)
  ) u_load (
    .clk_i,
    .rst_ni      (core_rst_n),
    .cmd_data_i  (load_cmd),
    .cmd_valid_i (load_cmd_valid),
    .cmd_ready_o (load_cmd_ready),
    .tiles_done_i(tiles_done_o),
    .cores_done_i,
    .req_addr_o  (load_req_addr),
    .req_beats_o (load_req_beats),
    .req_valid_o (load_req_valid),
    .req_ready_i (load_req_ready),
    .data_data_i (load_data),
    .data_valid_i(load_valid),
    .data_ready_o(load_ready),
    .wr_en_o     (act_wr_en),
    .wr_addr_o   (act_wr_addr),
    .wr_data_o   (act_wr_data),
    .full_o      (act_full),
    .freed_i     (act_freed),
    .busy_o      (engine_busy_o[0]),
    .starved_o   (engine_starved_o[0]),
    .blocked_o   (engine_blocked_o[0])
  );

  logic weight_wr_en, param_wr_en;
  logic [WeightAddrWidth-1:0] weight_wr_addr;
  logic [M*N*8-1:0] weight_wr_data;
  logic [ParamAddrWidth-1:0] param_wr_addr;
  logic [Q*RecordBytes*8-1:0] param_wr_data;
  logic [CountWidth-1:0] weights_written, weights_released, params_written, params_released;

  flex_weight_load #(
    .M          (M),
    .N          (N),
    .Q          (Q),
    .DataBytes  (DataBytes),
    .WeightWords(WeightWords),
    .ParamPasses(ParamPasses),
    .RecordBytes(RecordBytes)
  ) u_weight_load (
    .clk_i,
    .rst_ni            (core_rst_n),
    .cmd_data_i        (weights_cmd),
    .cmd_valid_i       (weights_cmd_valid),
    .cmd_ready_o       (weights_cmd_ready),
    .req_addr_o        (weights_req_addr),
    .req_beats_o       (weights_req_beats),
    .req_valid_o       (weights_req_valid),
    .req_ready_i       (weights_req_ready),
    .data_data_i       (weights_data),
    .data_valid_i      (weights_valid),
    .data_ready_o      (weights_ready),
    .weight_wr_en_o    (weight_wr_en),
    .weight_wr_addr_o  (weight_wr_addr),
    .weight_wr_data_o  (weight_wr_data),
    .weights_written_o (weights_written),
    .weights_released_i(weights_released),
    .param_wr_en_o     (param_wr_en),
    .param_wr_addr_o   (param_wr_addr),
    .param_wr_data_o   (param_wr_data),
    .params_written_o  (params_written),
    .params_released_i (params_released),
    .busy_o            (engine_busy_o[1]),
    .starved_o         (engine_starved_o[1]),
    .blocked_o         (engine_blocked_o[1])
  );

  ///////////
  // Array //
  ///////////

  logic acc_valid;
  logic [P-1:0][Q-1:0][AccWidth-1:0] acc;
  block_t block;
  logic block_valid;
  logic group_full, group_freed, skip_full;
  logic [WordBits-1:0] table_word;
  logic table_valid, table_ready, table_tile, table_half;

  flex_vsa #(
    .M          (M),
    .P          (P),
    .N          (N),
    .Q          (Q),
    .Packed     (Packed),
    .AccWidth   (AccWidth),
    .ActWords   (ActWords),
    .WeightWords(WeightWords),
    .ListEntries(ListEntries),
    .Tables     (Tables),
    .Sums       (Sums),
    .Bends      (Bends),
    .Wide       (Wide)
  ) u_vsa (
    .clk_i,
    .rst_ni            (core_rst_n),
    .cmd_data_i        (array_cmd),
    .cmd_valid_i       (array_cmd_valid),
    .cmd_ready_o       (array_cmd_ready),
    .act_wr_en_i       (act_wr_en),
    .act_wr_addr_i     (act_wr_addr),
    .act_wr_data_i     (act_wr_data),
    .act_full_i        (act_full),
    .act_freed_o       (act_freed),
    .weight_wr_en_i    (weight_wr_en),
    .weight_wr_addr_i  (weight_wr_addr),
    .weight_wr_data_i  (weight_wr_data),
    .weights_written_i (weights_written),
    .weights_released_o(weights_released),
    .params_written_i  (params_written),
    .out_freed_i       (group_freed),
    .skip_full_i       (skip_full),
    .table_data_o      (table_word),
    .table_valid_o     (table_valid),
    .table_ready_i     (table_ready),
    .table_tile_o      (table_tile),
    .table_half_i      (table_half),
    .acc_valid_o       (acc_valid),
    .acc_o             (acc),
    .block_data_o      (block),
    .block_valid_o     (block_valid),
    .busy_o            (engine_busy_o[2]),
    .starved_o         (engine_starved_o[2]),
    .blocked_o         (engine_blocked_o[2]),
    .error_o           (array_error)
  );

  /////////////////
  // Output side //
  /////////////////

  logic [N/Q-1:0] rq_wr_en, sum_wr_en, bent_wr_en, out_wr_en;
  logic [OutAddrWidth-1:0] rq_wr_addr, sum_wr_addr, bent_wr_addr, out_wr_addr;
  logic [P-1:0][Q*8-1:0] rq_wr_data, sum_wr_data, bent_wr_data, out_wr_data;
  sum_t rq_sum;
  table_t rq_table, sum_table, bent_table;
  logic rq_group_full, sum_group_full, bent_group_full;
  logic [ParamAddrWidth-1:0] rq_param;

  `FLEX_ASSERT_INIT(BendsNeedSums, !Bends || (Sums && Slopes))

  flex_requantize #(
    .M            (M),
    .P            (P),
    .N            (N),
    .Q            (Q),
    .AccWidth     (AccWidth),
    .ParamPasses  (ParamPasses),
    .OutAddrWidth (OutAddrWidth),
    .OutputPhases (OutputPhases),
    .Slopes       (Slopes),
    .BendCycles   (Bends ? SumLatency : 0),
    .Wide         (Wide),
    .SplitProducts(SplitProducts)
  ) u_requantize (
    .clk_i,
    .rst_ni           (core_rst_n),
    .acc_valid_i      (acc_valid),
    .acc_i            (acc),
    .block_data_i     (block),
    .block_valid_i    (block_valid),
    .param_wr_en_i    (param_wr_en),
    .param_wr_addr_i  (param_wr_addr),
    .param_wr_data_i  (param_wr_data),
    .params_released_o(params_released),
    .wr_en_o          (rq_wr_en),
    .wr_addr_o        (rq_wr_addr),
    .wr_data_o        (rq_wr_data),
    .wr_sum_o         (rq_sum),
    .wr_param_o       (rq_param),
    .wr_table_o       (rq_table),
    .group_full_o     (rq_group_full)
  );

  if (Sums) begin : gen_sum
    logic [OffsetWidth-1:0] req_addr;
    logic [ BeatsWidth-1:0] req_beats;
    logic req_valid, req_ready;
    logic [DataBytes*8-1:0] data;
    logic data_valid, data_ready;
    logic [P-1:0] skip_wr_en;
    logic [P-1:0][OutAddrWidth-1:0] skip_wr_addr;
    logic [P-1:0][N*8-1:0] skip_wr_data, skip_rd_data;
    logic skip_rd_en, skip_freed;
    logic [OutAddrWidth-1:0] skip_rd_addr;
    logic [2:0] unused_counters;

    flex_axi_read #(
      .DataBytes(DataBytes)
    ) u_skip_read (
      .clk_i,
      .rst_ni       (core_rst_n),
      .base_i,
      .halt_i       (ending),
      .idle_o       (idle[4]),
      .req_addr_i   (req_addr),
      .req_beats_i  (req_beats),
      .req_valid_i  (req_valid),
      .req_ready_o  (req_ready),
      .data_data_o  (data),
      .data_valid_o (data_valid),
      .data_ready_i (data_ready),
      .axi_araddr_o (m_axi_skip_araddr_o),
      .axi_arlen_o  (m_axi_skip_arlen_o),
      .axi_arvalid_o(m_axi_skip_arvalid_o),
      .axi_arready_i(m_axi_skip_arready_i),
      .axi_rdata_i  (m_axi_skip_rdata_i),
      .axi_rresp_i  (m_axi_skip_rresp_i),
      .axi_rlast_i  (m_axi_skip_rlast_i),
      .axi_rvalid_i (m_axi_skip_rvalid_i),
      .axi_rready_o (m_axi_skip_rready_o),
      .error_o      (skip_error)
    );

    // Column phases bring the pixels of each output phase together.
    flex_load #(
      .P           (P),
      .N           (N),
      .DataBytes   (DataBytes),
      .ActWords    (OutWords),
      .ColumnPhases(OutputPhases ? 4 : 1),
      .Cores       (Cores),
      .Engine      (EngineSkip)
    ) u_skip_load (
      .clk_i,
      .rst_ni      (core_rst_n),
      .cmd_data_i  (skip_cmd),
      .cmd_valid_i (skip_cmd_valid),
      .cmd_ready_o (skip_cmd_ready),
      .tiles_done_i(tiles_done_o),
      .cores_done_i,
      .req_addr_o  (req_addr),
      .req_beats_o (req_beats),
      .req_valid_o (req_valid),
      .req_ready_i (req_ready),
      .data_data_i (data),
      .data_valid_i(data_valid),
      .data_ready_o(data_ready),
      .wr_en_o     (skip_wr_en),
      .wr_addr_o   (skip_wr_addr),
      .wr_data_o   (skip_wr_data),
      .full_o      (skip_full),
      .freed_i     (skip_freed),
      .busy_o      (unused_counters[0]),
      .starved_o   (unused_counters[1]),
      .blocked_o   (unused_counters[2])
    );

    flex_column_buffer #(
      .P    (P),
      .N    (N),
      .Depth(2 * OutWords)
    ) u_skip_buffer (
      .clk_i,
      .rst_ni       (core_rst_n),
      .wr_en_i      (skip_wr_en),
      .wr_addr_i    (skip_wr_addr),
      .wr_data_i    (skip_wr_data),
      .rd_en_i      (skip_rd_en),
      .rd_addr_i    (skip_rd_addr),
      .rd_rotation_i('0),
      .rd_data_o    (skip_rd_data)
    );

    flex_sum #(
      .P            (P),
      .N            (N),
      .Q            (Q),
      .OutAddrWidth (OutAddrWidth),
      .SplitProducts(SplitProducts)
    ) u_sum (
      .clk_i,
      .rst_ni      (core_rst_n),
      .wr_en_i     (rq_wr_en),
      .wr_addr_i   (rq_wr_addr),
      .wr_data_i   (rq_wr_data),
      .wr_sum_i    (rq_sum),
      .group_full_i(rq_group_full),
      .rd_en_o     (skip_rd_en),
      .rd_addr_o   (skip_rd_addr),
      .rd_data_i   (skip_rd_data),
      .skip_freed_o(skip_freed),
      .wr_en_o     (sum_wr_en),
      .wr_addr_o   (sum_wr_addr),
      .wr_data_o   (sum_wr_data),
      .group_full_o(sum_group_full)
    );

    flex_delay #(
      .Width ($bits(table_t)),
      .Cycles(SumLatency)
    ) u_sum_table (
      .clk_i,
      .rst_ni(core_rst_n),
      .data_i(rq_table),
      .data_o(sum_table)
    );
  end else begin : gen_no_sum
    logic unused_skip;
    assign unused_skip = ^{
        skip_cmd, skip_cmd_valid, rq_sum,
        m_axi_skip_arready_i, m_axi_skip_rdata_i, m_axi_skip_rresp_i, m_axi_skip_rlast_i,
        m_axi_skip_rvalid_i
    };
    assign skip_cmd_ready = 1'b1;
    assign skip_full = 1'b0;
    assign skip_error = 1'b0;
    assign idle[4] = 1'b1;
    assign m_axi_skip_araddr_o = '0;
    assign m_axi_skip_arlen_o = '0;
    assign m_axi_skip_arvalid_o = 1'b0;
    assign m_axi_skip_rready_o = 1'b1;
    assign sum_wr_en = rq_wr_en;
    assign sum_wr_addr = rq_wr_addr;
    assign sum_wr_data = rq_wr_data;
    assign sum_group_full = rq_group_full;
    assign sum_table = rq_table;
  end

  if (Bends && Slopes) begin : gen_bend
    logic [Q-1:0][127:0] slopes;

    for (genvar q = 0; q < Q; q++) begin : gen_slope
      assign slopes[q] = param_wr_data[q*256+128+:128];
    end

    flex_bend #(
      .P            (P),
      .Q            (Q),
      .Lanes        (N / Q),
      .OutAddrWidth (OutAddrWidth),
      .ParamDepth   (ParamPasses * (M / Q)),
      .SplitProducts(SplitProducts)
    ) u_bend (
      .clk_i,
      .rst_ni         (core_rst_n),
      .param_wr_en_i  (param_wr_en),
      .param_wr_addr_i(param_wr_addr),
      .param_wr_data_i(slopes),
      .bend_i         (rq_sum.bend),
      .param_i        (rq_param),
      .wr_en_i        (sum_wr_en),
      .wr_addr_i      (sum_wr_addr),
      .wr_data_i      (sum_wr_data),
      .wr_table_i     (sum_table),
      .group_full_i   (sum_group_full),
      .wr_en_o        (bent_wr_en),
      .wr_addr_o      (bent_wr_addr),
      .wr_data_o      (bent_wr_data),
      .wr_table_o     (bent_table),
      .group_full_o   (bent_group_full)
    );
  end else begin : gen_no_bend
    assign bent_wr_en      = sum_wr_en;
    assign bent_wr_addr    = sum_wr_addr;
    assign bent_wr_data    = sum_wr_data;
    assign bent_table      = sum_table;
    assign bent_group_full = sum_group_full;
    logic unused_param;
    assign unused_param = ^rq_param;
  end

  if (Tables) begin : gen_table
    flex_table #(
      .P           (P),
      .Q           (Q),
      .Lanes       (N / Q),
      .OutAddrWidth(OutAddrWidth)
    ) u_table (
      .clk_i,
      .rst_ni      (core_rst_n),
      .word_data_i (table_word),
      .word_valid_i(table_valid),
      .word_ready_o(table_ready),
      .tile_i      (table_tile),
      .half_o      (table_half),
      .wr_en_i     (bent_wr_en),
      .wr_addr_i   (bent_wr_addr),
      .wr_data_i   (bent_wr_data),
      .wr_table_i  (bent_table),
      .group_full_i(bent_group_full),
      .wr_en_o     (out_wr_en),
      .wr_addr_o   (out_wr_addr),
      .wr_data_o   (out_wr_data),
      .group_full_o(group_full)
    );
  end else begin : gen_no_table
    assign out_wr_en   = bent_wr_en;
    assign out_wr_addr = bent_wr_addr;
    assign out_wr_data = bent_wr_data;
    assign group_full  = bent_group_full;
    assign table_ready = 1'b0;
    assign table_half  = 1'b0;
    logic unused_table;
    assign unused_table = ^{bent_table, table_word, table_valid, table_tile};
  end

  logic out_rd_en;
  logic [OutAddrWidth-1:0] out_rd_addr;
  logic [RotationWidth-1:0] out_rd_rotation;
  logic [P-1:0][N*8-1:0] out_rd_data;

  logic [P-1:0][N/Q-1:0] out_bank_en;
  logic [P-1:0][OutAddrWidth-1:0] out_bank_addr;
  logic [P-1:0][N*8-1:0] out_bank_data;
  assign out_bank_en   = {P{out_wr_en}};
  assign out_bank_addr = {P{out_wr_addr}};
  for (genvar p = 0; p < P; p++) begin : gen_out_bank
    // Every lane group sees the same bytes; the enables choose.
    assign out_bank_data[p] = {(N / Q) {out_wr_data[p]}};
  end

  flex_column_buffer #(
    .P        (P),
    .N        (N),
    .Depth    (2 * OutWords),
    .LaneBytes(Q)
  ) u_output_buffer (
    .clk_i,
    .rst_ni       (core_rst_n),
    .wr_en_i      (out_bank_en),
    .wr_addr_i    (out_bank_addr),
    .wr_data_i    (out_bank_data),
    .rd_en_i      (out_rd_en),
    .rd_addr_i    (out_rd_addr),
    .rd_rotation_i(out_rd_rotation),
    .rd_data_o    (out_rd_data)
  );

  flex_store #(
    .M           (M),
    .P           (P),
    .N           (N),
    .DataBytes   (DataBytes),
    .OutWords    (OutWords),
    .OutputPhases(OutputPhases)
  ) u_store (
    .clk_i,
    .rst_ni       (core_rst_n),
    .cmd_data_i   (store_cmd),
    .cmd_valid_i  (store_cmd_valid),
    .cmd_ready_o  (store_cmd_ready),
    .group_full_i (group_full),
    .group_freed_o(group_freed),
    .rd_en_o      (out_rd_en),
    .rd_addr_o    (out_rd_addr),
    .rd_rotation_o(out_rd_rotation),
    .rd_data_i    (out_rd_data),
    .req_addr_o   (store_req_addr),
    .req_beats_o  (store_req_beats),
    .req_valid_o  (store_req_valid),
    .req_ready_i  (store_req_ready),
    .data_data_o  (store_data),
    .data_strb_o  (store_strb),
    .data_valid_o (store_valid),
    .data_ready_i (store_ready),
    .done_i       (store_done),
    .tiles_done_o,
    .tile_done_o  (tile_done),
    .busy_o       (engine_busy_o[3]),
    .starved_o    (engine_starved_o[3]),
    .blocked_o    (engine_blocked_o[3]),
    .error_o      (store_error)
  );

  //////////
  // Done //
  //////////

  assign program_error = fetch_error || array_error || store_error;
  assign error_o       = {program_error, write_error, |wgt_error, act_error || skip_error};

  // A wrong program or pass image may ask for beats that never come: such a run ends at once.
  logic lost_q;

  always_ff @(posedge clk_i) begin
    if (!core_rst_n) lost_q <= 1'b0;
    else if (wgt_error != '0) lost_q <= 1'b1;
  end

  assign lost_o = program_error || lost_q;

  // Whether the next tile that counts is the last one. The end is seen together with its count, yet
  // from a register: what it halts lies all over the core.
  logic next_is_last_q, end_q;

  always_ff @(posedge clk_i) next_is_last_q <= end_valid && tiles_done_o + 1'b1 == end_tiles;

  assign ending = lost_o || abort_i || end_q;

  always_ff @(posedge clk_i) begin
    if (!core_rst_n) begin
      end_q  <= 1'b0;
      done_o <= 1'b0;
    end else begin
      end_q  <= end_valid && !fetch_busy &&
          (tiles_done_o == end_tiles || (tile_done && next_is_last_q));
      done_o <= ending && idle == '1;
    end
  end

  // Two tiles never count in neighbouring cycles, or the last one could be taken for another.
  `FLEX_ASSERT(TilesApart, tile_done |=> !tile_done)
  // A run that has come to its end stays there.
  `FLEX_ASSERT(EndStays, core_rst_n && end_q |=> end_q)
  // Requests for weights end where pass images end, unless memory lost what images are made of.
  `FLEX_ASSERT(WholeImages, core_rst_n && !engine_busy_o[1] && !lost_o |-> u_weight_load.between)

endmodule
