// SPDX-License-Identifier: Apache-2.0
//
// A write port of on-chip memory: AXI4 bursts to words of banks, which hold the words in turn.
//
// A word per cycle while its bank is free, bursts without a gap. A response comes when the words of its burst have been
// granted: a read that the bank grants from then on finds them.

`include "flex_assert.svh"

module flex_on_chip_write #(
  // Bytes of a beat and of a word; a power of two.
  parameter  int unsigned DataBytes      = 64,
  // Words of all banks together; a burst that reaches beyond is answered with DECERR and writes nothing.
  parameter  int unsigned Words          = 8192,
  // A power of two that divides Words.
  parameter  int unsigned Banks          = 2,
  // Bursts whose response has not been taken.
  parameter  int unsigned MaxOutstanding = 16,
  // Derived
  localparam int unsigned AddrWidth      = $clog2(Words * DataBytes),
  localparam int unsigned BankWidth      = (Words / Banks > 1) ? $clog2(Words / Banks) : 1
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  // AXI
  input  logic [  AddrWidth-1:0] axi_awaddr_i,
  input  logic [            7:0] axi_awlen_i,
  input  logic                   axi_awvalid_i,
  output logic                   axi_awready_o,
  input  logic [DataBytes*8-1:0] axi_wdata_i,
  input  logic [  DataBytes-1:0] axi_wstrb_i,
  input  logic                   axi_wlast_i,
  input  logic                   axi_wvalid_i,
  output logic                   axi_wready_o,
  output logic [            1:0] axi_bresp_o,
  output logic                   axi_bvalid_o,
  input  logic                   axi_bready_i,
  // Banks
  output logic [  BankWidth-1:0] bank_addr_o,
  output logic [DataBytes*8-1:0] bank_data_o,
  output logic [  DataBytes-1:0] bank_strb_o,
  output logic [      Banks-1:0] bank_valid_o,
  input  logic [      Banks-1:0] bank_grant_i
);

  `FLEX_ASSERT_INIT(BanksLegal, Banks >= 1 && 2 ** $clog2(Banks) == Banks && Words % Banks == 0)
  `FLEX_ASSERT_INIT(BeatPowerOfTwo, 2 ** $clog2(DataBytes) == DataBytes)
  `FLEX_ASSERT_INIT(WordsEnough, Words >= 2)
  `FLEX_ASSERT_INIT(OutstandingNonZero, MaxOutstanding >= 1)

  localparam int unsigned Shift = $clog2(DataBytes);
  localparam int unsigned WordWidth = AddrWidth - Shift;
  localparam int unsigned SelectWidth = (Banks > 1) ? $clog2(Banks) : 1;
  localparam int unsigned LevelWidth = $clog2(MaxOutstanding + 1);
  localparam logic [1:0] Okay = 2'b00, DecodeError = 2'b11;

  ////////////
  // Bursts //
  ////////////

  logic [AddrWidth-1:0] addr;
  logic [7:0] len;
  logic valid, ready, room;

  flex_stream_register #(
    .Width(AddrWidth + 8)
  ) u_aw (
    .clk_i,
    .rst_ni,
    .in_data_i  ({axi_awaddr_i, axi_awlen_i}),
    .in_valid_i (axi_awvalid_i),
    .in_ready_o (axi_awready_o),
    .out_data_o ({addr, len}),
    .out_valid_o(valid),
    .out_ready_i(ready && room)
  );

  logic [Shift-1:0] unused_addr;
  assign unused_addr = addr[Shift-1:0];

  logic beat_valid, beat_ready, beat_last;

  flex_stream_register #(
    .Width(DataBytes * 9 + 1)
  ) u_w (
    .clk_i,
    .rst_ni,
    .in_data_i  ({axi_wlast_i, axi_wstrb_i, axi_wdata_i}),
    .in_valid_i (axi_wvalid_i),
    .in_ready_o (axi_wready_o),
    .out_data_o ({beat_last, bank_strb_o, bank_data_o}),
    .out_valid_o(beat_valid),
    .out_ready_i(beat_ready)
  );

  // The word that is written next.
  logic writing_q, bad_q, ends;
  logic [WordWidth-1:0] word_q;
  logic [7:0] left_q;
  logic [SelectWidth-1:0] select;
  // Bursts begun whose response has not been taken.
  logic [LevelWidth-1:0] open_q;
  logic answered;

  assign beat_ready = writing_q && (bad_q || bank_grant_i[select]);
  assign ends       = beat_valid && beat_ready && beat_last;
  assign ready      = !writing_q || ends;
  assign room       = open_q != LevelWidth'(MaxOutstanding);
  assign answered   = axi_bvalid_o && axi_bready_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      writing_q <= 1'b0;
      open_q    <= '0;
    end else begin
      if (ready) writing_q <= valid && room;
      open_q <= open_q + LevelWidth'(valid && ready && room) - LevelWidth'(answered);
    end
  end

  always_ff @(posedge clk_i) begin
    if (ready) begin
      word_q <= addr[AddrWidth-1:Shift];
      left_q <= len;
      bad_q  <= 32'(addr[AddrWidth-1:Shift]) + 32'(len) >= Words;
    end else if (beat_valid && beat_ready) begin
      word_q <= word_q + 1'b1;
      left_q <= left_q - 1'b1;
    end
  end

  if (Banks > 1) begin : gen_banks
    assign select      = word_q[SelectWidth-1:0];
    assign bank_addr_o = BankWidth'(word_q >> SelectWidth);
  end else begin : gen_bank
    assign select      = '0;
    assign bank_addr_o = BankWidth'(word_q);
  end

  always_comb begin
    bank_valid_o         = '0;
    bank_valid_o[select] = writing_q && beat_valid && !bad_q;
  end

  ///////////////
  // Responses //
  ///////////////

  logic out_bad, answers_ready;
  logic [LevelWidth-1:0] unused_level;

  flex_stream_fifo #(
    .Width(1),
    .Depth(MaxOutstanding)
  ) u_answers (
    .clk_i,
    .rst_ni,
    .in_data_i  (bad_q),
    .in_valid_i (ends),
    .in_ready_o (answers_ready),
    .out_data_o (out_bad),
    .out_valid_o(axi_bvalid_o),
    .out_ready_i(axi_bready_i),
    .level_o    (unused_level)
  );

  assign axi_bresp_o = out_bad ? DecodeError : Okay;

  // Bursts begin at a beat.
  `FLEX_ASSERT(AwAligned, axi_awvalid_i |-> axi_awaddr_i[Shift-1:0] == '0)
  // A response has a place.
  `FLEX_ASSERT(RoomForAnswer, ends |-> answers_ready)
  // The last beat of a burst, and no other, is marked.
  `FLEX_ASSERT(LastAtEnd, beat_valid && writing_q |-> beat_last == (left_q == '0))
  // A grant answers what is asked.
  `FLEX_ASSERT(GrantAsked, (bank_grant_i & ~bank_valid_o) == '0)
  // What is offered stays until it is taken.
  `FLEX_ASSERT(BStable, axi_bvalid_o && !axi_bready_i |=> axi_bvalid_o && $stable(axi_bresp_o))

endmodule
