// SPDX-License-Identifier: Apache-2.0
//
// On-chip memory behind AXI4: incrementing bursts of full-width beats, one read and one write at a time.
//
// A beat per cycle each way, first data four cycles after their address; a burst begins when the one before has been
// issued. Addresses from Words on answer with DECERR. A read of what is being written returns either.

`include "flex_assert.svh"

module flex_axi_ram #(
  // Bytes of a beat; a power of two.
  parameter int unsigned DataBytes = 8,
  // Beats.
  parameter int unsigned Words     = 8192,
  // Bits of the read IDs.
  parameter int unsigned IdWidth   = 3
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  // Reads
  input  logic [    IdWidth-1:0] s_axi_arid_i,
  input  logic [           63:0] s_axi_araddr_i,
  input  logic [            7:0] s_axi_arlen_i,
  input  logic                   s_axi_arvalid_i,
  output logic                   s_axi_arready_o,
  output logic [    IdWidth-1:0] s_axi_rid_o,
  output logic [DataBytes*8-1:0] s_axi_rdata_o,
  output logic [            1:0] s_axi_rresp_o,
  output logic                   s_axi_rlast_o,
  output logic                   s_axi_rvalid_o,
  input  logic                   s_axi_rready_i,
  // Writes
  input  logic [           63:0] s_axi_awaddr_i,
  input  logic [            7:0] s_axi_awlen_i,
  input  logic                   s_axi_awvalid_i,
  output logic                   s_axi_awready_o,
  input  logic [DataBytes*8-1:0] s_axi_wdata_i,
  input  logic [  DataBytes-1:0] s_axi_wstrb_i,
  input  logic                   s_axi_wlast_i,
  input  logic                   s_axi_wvalid_i,
  output logic                   s_axi_wready_o,
  output logic [            1:0] s_axi_bresp_o,
  output logic                   s_axi_bvalid_o,
  input  logic                   s_axi_bready_i
);

  `FLEX_ASSERT_INIT(BeatPowerOfTwo, 2 ** $clog2(DataBytes) == DataBytes)
  `FLEX_ASSERT_INIT(WordsNonZero, Words >= 2)

  localparam int unsigned AddrWidth = $clog2(Words);
  localparam int unsigned Shift = $clog2(DataBytes);
  // Beats that are on their way from the RAM or wait to be taken.
  localparam int unsigned Ahead = 8;
  localparam int unsigned AheadWidth = $clog2(Ahead + 1);
  localparam logic [1:0] Okay = 2'b00, DecodeError = 2'b11;

  // Beats of a burst beyond the end: the sum has room for both.
  function automatic logic beyond(logic [63:Shift] beat, logic [7:0] len);
    return beat[63:32] != '0 || 33'(beat[31:Shift]) + 33'(len) >= 33'(Words);
  endfunction

  ///////////
  // Reads //
  ///////////

  logic reading_q, read, read_ends, read_taken;
  logic [AddrWidth-1:0] read_addr_q;
  logic [7:0] read_left_q;
  logic [IdWidth-1:0] read_id_q;
  logic read_bad_q;
  logic [AheadWidth-1:0] ahead_q;

  assign read            = reading_q && ahead_q != AheadWidth'(Ahead);
  assign read_ends       = read && read_left_q == '0;
  assign read_taken      = s_axi_rvalid_o && s_axi_rready_i;
  assign s_axi_arready_o = !reading_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      reading_q <= 1'b0;
      ahead_q   <= '0;
    end else begin
      reading_q <= s_axi_arready_o ? s_axi_arvalid_i : !read_ends;
      ahead_q   <= ahead_q + AheadWidth'(read) - AheadWidth'(read_taken);
    end
  end

  always_ff @(posedge clk_i) begin
    if (s_axi_arready_o) begin
      read_addr_q <= s_axi_araddr_i[Shift+:AddrWidth];
      read_left_q <= s_axi_arlen_i;
      read_id_q   <= s_axi_arid_i;
      read_bad_q  <= beyond(s_axi_araddr_i[63:Shift], s_axi_arlen_i);
    end else if (read) begin
      read_addr_q <= read_addr_q + 1'b1;
      read_left_q <= read_left_q - 1'b1;
    end
  end

  // What goes with the data, for as long as the RAM takes.
  logic came_valid, came_last, came_bad;
  logic [IdWidth-1:0] came_id;
  logic [DataBytes*8-1:0] came_data;

  flex_delay #(
    .Width (1),
    .Cycles(2),
    .Reset (1'b1)
  ) u_valid (
    .clk_i,
    .rst_ni,
    .data_i(read),
    .data_o(came_valid)
  );

  flex_delay #(
    .Width (IdWidth + 2),
    .Cycles(2),
    .Reset (1'b0)
  ) u_tag (
    .clk_i,
    .rst_ni,
    .data_i({read_id_q, read_bad_q, read_ends}),
    .data_o({came_id, came_bad, came_last})
  );

  logic out_bad, unused_ready;
  logic [AheadWidth-1:0] unused_level;

  flex_stream_fifo #(
    .Width(IdWidth + 2 + DataBytes * 8),
    .Depth(Ahead)
  ) u_fifo (
    .clk_i,
    .rst_ni,
    .in_data_i  ({came_id, came_bad, came_last, came_data}),
    .in_valid_i (came_valid),
    .in_ready_o (unused_ready),
    .out_data_o ({s_axi_rid_o, out_bad, s_axi_rlast_o, s_axi_rdata_o}),
    .out_valid_o(s_axi_rvalid_o),
    .out_ready_i(s_axi_rready_i),
    .level_o    (unused_level)
  );

  assign s_axi_rresp_o = out_bad ? DecodeError : Okay;

  ////////////
  // Writes //
  ////////////

  logic writing_q, answer_q, write;
  logic [AddrWidth-1:0] write_addr_q;
  logic write_bad_q;

  assign s_axi_awready_o = !writing_q && !answer_q;
  assign s_axi_wready_o  = writing_q;
  assign s_axi_bvalid_o  = answer_q;
  assign s_axi_bresp_o   = write_bad_q ? DecodeError : Okay;
  assign write           = s_axi_wvalid_i && s_axi_wready_o;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      writing_q <= 1'b0;
      answer_q  <= 1'b0;
    end else begin
      if (s_axi_awready_o) writing_q <= s_axi_awvalid_i;
      else if (write && s_axi_wlast_i) writing_q <= 1'b0;
      if (answer_q) answer_q <= !s_axi_bready_i;
      else answer_q <= write && s_axi_wlast_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (s_axi_awready_o) begin
      write_addr_q <= s_axi_awaddr_i[Shift+:AddrWidth];
      write_bad_q  <= beyond(s_axi_awaddr_i[63:Shift], s_axi_awlen_i);
    end else if (write) begin
      write_addr_q <= write_addr_q + 1'b1;
    end
  end

  flex_ram_sdp #(
    .Width         (DataBytes * 8),
    .Depth         (Words),
    .LaneWidth     (8),
    // Masters do not read what they are writing.
    .AllowCollision(1'b1)
  ) u_ram (
    .clk_i,
    .wr_en_i  (s_axi_wstrb_i & {DataBytes{write && !write_bad_q}}),
    .wr_addr_i(write_addr_q),
    .wr_data_i(s_axi_wdata_i),
    .rd_en_i  (read && !read_bad_q),
    .rd_addr_i(read_addr_q),
    .rd_data_o(came_data)
  );

  // Bursts begin at a beat.
  `FLEX_ASSERT(ArAligned, s_axi_arvalid_i |-> s_axi_araddr_i[Shift-1:0] == '0)
  `FLEX_ASSERT(AwAligned, s_axi_awvalid_i |-> s_axi_awaddr_i[Shift-1:0] == '0)
  // Data on their way have a place.
  `FLEX_ASSERT(RoomForData, came_valid |-> unused_ready)
  // What is offered stays until it is taken.
  `FLEX_ASSERT(RStable, s_axi_rvalid_o && !s_axi_rready_i |=> s_axi_rvalid_o && $stable
                        ({s_axi_rid_o, s_axi_rdata_o, s_axi_rresp_o, s_axi_rlast_o}))
  `FLEX_ASSERT(BStable, s_axi_bvalid_o && !s_axi_bready_i |=> s_axi_bvalid_o && $stable
                        (s_axi_bresp_o))

endmodule
