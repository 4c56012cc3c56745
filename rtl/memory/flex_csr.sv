// SPDX-License-Identifier: Apache-2.0
//
// Control and status registers on AXI4-Lite, with the run's state, its first error and the performance counters.
//
// A write of 1 to CONTROL starts a run unless one is under way: `start_o` pulses, and from the third cycle after the pulse
// `done_i` and `error_i` belong to the new run. The registers themselves are generated: docs/rtl/csr.md.

`include "flex_assert.svh"

module flex_csr
  import flex_pkg::*;
  import flex_program_pkg::MaxCores;
#(
  // Shape of the array, for the host to read.
  parameter int unsigned M      = 8,
  parameter int unsigned P      = 8,
  parameter int unsigned N      = 8,
  parameter bit          Packed = 1'b1,
  // Cores that run together, 1..MaxCores.
  parameter int unsigned Cores  = 1
) (
  input  logic                        clk_i,
  input  logic                        rst_ni,
  // AXI4-Lite
  input  logic [            7:0]      s_axi_ctrl_awaddr_i,
  input  logic [            2:0]      s_axi_ctrl_awprot_i,
  input  logic                        s_axi_ctrl_awvalid_i,
  output logic                        s_axi_ctrl_awready_o,
  input  logic [           31:0]      s_axi_ctrl_wdata_i,
  input  logic [            3:0]      s_axi_ctrl_wstrb_i,
  input  logic                        s_axi_ctrl_wvalid_i,
  output logic                        s_axi_ctrl_wready_o,
  output logic [            1:0]      s_axi_ctrl_bresp_o,
  output logic                        s_axi_ctrl_bvalid_o,
  input  logic                        s_axi_ctrl_bready_i,
  input  logic [            7:0]      s_axi_ctrl_araddr_i,
  input  logic [            2:0]      s_axi_ctrl_arprot_i,
  input  logic                        s_axi_ctrl_arvalid_i,
  output logic                        s_axi_ctrl_arready_o,
  output logic [           31:0]      s_axi_ctrl_rdata_o,
  output logic [            1:0]      s_axi_ctrl_rresp_o,
  output logic                        s_axi_ctrl_rvalid_o,
  input  logic                        s_axi_ctrl_rready_i,
  // Core
  output logic                        start_o,
  output logic [           63:0]      base_o,
  output logic [OffsetWidth-1:0]      program_addr_o,
  output logic [ BeatsWidth-1:0]      program_beats_o,
  output logic                        interrupt_o,
  input  logic                        done_i,
  // Program, write, program or weight read, activation read
  input  logic [            3:0]      error_i,
  input  logic [           31:0]      tiles_done_i,
  // Store, array, weights, load of every core
  input  logic [      Cores-1:0][3:0] engine_busy_i,
  input  logic [      Cores-1:0][3:0] engine_starved_i,
  input  logic [      Cores-1:0][3:0] engine_blocked_i
);

  `FLEX_ASSERT_INIT(ShapeFits, M < 4096 && N < 256 && P < 256)
  `FLEX_ASSERT_INIT(CoresInRange, Cores >= 1 && Cores <= MaxCores)

  localparam int unsigned Engines = 4;
  localparam int unsigned Kinds = 3;
  localparam int unsigned EventWidth = $clog2(Cores + 1);

  flex_csr_regs_pkg::flex_csr_regs__in_t  hw_in;
  flex_csr_regs_pkg::flex_csr_regs__out_t hw_out;

  //////////////////
  // State of run //
  //////////////////

  // The core drops `done_i` and `error_i` by the third cycle after a start.
  typedef enum logic [2:0] {
    StIdle,
    StStart,
    StSettle0,
    StSettle1,
    StRun
  } state_e;

  state_e state_q, state_d;
  logic busy, ended, done_q;

  assign busy    = state_q != StIdle;
  assign start_o = state_q == StStart;
  assign ended   = state_q == StRun && done_i;

  always_comb begin
    state_d = state_q;
    unique case (state_q)
      StIdle:    if (hw_out.CONTROL.start.value) state_d = StStart;
      StStart:   state_d = StSettle0;
      StSettle0: state_d = StSettle1;
      StSettle1: state_d = StRun;
      StRun:     if (done_i) state_d = StIdle;
      default:   state_d = StIdle;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q <= StIdle;
      done_q  <= 1'b0;
    end else begin
      state_q <= state_d;
      if (start_o) done_q <= 1'b0;
      else if (ended) done_q <= 1'b1;
    end
  end

  // The first error of a run stays; of several in one cycle the lowest number.
  logic [2:0] error_q, error_d;

  always_comb begin
    error_d = error_q;
    if (start_o) begin
      error_d = 3'd0;
    end else if (state_q == StRun && error_q == 3'd0) begin
      if (error_i[0]) error_d = 3'd1;
      else if (error_i[1]) error_d = 3'd2;
      else if (error_i[2]) error_d = 3'd3;
      else if (error_i[3]) error_d = 3'd4;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) error_q <= 3'd0;
    else error_q <= error_d;
  end

  //////////////
  // Counters //
  //////////////

  logic [63:0] cycles_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || start_o) cycles_q <= '0;
    else if (busy) cycles_q <= cycles_q + 1'b1;
  end

  // Busy, starved and blocked cycles of each engine, those of all cores together; they stop rather
  // than pass the largest number. An engine that says more than one at once is blocked before it is
  // starved, starved before it is busy: no cycle counts twice, and the cycles of a run that none of
  // the three counts are those without work.
  // What engines say comes from logic that decides what they do: nothing is added to it in the cycle
  // in which it is said.
  logic [Cores-1:0][Engines-1:0] busy_q, starved_q, blocked_q;
  logic run_q;

  always_ff @(posedge clk_i) begin
    busy_q    <= engine_busy_i;
    starved_q <= engine_starved_i;
    blocked_q <= engine_blocked_i;
    run_q     <= state_q == StRun;
  end

  logic [Engines-1:0][Kinds-1:0][EventWidth-1:0] event_q;
  logic [Engines-1:0][Kinds-1:0][31:0] count_q;

  for (genvar e = 0; e < Engines; e++) begin : gen_engine
    logic [Kinds-1:0][EventWidth-1:0] events;

    always_comb begin
      events = '0;
      for (int unsigned c = 0; c < Cores; c++) begin
        if (blocked_q[c][e]) events[2] += 1'b1;
        else if (starved_q[c][e]) events[1] += 1'b1;
        else if (busy_q[c][e]) events[0] += 1'b1;
      end
    end

    always_ff @(posedge clk_i) event_q[e] <= run_q ? events : '0;

    for (genvar k = 0; k < Kinds; k++) begin : gen_count
      // Of the upper bits only whether all are set, so that no carry decides.
      logic room;
      logic [EventWidth-1:0] left;
      assign left = ~count_q[e][k][EventWidth-1:0];
      assign room = !(&count_q[e][k][31:EventWidth]) || event_q[e][k] <= left;

      always_ff @(posedge clk_i) begin
        if (!rst_ni || start_o) count_q[e][k] <= '0;
        else if (room) count_q[e][k] <= count_q[e][k] + 32'(event_q[e][k]);
      end
    end
  end

  ///////////////
  // Registers //
  ///////////////

  always_comb begin
    hw_in.STATUS.busy.next          = busy;
    hw_in.STATUS.done.next          = done_q;
    hw_in.STATUS.error.next         = error_q != 3'd0;
    hw_in.IRQ_STATUS.done.hwset     = ended;
    hw_in.ERROR.code.next           = error_q;
    hw_in.TILES_DONE.tiles.next     = tiles_done_i;
    hw_in.ARRAY.m.next              = 12'(M);
    hw_in.ARRAY.n.next              = 8'(N);
    hw_in.ARRAY.p.next              = 8'(P);
    hw_in.ARRAY.packed_columns.next = Packed;
    hw_in.CYCLES_LOW.count.next     = cycles_q[31:0];
    hw_in.CYCLES_HIGH.count.next    = cycles_q[63:32];
    for (int unsigned e = 0; e < Engines; e++) begin
      hw_in.ENGINE[e].BUSY.count.next    = count_q[e][0];
      hw_in.ENGINE[e].STARVED.count.next = count_q[e][1];
      hw_in.ENGINE[e].BLOCKED.count.next = count_q[e][2];
    end
  end

  logic [OffsetWidth-1:0] program_addr;
  assign program_addr    = {hw_out.PROGRAM_HIGH.address.value, hw_out.PROGRAM_LOW.address.value};
  assign base_o          = {hw_out.BASE_HIGH.address.value, hw_out.BASE_LOW.address.value};
  assign program_addr_o  = program_addr;
  assign program_beats_o = hw_out.PROGRAM_BEATS.beats.value;
  assign interrupt_o     = hw_out.IRQ_ENABLE.done.value && hw_out.IRQ_STATUS.done.value;

  flex_csr_regs u_regs (
    .clk           (clk_i),
    .rst_n         (rst_ni),
    .s_axil_awready(s_axi_ctrl_awready_o),
    .s_axil_awvalid(s_axi_ctrl_awvalid_i),
    .s_axil_awaddr (s_axi_ctrl_awaddr_i[6:0]),
    .s_axil_awprot (s_axi_ctrl_awprot_i),
    .s_axil_wready (s_axi_ctrl_wready_o),
    .s_axil_wvalid (s_axi_ctrl_wvalid_i),
    .s_axil_wdata  (s_axi_ctrl_wdata_i),
    .s_axil_wstrb  (s_axi_ctrl_wstrb_i),
    .s_axil_bready (s_axi_ctrl_bready_i),
    .s_axil_bvalid (s_axi_ctrl_bvalid_o),
    .s_axil_bresp  (s_axi_ctrl_bresp_o),
    .s_axil_arready(s_axi_ctrl_arready_o),
    .s_axil_arvalid(s_axi_ctrl_arvalid_i),
    .s_axil_araddr (s_axi_ctrl_araddr_i[6:0]),
    .s_axil_arprot (s_axi_ctrl_arprot_i),
    .s_axil_rready (s_axi_ctrl_rready_i),
    .s_axil_rvalid (s_axi_ctrl_rvalid_o),
    .s_axil_rdata  (s_axi_ctrl_rdata_o),
    .s_axil_rresp  (s_axi_ctrl_rresp_o),
    .hwif_in       (hw_in),
    .hwif_out      (hw_out)
  );

  logic unused_addr;
  assign unused_addr = ^{s_axi_ctrl_awaddr_i[7], s_axi_ctrl_araddr_i[7]};

  // A start is one cycle long and comes only between runs.
  `FLEX_ASSERT(StartIsPulse, start_o |=> !start_o)
  // The interrupt waits for the host.
  `FLEX_ASSERT(InterruptHolds, ended |=> hw_out.IRQ_STATUS.done.value)

endmodule
