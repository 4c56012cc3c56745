// SPDX-License-Identifier: Apache-2.0
//
// Streams pass images from memory into the weight ring and the parameter ring.
//
// Requests run ahead of the data as far as the read engine takes them. The data need no record:
// an image's header beat says what follows, and whatever does not fill a whole beat is padding.
// A word is written only when its ring has room; parameters count by passes.
//
// Throughput: one beat per cycle while a ring word is at least a beat long, else one ring word per
// cycle; a header beat takes one cycle. Latency: 2 cycles from the beat that completes a word to
// its write, one more to the counter.
// Limits: rings of at most 32768 words or passes.

`include "flex_assert.svh"

module flex_weight_load
  import flex_pkg::*;
  import flex_program_pkg::*;
#(
  // Rows of the array; a power of two.
  parameter  int unsigned M               = 8,
  // Bytes of a row's weights; a power of two.
  parameter  int unsigned N               = 8,
  // Parameter records per parameter word; a power of two that divides M.
  parameter  int unsigned Q               = 2,
  // Bytes of a beat; a power of two, at least 8.
  parameter  int unsigned DataBytes       = 64,
  // Words of the weight ring; a power of two.
  parameter  int unsigned WeightWords     = 512,
  // Passes of the parameter ring; a power of two.
  parameter  int unsigned ParamPasses     = 8,
  // Bytes of a channel's parameters; a power of two.
  parameter  int unsigned RecordBytes     = 16,
  localparam int unsigned WeightAddrWidth = $clog2(WeightWords),
  localparam int unsigned ParamAddrWidth  = $clog2(ParamPasses * (M / Q))
) (
  input  logic                       clk_i,
  input  logic                       rst_ni,
  // Records
  input  logic [       WordBits-1:0] cmd_data_i,
  input  logic                       cmd_valid_i,
  output logic                       cmd_ready_o,
  // Memory
  output logic [    OffsetWidth-1:0] req_addr_o,
  output logic [     BeatsWidth-1:0] req_beats_o,
  output logic                       req_valid_o,
  input  logic                       req_ready_i,
  input  logic [    DataBytes*8-1:0] data_data_i,
  input  logic                       data_valid_i,
  output logic                       data_ready_o,
  // Weight ring: row m at byte m*N
  output logic                       weight_wr_en_o,
  output logic [WeightAddrWidth-1:0] weight_wr_addr_o,
  output logic [          M*N*8-1:0] weight_wr_data_o,
  output logic [     CountWidth-1:0] weights_written_o,
  input  logic [     CountWidth-1:0] weights_released_i,
  // Parameter ring: record q of a word at byte q*RecordBytes
  output logic                       param_wr_en_o,
  output logic [ ParamAddrWidth-1:0] param_wr_addr_o,
  output logic [Q*RecordBytes*8-1:0] param_wr_data_o,
  output logic [     CountWidth-1:0] params_written_o,
  input  logic [     CountWidth-1:0] params_released_i,
  // Performance counters
  output logic                       busy_o,
  output logic                       starved_o,
  output logic                       blocked_o
);

  // Words of a pass's parameters.
  localparam int unsigned L = M / Q;
  localparam int unsigned LLog = $clog2(L);

  `FLEX_ASSERT_INIT(RowsPowerOfTwo, M > 0 && (M & (M - 1)) == 0)
  `FLEX_ASSERT_INIT(LanesPowerOfTwo, N > 0 && (N & (N - 1)) == 0)
  `FLEX_ASSERT_INIT(ChainsDivide, Q > 0 && L * Q == M && (Q & (Q - 1)) == 0)
  `FLEX_ASSERT_INIT(BeatHoldsHeader, DataBytes >= 8)
  `FLEX_ASSERT_INIT(RecordPowerOfTwo, RecordBytes > 0 && (RecordBytes & (RecordBytes - 1)) == 0)
  `FLEX_ASSERT_INIT(WeightRing, WeightWords >= 2 && WeightWords < 1 << CountWidth)
  `FLEX_ASSERT_INIT(WeightRingPowerOfTwo, (WeightWords & (WeightWords - 1)) == 0)
  `FLEX_ASSERT_INIT(ParamRing, ParamPasses * L >= 2 && ParamPasses < 1 << CountWidth)
  `FLEX_ASSERT_INIT(ParamRingPowerOfTwo, (ParamPasses & (ParamPasses - 1)) == 0)

  ////////////////////////////////////////////////////////////////
  // Records and requests
  ////////////////////////////////////////////////////////////////

  typedef enum logic [1:0] {
    RecordHeader,
    RecordFirst,
    RecordSecond,
    RecordRequest
  } record_e;

  record_e record_d, record_q;
  logic [WordBits-1:0] first_q;  // word 0 of the record
  weights_fetch_t fetch;
  logic unused_fetch;
  logic [15:0] repeats_d, repeats_q;  // requests to come
  logic request_take;

  // Word 1 as it comes, word 0 as it was kept.
  assign fetch        = weights_fetch_t'({cmd_data_i, first_q});
  assign unused_fetch = ^fetch.unused_1;
  assign request_take = req_valid_o && req_ready_i;

  always_comb begin
    record_d    = record_q;
    repeats_d   = repeats_q;
    cmd_ready_o = record_q != RecordRequest;
    unique case (record_q)
      RecordHeader: if (cmd_valid_i) record_d = RecordFirst;
      RecordFirst: if (cmd_valid_i) record_d = RecordSecond;
      RecordSecond: begin
        repeats_d = fetch.repeats;
        if (cmd_valid_i) begin
          record_d = fetch.beats == '0 || fetch.repeats == '0 ? RecordHeader : RecordRequest;
        end
      end
      RecordRequest: begin
        if (req_ready_i) begin
          repeats_d = repeats_q - 16'd1;
          if (repeats_q == 16'd1) record_d = RecordHeader;
        end
      end
      default: record_d = RecordHeader;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) record_q <= RecordHeader;
    else record_q <= record_d;
  end

  always_ff @(posedge clk_i) begin
    repeats_q <= repeats_d;
    if (record_q == RecordFirst) first_q <= cmd_data_i;
  end

  assign req_valid_o = record_q == RecordRequest;
  assign req_addr_o  = fetch.address;
  assign req_beats_o = fetch.beats;

  ////////////////////////////////////////////////////////////////
  // Pass images
  ////////////////////////////////////////////////////////////////

  typedef enum logic [1:0] {
    ImageHeader,
    ImageParams,
    ImageWeights
  } image_e;

  logic [DataBytes*8-1:0] beat;
  logic beat_valid, beat_ready;
  image_e image_d, image_q;
  weight_image_t header;
  logic unused_header;
  logic [31:0] weights_left_d, weights_left_q;  // words of the image to come
  logic [CountWidth+LLog-1:0] params_taken_q, params_count_q;  // words taken, words in the RAM
  logic [CountWidth-1:0] weights_count_q;  // words in the RAM
  logic weight_last_d, weight_last_q;  // one word is to come
  logic weight_done, weight_word, weight_room;
  logic param_done, param_word, param_last, param_room;

  flex_stream_register #(
    .Width(DataBytes * 8)
  ) u_beat (
    .clk_i,
    .rst_ni,
    .in_data_i  (data_data_i),
    .in_valid_i (data_valid_i),
    .in_ready_o (data_ready_o),
    .out_data_o (beat),
    .out_valid_o(beat_valid),
    .out_ready_i(beat_ready)
  );

  assign header        = weight_image_t'(beat[WordBits-1:0]);
  assign unused_header = ^header.unused_0;

  always_comb begin
    image_d        = image_q;
    weights_left_d = weight_word ? weights_left_q - 32'd1 : weights_left_q;
    weight_last_d  = weight_word ? weights_left_q == 32'd2 : weight_last_q;
    beat_ready     = 1'b0;
    unique case (image_q)
      ImageHeader: begin
        beat_ready     = 1'b1;
        weights_left_d = header.weight_words;
        weight_last_d  = header.weight_words == 32'd1;
        if (beat_valid) begin
          if (header.has_params) image_d = ImageParams;
          else if (header.weight_words != '0) image_d = ImageWeights;
        end
      end
      ImageParams: begin
        beat_ready = param_done;
        if (param_word && param_last) image_d = weights_left_q == '0 ? ImageHeader : ImageWeights;
      end
      ImageWeights: begin
        beat_ready = weight_done;
        if (weight_word && weight_last_q) image_d = ImageHeader;
      end
      default: image_d = ImageHeader;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) image_q <= ImageHeader;
    else image_q <= image_d;
  end

  always_ff @(posedge clk_i) begin
    weights_left_q <= weights_left_d;
    weight_last_q  <= weight_last_d;
  end

  ////////////////////////////////////////////////////////////////
  // Rings
  ////////////////////////////////////////////////////////////////

  flex_ring_slicer #(
    .DataBytes(DataBytes),
    .WordBytes(M * N)
  ) u_weights (
    .clk_i,
    .rst_ni,
    .beat_i     (beat),
    .valid_i    (beat_valid && image_q == ImageWeights),
    .beat_done_o(weight_done),
    .room_i     (weight_room),
    .word_o     (weight_word),
    .last_i     (weight_last_q),
    .wr_en_o    (weight_wr_en_o),
    .wr_data_o  (weight_wr_data_o)
  );

  flex_ring_slicer #(
    .DataBytes(DataBytes),
    .WordBytes(Q * RecordBytes)
  ) u_params (
    .clk_i,
    .rst_ni,
    .beat_i     (beat),
    .valid_i    (beat_valid && image_q == ImageParams),
    .beat_done_o(param_done),
    .room_i     (param_room),
    .word_o     (param_word),
    .last_i     (param_last),
    .wr_en_o    (param_wr_en_o),
    .wr_data_o  (param_wr_data_o)
  );

  // The counters move when the RAM has the word; their low bits are its address.
  logic [CountWidth-1:0] weights_held_q, params_held_q;  // words, passes taken and not released
  logic weights_full_q, params_full_q;  // as many as the ring has
  logic param_pass;  // the last word of a pass is taken
  logic [CountWidth-1:0] weights_released_q, params_released_q;
  logic [CountWidth-1:0] weights_freed_q, params_freed_q;  // by the cycle before
  logic [CountWidth-1:0] weights_kept, params_kept;  // held without those

  if (L > 1) begin : gen_param_words
    assign param_last = params_taken_q[LLog-1:0] == '1;
  end else begin : gen_param_word
    assign param_last = 1'b1;
  end

  assign weights_kept = weights_held_q - weights_freed_q;
  assign params_kept  = params_held_q - params_freed_q;
  assign weight_room  = !weights_full_q;
  assign param_room   = !params_full_q;
  assign param_pass   = param_word && param_last;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      weights_count_q    <= '0;
      params_count_q     <= '0;
      params_taken_q     <= '0;
      weights_held_q     <= '0;
      params_held_q      <= '0;
      weights_released_q <= '0;
      params_released_q  <= '0;
      weights_freed_q    <= '0;
      params_freed_q     <= '0;
    end else begin
      weights_count_q    <= weights_count_q + CountWidth'(weight_wr_en_o);
      params_count_q     <= params_count_q + (CountWidth + LLog)'(param_wr_en_o);
      params_taken_q     <= params_taken_q + (CountWidth + LLog)'(param_word);
      weights_held_q     <= weight_word ? weights_kept + CountWidth'(1) : weights_kept;
      params_held_q      <= param_pass ? params_kept + CountWidth'(1) : params_kept;
      weights_released_q <= weights_released_i;
      params_released_q  <= params_released_i;
      weights_freed_q    <= weights_released_i - weights_released_q;
      params_freed_q     <= params_released_i - params_released_q;
    end
  end

  // Both cases are compared before it is known which one it is.
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      weights_full_q <= 1'b0;
      params_full_q  <= 1'b0;
    end else begin
      weights_full_q <= weight_word ? weights_kept == CountWidth'(WeightWords - 1) :
          weights_kept == CountWidth'(WeightWords);
      params_full_q <= param_pass ? params_kept == CountWidth'(ParamPasses - 1) :
          params_kept == CountWidth'(ParamPasses);
    end
  end

  assign weight_wr_addr_o  = weights_count_q[WeightAddrWidth-1:0];
  assign param_wr_addr_o   = params_count_q[ParamAddrWidth-1:0];
  assign weights_written_o = weights_count_q;
  assign params_written_o  = params_count_q[LLog+:CountWidth];

  ////////////////////////////////////////////////////////////////
  // Counters
  ////////////////////////////////////////////////////////////////

  logic [31:0] beats_due_q;  // requested and not yet come

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      beats_due_q <= '0;
    end else begin
      beats_due_q <= beats_due_q + (request_take ? 32'(req_beats_o) : 32'd0) -
          32'(data_valid_i && data_ready_o);
    end
  end

  assign busy_o    = record_q != RecordHeader || beats_due_q != '0 || beat_valid ||
      weight_wr_en_o || param_wr_en_o;
  assign starved_o = !beat_valid && beats_due_q != '0;
  assign blocked_o = beat_valid && ((image_q == ImageWeights && !weight_room) ||
      (image_q == ImageParams && !param_room));

  // What is offered stays put until it is taken.
  `FLEX_ASSERT(CommandStable, cmd_valid_i && !cmd_ready_o |=> cmd_valid_i && $stable(cmd_data_i))
  `FLEX_ASSERT(RequestStable, req_valid_o && !req_ready_i |=> req_valid_o && $stable
                              ({req_addr_o, req_beats_o}))
  // Only records of this engine come here.
  logic header_offered;
  assign header_offered = record_q == RecordHeader && cmd_valid_i;
  `FLEX_ASSERT(RecordKnown,
               header_offered |-> cmd_data_i[31:16] == {EngineWeights, WeightsFetchKind})
  // The rings never hold more than they can; nothing is released that was not written.
  `FLEX_ASSERT(WeightsHeld, weights_held_q <= CountWidth'(WeightWords))
  `FLEX_ASSERT(ParamsHeld, params_held_q <= CountWidth'(ParamPasses))
  `FLEX_ASSERT(WeightsFull, weights_full_q == (weights_held_q == CountWidth'(WeightWords)))
  `FLEX_ASSERT(ParamsFull, params_full_q == (params_held_q == CountWidth'(ParamPasses)))
  `FLEX_ASSERT(WeightsReleased, weights_written_o - weights_released_i <= CountWidth'(WeightWords))
  `FLEX_ASSERT(ParamsReleased, params_written_o - params_released_i <= CountWidth'(ParamPasses))

`ifndef SYNTHESIS
  // For the core's assertion: it knows whether memory lost what images are made of.
  logic between, unused_between;
  assign between        = image_q == ImageHeader;
  assign unused_between = between;
`endif

endmodule
