// SPDX-License-Identifier: Apache-2.0
//
// Cuts a run of beats into ring words, or joins beats to ring words, low bytes first.
//
// While the beat is addressed to this ring it is offered by `valid_i`; `beat_done_o` says that it
// is used up. `word_o` marks the cycles in which a word becomes complete; `last_i` then says
// whether it ends the run: the rest of its beat is dropped. The word itself comes one cycle later.
//
// Throughput: one word per cycle, at most one beat per cycle. Latency: 1 cycle.
// Limits: both sizes are powers of two.

`include "flex_assert.svh"

module flex_ring_slicer #(
  // Bytes of a beat; a power of two.
  parameter int unsigned DataBytes = 64,
  // Bytes of a ring word; a power of two.
  parameter int unsigned WordBytes = 16
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  // Beat
  input  logic [DataBytes*8-1:0] beat_i,
  input  logic                   valid_i,
  output logic                   beat_done_o,
  // The ring has room for a word
  input  logic                   room_i,
  // A word is complete; it is the last of its run
  output logic                   word_o,
  input  logic                   last_i,
  // Ring
  output logic                   wr_en_o,
  output logic [WordBytes*8-1:0] wr_data_o
);

  `FLEX_ASSERT_INIT(BeatPowerOfTwo, DataBytes > 0 && (DataBytes & (DataBytes - 1)) == 0)
  `FLEX_ASSERT_INIT(WordPowerOfTwo, WordBytes > 0 && (WordBytes & (WordBytes - 1)) == 0)

  logic wr_en_q;
  logic [WordBytes*8-1:0] wr_data_d, wr_data_q;
  logic load;

  if (DataBytes > WordBytes) begin : gen_cut

    localparam int unsigned Ratio = DataBytes / WordBytes;
    localparam int unsigned IndexWidth = $clog2(Ratio);

    logic [IndexWidth-1:0] index_q;

    assign word_o      = valid_i && room_i;
    assign beat_done_o = word_o && (last_i || index_q == '1);
    assign wr_data_d   = beat_i[index_q*WordBytes*8+:WordBytes*8];
    assign load        = word_o;

    always_ff @(posedge clk_i) begin
      if (!rst_ni) index_q <= '0;
      else if (word_o) index_q <= beat_done_o ? '0 : index_q + 1'b1;
    end

  end else if (DataBytes < WordBytes) begin : gen_join

    localparam int unsigned Ratio = WordBytes / DataBytes;
    localparam int unsigned IndexWidth = $clog2(Ratio);

    logic [IndexWidth-1:0] index_q;
    logic unused_last;

    // The parts gather in the output register; the RAM takes them in the cycle of wr_en_o, when
    // the first part of the next word may follow.
    assign word_o      = beat_done_o && index_q == '1;
    assign beat_done_o = valid_i && (room_i || index_q != '1);
    assign load        = beat_done_o;
    assign unused_last = last_i;

    always_comb begin
      wr_data_d                                   = wr_data_q;
      wr_data_d[index_q*DataBytes*8+:DataBytes*8] = beat_i;
    end

    always_ff @(posedge clk_i) begin
      if (!rst_ni) index_q <= '0;
      else if (beat_done_o) index_q <= index_q + 1'b1;
    end

  end else begin : gen_equal

    logic unused_last;

    assign word_o      = valid_i && room_i;
    assign beat_done_o = word_o;
    assign wr_data_d   = beat_i;
    assign load        = word_o;
    assign unused_last = last_i;

  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) wr_en_q <= 1'b0;
    else wr_en_q <= word_o;
  end

  always_ff @(posedge clk_i) begin
    if (load) wr_data_q <= wr_data_d;
  end

  assign wr_en_o   = wr_en_q;
  assign wr_data_o = wr_data_q;

  // A beat offered stays put until it is used up.
  `FLEX_ASSERT(BeatStable, valid_i && !beat_done_o |=> valid_i && $stable(beat_i))
  // Every word had room.
  `FLEX_ASSERT(WordHasRoom, word_o |-> room_i)

endmodule
