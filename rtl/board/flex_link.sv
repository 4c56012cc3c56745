// SPDX-License-Identifier: Apache-2.0
//
// A host's hand on a board: requests in frames on a serial line, carried out on memory (AXI4) and registers (AXI4-Lite).
//
// One request at a time, a reply to each. A request that was carried out is not carried out again when it comes twice
// in a row, as happens when its reply is lost: writes are safe to repeat. A Hello forgets that.
// The protocol: docs/rtl/board.md. Memory has 32-bit addresses and beats of eight bytes.

`include "flex_assert.svh"

module flex_link
  import flex_link_pkg::*;
#(
  // Clock cycles of a bit on the line.
  parameter int unsigned ClocksPerBit = 20,
  // Cycles between two bytes after which a frame is given up.
  parameter int unsigned GapCycles    = 4096,
  // What Hello tells of the memory.
  parameter int unsigned MemoryBytes  = 65536
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  // Serial line, asynchronous
  input  logic                   rx_i,
  output logic                   tx_o,
  // Pulse: a request has been taken
  output logic                   active_o,
  // Registers
  output logic [            7:0] reg_awaddr_o,
  output logic                   reg_awvalid_o,
  input  logic                   reg_awready_i,
  output logic [           31:0] reg_wdata_o,
  output logic                   reg_wvalid_o,
  input  logic                   reg_wready_i,
  input  logic [            1:0] reg_bresp_i,
  input  logic                   reg_bvalid_i,
  output logic                   reg_bready_o,
  output logic [            7:0] reg_araddr_o,
  output logic                   reg_arvalid_o,
  input  logic                   reg_arready_i,
  input  logic [           31:0] reg_rdata_i,
  input  logic [            1:0] reg_rresp_i,
  input  logic                   reg_rvalid_i,
  output logic                   reg_rready_o,
  // Memory
  output logic [           63:0] mem_araddr_o,
  output logic [            7:0] mem_arlen_o,
  output logic                   mem_arvalid_o,
  input  logic                   mem_arready_i,
  input  logic [BeatBytes*8-1:0] mem_rdata_i,
  input  logic [            1:0] mem_rresp_i,
  input  logic                   mem_rlast_i,
  input  logic                   mem_rvalid_i,
  output logic                   mem_rready_o,
  output logic [           63:0] mem_awaddr_o,
  output logic [            7:0] mem_awlen_o,
  output logic                   mem_awvalid_o,
  input  logic                   mem_awready_i,
  output logic [BeatBytes*8-1:0] mem_wdata_o,
  output logic [  BeatBytes-1:0] mem_wstrb_o,
  output logic                   mem_wlast_o,
  output logic                   mem_wvalid_o,
  input  logic                   mem_wready_i,
  input  logic [            1:0] mem_bresp_i,
  input  logic                   mem_bvalid_i,
  output logic                   mem_bready_o
);

  localparam int unsigned IndexWidth = $clog2(MaxBeats);
  localparam int unsigned PageBeats = 4096 / BeatBytes;
  localparam logic [15:0] Version = 16'd1;
  localparam logic [1:0] BusOkay = 2'b00;

  typedef enum logic [3:0] {
    Idle,
    Fetch,
    RegisterWrite,
    RegisterRead,
    MemoryAddress,
    MemoryRead,
    MemoryFetch,
    MemoryWrite,
    Response,
    Reply
  } state_e;

  //////////
  // Line //
  //////////

  logic [7:0] rx_data, tx_data;
  logic rx_valid, tx_valid, tx_ready;

  flex_uart_rx #(
    .ClocksPerBit(ClocksPerBit)
  ) u_rx (
    .clk_i,
    .rst_ni,
    .rx_i,
    .valid_o(rx_valid),
    .data_o (rx_data)
  );

  flex_uart_tx #(
    .ClocksPerBit(ClocksPerBit)
  ) u_tx (
    .clk_i,
    .rst_ni,
    .in_data_i (tx_data),
    .in_valid_i(tx_valid),
    .in_ready_o(tx_ready),
    .tx_o
  );

  ////////////
  // Frames //
  ////////////

  request_t request;
  logic request_valid, reply_valid, reply_ready;
  logic receive_wr_en, send_rd_en;
  logic [IndexWidth-1:0] receive_wr_addr, send_rd_addr;
  logic [BeatBytes*8-1:0] receive_wr_data;
  logic [7:0] status_q, reply_beats;

  flex_link_receive #(
    .GapCycles(GapCycles)
  ) u_receive (
    .clk_i,
    .rst_ni,
    .byte_data_i    (rx_data),
    .byte_valid_i   (rx_valid),
    .wr_en_o        (receive_wr_en),
    .wr_addr_o      (receive_wr_addr),
    .wr_data_o      (receive_wr_data),
    .request_data_o (request),
    .request_valid_o(request_valid),
    .request_ready_i(reply_valid && reply_ready)
  );

  logic [BeatBytes*8-1:0] rd_data;

  flex_link_send u_send (
    .clk_i,
    .rst_ni,
    .reply_status_i  (status_q),
    .reply_sequence_i(request.sequence_number),
    .reply_beats_i   (reply_beats),
    .reply_valid_i   (reply_valid),
    .reply_ready_o   (reply_ready),
    .rd_en_o         (send_rd_en),
    .rd_addr_o       (send_rd_addr),
    .rd_data_i       (rd_data),
    .byte_data_o     (tx_data),
    .byte_valid_o    (tx_valid),
    .byte_ready_i    (tx_ready)
  );

  ////////////
  // Buffer //
  ////////////

  // Written by the line or by what is carried out, read by what is carried out or for the reply: never both at once.
  logic own_wr_en, own_rd_en;
  logic [BeatBytes*8-1:0] own_wr_data;
  logic [7:0] beat_q;

  flex_ram_sdp #(
    .Width         (BeatBytes * 8),
    .Depth         (MaxBeats),
    // A beat of a frame that comes too early may overwrite a reply, which its host then no longer waits for.
    .AllowCollision(1'b1)
  ) u_buffer (
    .clk_i,
    .wr_en_i  (receive_wr_en || own_wr_en),
    .wr_addr_i(own_wr_en ? beat_q[IndexWidth-1:0] : receive_wr_addr),
    .wr_data_i(own_wr_en ? own_wr_data : receive_wr_data),
    .rd_en_i  (own_rd_en || send_rd_en),
    .rd_addr_i(own_rd_en ? beat_q[IndexWidth-1:0] : send_rd_addr),
    .rd_data_o(rd_data)
  );

  //////////////
  // Carrying //
  //////////////

  state_e state_d, state_q;
  // The last request that wrote something, and how it went.
  logic [7:0] done_number_q, done_status_q;
  logic done_q;
  logic [1:0] wait_q;
  logic is_write, is_memory, repeated, legal, awaits_q, w_awaits_q, failed;

  assign is_write  = has_payload(request.command);
  assign is_memory = request.command == ReadMemory || request.command == WriteMemory;
  assign repeated  = is_write && done_q && done_number_q == request.sequence_number;

  // Memory: one to MaxBeats beats, aligned, within a page. Registers: one word, aligned.
  always_comb begin
    legal = request.command == Hello;
    if (is_memory) begin
      legal = request.beats != '0 && request.beats <= 8'(MaxBeats) && request.addr[2:0] == '0 &&
              32'(request.addr[11:3]) + 32'(request.beats) <= PageBeats;
    end
    if (request.command == ReadRegister || request.command == WriteRegister) begin
      legal = request.beats == 8'd1 && request.addr[31:8] == '0 && request.addr[1:0] == '0;
    end
  end

  assign failed      = (mem_rvalid_i && mem_rready_o && mem_rresp_i != BusOkay) ||
                       (reg_rvalid_i && reg_rready_o && reg_rresp_i != BusOkay) ||
                       (mem_bvalid_i && mem_bready_o && mem_bresp_i != BusOkay) ||
                       (reg_bvalid_i && reg_bready_o && reg_bresp_i != BusOkay);

  assign reply_valid = state_q == Reply;
  assign reply_beats = is_write || status_q != Okay ? '0 :
                       request.command == ReadMemory ? request.beats : 8'd1;
  assign active_o = request_valid && reply_valid && reply_ready;

  always_comb begin
    state_d = state_q;
    unique case (state_q)
      Idle: begin
        if (request_valid) begin
          if (repeated || !legal || request.command == Hello) state_d = Reply;
          else if (request.command == ReadRegister) state_d = RegisterRead;
          else if (request.command == WriteRegister) state_d = Fetch;
          else state_d = MemoryAddress;
        end
      end
      Fetch:         if (wait_q == 2'd2) state_d = RegisterWrite;
      RegisterWrite: if (!awaits_q && !w_awaits_q) state_d = Response;
      RegisterRead:  if (reg_rvalid_i) state_d = Reply;
      MemoryAddress: begin
        if (mem_arvalid_o && mem_arready_i) state_d = MemoryRead;
        if (mem_awvalid_o && mem_awready_i) state_d = MemoryFetch;
      end
      MemoryRead:    if (mem_rvalid_i && mem_rlast_i) state_d = Reply;
      MemoryFetch:   if (wait_q == 2'd2) state_d = MemoryWrite;
      MemoryWrite:   if (mem_wready_i) state_d = mem_wlast_o ? Response : MemoryFetch;
      Response:      if (mem_bvalid_i || reg_bvalid_i) state_d = Reply;
      Reply:         if (reply_ready) state_d = Idle;
      default:       ;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q <= Idle;
      done_q  <= 1'b0;
    end else begin
      state_q <= state_d;
      if (reply_valid && reply_ready && is_write && legal) done_q <= 1'b1;
      if (reply_valid && reply_ready && request.command == Hello) done_q <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (state_q == Idle) begin
      status_q <= repeated ? done_status_q : legal ? Okay : Refused;
    end else if (failed) begin
      status_q <= BusError;
    end
    if (reply_valid && reply_ready && is_write && legal) begin
      done_number_q <= request.sequence_number;
      done_status_q <= status_q;
    end
  end

  // Beats, cycles of the buffer, addresses that wait.
  always_ff @(posedge clk_i) begin
    wait_q <= state_q == Fetch || state_q == MemoryFetch ? wait_q + 1'b1 : '0;
    if (state_q == Idle) beat_q <= '0;
    else if ((mem_rvalid_i && mem_rready_o) || (mem_wvalid_o && mem_wready_i)) begin
      beat_q <= beat_q + 1'b1;
    end
    if (state_q == Idle || state_q == Fetch) begin
      awaits_q   <= 1'b1;
      w_awaits_q <= 1'b1;
    end else begin
      if ((reg_awvalid_o && reg_awready_i) || (reg_arvalid_o && reg_arready_i)) awaits_q <= 1'b0;
      if (reg_wvalid_o && reg_wready_i) w_awaits_q <= 1'b0;
    end
  end

  // A Hello, a register or a beat of memory goes into the buffer.
  assign own_wr_en = (state_q == Idle && request_valid && request.command == Hello) ||
                     (reg_rvalid_i && reg_rready_o) || (mem_rvalid_i && mem_rready_o);
  assign own_rd_en = state_q == Fetch || state_q == MemoryFetch;

  always_comb begin
    own_wr_data = {MemoryBytes, 8'(MaxBeats), 8'(BeatBytes), Version};
    if (state_q == RegisterRead) own_wr_data = 64'(reg_rdata_i);
    if (state_q == MemoryRead) own_wr_data = mem_rdata_i;
  end

  assign reg_awaddr_o  = request.addr[7:0];
  assign reg_awvalid_o = state_q == RegisterWrite && awaits_q;
  assign reg_wdata_o   = rd_data[31:0];
  assign reg_wvalid_o  = state_q == RegisterWrite && w_awaits_q;
  assign reg_bready_o  = state_q == Response && request.command == WriteRegister;
  assign reg_araddr_o  = request.addr[7:0];
  assign reg_arvalid_o = state_q == RegisterRead && awaits_q;
  assign reg_rready_o  = state_q == RegisterRead;

  assign mem_araddr_o  = 64'(request.addr);
  assign mem_arlen_o   = request.beats - 1'b1;
  assign mem_arvalid_o = state_q == MemoryAddress && !is_write;
  assign mem_rready_o  = state_q == MemoryRead;
  assign mem_awaddr_o  = 64'(request.addr);
  assign mem_awlen_o   = request.beats - 1'b1;
  assign mem_awvalid_o = state_q == MemoryAddress && is_write;
  assign mem_wdata_o   = rd_data;
  assign mem_wstrb_o   = '1;
  assign mem_wlast_o   = beat_q == request.beats - 1'b1;
  assign mem_wvalid_o  = state_q == MemoryWrite;
  assign mem_bready_o  = state_q == Response && request.command == WriteMemory;

  // What is carried out is a legal request.
  `FLEX_ASSERT(OnlyLegal, state_q inside {[Fetch : Response]} |-> request_valid && legal)
  // A burst has the beats that were asked for.
  `FLEX_ASSERT(LastIsLast, mem_rvalid_i && mem_rready_o |-> mem_rlast_i == (beat_q == mem_arlen_o))
  // Addresses and data offered stay put until they are taken.
  `FLEX_ASSERT(ArStable, mem_arvalid_o && !mem_arready_i |=> mem_arvalid_o && $stable(mem_araddr_o))
  `FLEX_ASSERT(AwStable, mem_awvalid_o && !mem_awready_i |=> mem_awvalid_o && $stable(mem_awaddr_o))
  `FLEX_ASSERT(WStable, mem_wvalid_o && !mem_wready_i |=> mem_wvalid_o && $stable(mem_wdata_o))

endmodule
