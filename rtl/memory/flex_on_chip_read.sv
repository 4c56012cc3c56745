// SPDX-License-Identifier: Apache-2.0
//
// A read port of on-chip memory: AXI4 bursts to words of banks, which hold the words in turn.
//
// A word per cycle, bursts without a gap; the first of a burst leaves ReadLatency + 3 cycles after its address when its
// bank is free. A word is asked for only when it has a place here, so banks never wait for a master.

`include "flex_assert.svh"

module flex_on_chip_read #(
  // Bytes of a beat and of a word; a power of two.
  parameter  int unsigned DataBytes   = 64,
  // Words of all banks together; those beyond answer with DECERR.
  parameter  int unsigned Words       = 8192,
  // A power of two that divides Words.
  parameter  int unsigned Banks       = 2,
  // Cycles from a grant to its data.
  parameter  int unsigned ReadLatency = 4,
  // Derived
  localparam int unsigned AddrWidth   = $clog2(Words * DataBytes),
  localparam int unsigned BankWidth   = (Words / Banks > 1) ? $clog2(Words / Banks) : 1
) (
  input  logic                                    clk_i,
  input  logic                                    rst_ni,
  // AXI
  input  logic [  AddrWidth-1:0]                  axi_araddr_i,
  input  logic [            7:0]                  axi_arlen_i,
  input  logic                                    axi_arvalid_i,
  output logic                                    axi_arready_o,
  output logic [DataBytes*8-1:0]                  axi_rdata_o,
  output logic [            1:0]                  axi_rresp_o,
  output logic                                    axi_rlast_o,
  output logic                                    axi_rvalid_o,
  input  logic                                    axi_rready_i,
  // Banks
  output logic [  BankWidth-1:0]                  bank_addr_o,
  output logic [      Banks-1:0]                  bank_valid_o,
  input  logic [      Banks-1:0]                  bank_grant_i,
  input  logic [      Banks-1:0][DataBytes*8-1:0] bank_data_i
);

  `FLEX_ASSERT_INIT(BanksLegal, Banks >= 1 && 2 ** $clog2(Banks) == Banks && Words % Banks == 0)
  `FLEX_ASSERT_INIT(BeatPowerOfTwo, 2 ** $clog2(DataBytes) == DataBytes)
  `FLEX_ASSERT_INIT(WordsEnough, Words >= 2)

  localparam int unsigned Shift = $clog2(DataBytes);
  localparam int unsigned WordWidth = AddrWidth - Shift;
  localparam int unsigned SelectWidth = (Banks > 1) ? $clog2(Banks) : 1;
  // Words that are on their way or wait: enough for one per cycle.
  localparam int unsigned Ahead = ReadLatency + 6;
  localparam int unsigned AheadWidth = $clog2(Ahead + 1);
  localparam logic [1:0] Okay = 2'b00, DecodeError = 2'b11;

  ////////////
  // Bursts //
  ////////////

  logic [AddrWidth-1:0] addr;
  logic [7:0] len;
  logic valid, ready;

  flex_stream_register #(
    .Width(AddrWidth + 8)
  ) u_ar (
    .clk_i,
    .rst_ni,
    .in_data_i  ({axi_araddr_i, axi_arlen_i}),
    .in_valid_i (axi_arvalid_i),
    .in_ready_o (axi_arready_o),
    .out_data_o ({addr, len}),
    .out_valid_o(valid),
    .out_ready_i(ready)
  );

  logic [Shift-1:0] unused_addr;
  assign unused_addr = addr[Shift-1:0];

  // The word that is asked for, and how many of its burst follow it.
  logic reading_q, bad_q, ask, granted, ends, taken;
  logic [WordWidth-1:0] word_q;
  logic [7:0] left_q;
  logic [AheadWidth-1:0] ahead_q;
  logic [SelectWidth-1:0] select;

  // What lies beyond the end is asked of nobody and answers at once.
  assign ask     = reading_q && ahead_q != AheadWidth'(Ahead);
  assign granted = ask && (bad_q || bank_grant_i[select]);
  assign ends    = granted && left_q == '0;
  assign ready   = !reading_q || ends;
  assign taken   = axi_rvalid_o && axi_rready_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      reading_q <= 1'b0;
      ahead_q   <= '0;
    end else begin
      if (ready) reading_q <= valid;
      ahead_q <= ahead_q + AheadWidth'(granted) - AheadWidth'(taken);
    end
  end

  always_ff @(posedge clk_i) begin
    if (ready) begin
      word_q <= addr[AddrWidth-1:Shift];
      left_q <= len;
      bad_q  <= 32'(addr[AddrWidth-1:Shift]) + 32'(len) >= Words;
    end else if (granted) begin
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
    bank_valid_o[select] = ask && !bad_q;
  end

  //////////
  // Data //
  //////////

  // What goes with the word, for as long as the bank takes.
  logic came_valid, came_last, came_bad;
  logic [SelectWidth-1:0] came_select;

  flex_delay #(
    .Width (1),
    .Cycles(ReadLatency),
    .Reset (1'b1)
  ) u_valid (
    .clk_i,
    .rst_ni,
    .data_i(granted),
    .data_o(came_valid)
  );

  flex_delay #(
    .Width (SelectWidth + 2),
    .Cycles(ReadLatency),
    .Reset (1'b0)
  ) u_tag (
    .clk_i,
    .rst_ni,
    .data_i({select, bad_q, ends}),
    .data_o({came_select, came_bad, came_last})
  );

  logic [DataBytes*8-1:0] word_data_q;
  logic word_valid_q, word_last_q, word_bad_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) word_valid_q <= 1'b0;
    else word_valid_q <= came_valid;
  end

  always_ff @(posedge clk_i) begin
    word_data_q <= bank_data_i[came_select];
    word_last_q <= came_last;
    word_bad_q  <= came_bad;
  end

  logic out_bad, fifo_ready;
  logic [AheadWidth-1:0] unused_level;

  flex_stream_fifo #(
    .Width(2 + DataBytes * 8),
    .Depth(Ahead)
  ) u_fifo (
    .clk_i,
    .rst_ni,
    .in_data_i  ({word_bad_q, word_last_q, word_data_q}),
    .in_valid_i (word_valid_q),
    .in_ready_o (fifo_ready),
    .out_data_o ({out_bad, axi_rlast_o, axi_rdata_o}),
    .out_valid_o(axi_rvalid_o),
    .out_ready_i(axi_rready_i),
    .level_o    (unused_level)
  );

  assign axi_rresp_o = out_bad ? DecodeError : Okay;

  // Bursts begin at a beat.
  `FLEX_ASSERT(ArAligned, axi_arvalid_i |-> axi_araddr_i[Shift-1:0] == '0)
  // Words on their way have a place.
  `FLEX_ASSERT(RoomForWord, word_valid_q |-> fifo_ready)
  // A grant answers what is asked.
  `FLEX_ASSERT(GrantAsked, (bank_grant_i & ~bank_valid_o) == '0)
  // What is offered stays until it is taken.
  `FLEX_ASSERT(RStable, axi_rvalid_o && !axi_rready_i |=> axi_rvalid_o && $stable
                        ({axi_rdata_o, axi_rresp_o, axi_rlast_o}))

endmodule
