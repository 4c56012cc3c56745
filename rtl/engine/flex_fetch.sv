// SPDX-License-Identifier: Apache-2.0
//
// Reads the program and hands each record, header first, to the engine that its header names.
//
// A start pulse makes it forget an earlier run: what the earlier request still brings is dropped,
// the record FIFOs are emptied (the engines must be reset in the same cycle), error and end are
// withdrawn. After CONTROL_END, or the first record that it does not understand, the rest of the
// program is read and dropped.
//
// Throughput: one word per cycle. Latency: 5 cycles from a beat to its first record word.
// Limits: a full record FIFO holds up the records behind it, those of other engines too.

`include "flex_assert.svh"

module flex_fetch
  import flex_pkg::*;
  import flex_program_pkg::*;
#(
  // Bytes of a beat; a power of two, at least 8.
  parameter int unsigned DataBytes          = 64,
  // There is an engine for second tensors; else its records are not understood.
  parameter bit          Sums               = 1'b0,
  // Words of a channel in the records of the window engine; 0 without one.
  parameter int unsigned WindowChannelWords = 0
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  // Pulse: run the program of that many beats at that offset
  input  logic                   start_i,
  input  logic [OffsetWidth-1:0] program_addr_i,
  input  logic [ BeatsWidth-1:0] program_beats_i,
  // Memory
  output logic [OffsetWidth-1:0] req_addr_o,
  output logic [ BeatsWidth-1:0] req_beats_o,
  output logic                   req_valid_o,
  input  logic                   req_ready_i,
  input  logic [DataBytes*8-1:0] data_data_i,
  input  logic                   data_valid_i,
  output logic                   data_ready_o,
  // Records
  output logic [   WordBits-1:0] load_data_o,
  output logic                   load_valid_o,
  input  logic                   load_ready_i,
  output logic [   WordBits-1:0] weights_data_o,
  output logic                   weights_valid_o,
  input  logic                   weights_ready_i,
  output logic [   WordBits-1:0] array_data_o,
  output logic                   array_valid_o,
  input  logic                   array_ready_i,
  output logic [   WordBits-1:0] store_data_o,
  output logic                   store_valid_o,
  input  logic                   store_ready_i,
  output logic [   WordBits-1:0] skip_data_o,
  output logic                   skip_valid_o,
  input  logic                   skip_ready_i,
  // CONTROL_END has come, and what it says; until the next start
  output logic                   end_valid_o,
  output logic [           31:0] end_tiles_o,
  // Level: the program is still being read; records may wait in the FIFOs even after that
  output logic                   busy_o,
  // Level until the next start: the program cannot be understood
  output logic                   error_o
);

  localparam int unsigned FifoWords = 64;
  localparam int unsigned ArrayFifoWords = 256;
  localparam int unsigned BeatWords = DataBytes * 8 / WordBits;
  localparam int unsigned LeftWidth = BeatsWidth + $clog2(BeatWords) + 1;

  `FLEX_ASSERT_INIT(BeatHoldsWord, DataBytes >= 8 && DataBytes <= 128)
  `FLEX_ASSERT_INIT(BeatPowerOfTwo, (DataBytes & (DataBytes - 1)) == 0)

  ////////////////////////////////////////////////////////////////
  // Request
  ////////////////////////////////////////////////////////////////

  logic start_d, start_q;  // a start waits for the earlier request to be over
  logic [OffsetWidth-1:0] addr_q;
  logic [BeatsWidth-1:0] beats_q;
  logic begin_run;
  logic req_valid_d, req_valid_q;
  logic [OffsetWidth-1:0] req_addr_q;
  logic [ BeatsWidth-1:0] req_beats_q;
  logic [BeatsWidth-1:0] beats_left_d, beats_left_q;  // still to come from memory
  logic beat_take;
  logic parsing_d, parsing_q;  // words are wanted; beats are dropped otherwise

  assign beat_take = data_valid_i && data_ready_o;
  assign begin_run = start_q && !req_valid_q && beats_left_q == '0;

  always_comb begin
    start_d      = start_i || (start_q && !begin_run);
    req_valid_d  = req_valid_q && !req_ready_i;
    beats_left_d = beats_left_q - BeatsWidth'(beat_take);
    if (begin_run && !start_i) begin
      req_valid_d  = beats_q != '0;
      beats_left_d = beats_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      start_q      <= 1'b0;
      req_valid_q  <= 1'b0;
      beats_left_q <= '0;
    end else begin
      start_q      <= start_d;
      req_valid_q  <= req_valid_d;
      beats_left_q <= beats_left_d;
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      addr_q  <= program_addr_i;
      beats_q <= program_beats_i;
    end
    if (begin_run) begin
      req_addr_q  <= addr_q;
      req_beats_q <= beats_q;
    end
  end

  assign req_valid_o = req_valid_q;
  assign req_addr_o  = req_addr_q;
  assign req_beats_o = req_beats_q;

  ////////////////////////////////////////////////////////////////
  // Words
  ////////////////////////////////////////////////////////////////

  logic split_ready;
  logic [WordBits-1:0] split;
  logic split_valid, decode_ready;

  // Outside of a run the splitter is held empty and beats go nowhere.
  flex_gearbox #(
    .InBytes (DataBytes),
    .OutBytes(WordBits / 8)
  ) u_split (
    .clk_i,
    .rst_ni     (rst_ni && parsing_q),
    .in_data_i  (data_data_i),
    .in_last_i  (1'b0),
    .in_valid_i (data_valid_i && parsing_q),
    .in_ready_o (split_ready),
    .out_data_o (split),
    .out_valid_o(split_valid),
    .out_ready_i(decode_ready)
  );

  assign data_ready_o = !parsing_q || split_ready;

  // Receivers with a FIFO; the others get nothing.
  localparam int unsigned NumFifos = Sums ? 5 : 4;
  localparam int unsigned LoadFifo = 0;
  localparam int unsigned WeightsFifo = 1;
  localparam int unsigned ArrayFifo = 2;
  localparam int unsigned StoreFifo = 3;
  localparam int unsigned SkipFifo = NumFifos - 1;  // the store's, if there is none

  // Whether there is such a record.
  function automatic logic is_known(header_t h);
    logic fits;
    unique case ({
      h.engine, h.kind
    })
      {EngineControl, ControlEndKind} : fits = h.words == 16'(ControlEndWords);
      {EngineLoad, LoadTileKind} : fits = h.words >= 16'(LoadTileWords);
      {EngineLoad, LoadWaitKind} : fits = h.words == 16'(LoadWaitWords);
      {EngineLoad, WindowKind} : fits = WindowChannelWords != 0 && h.words >= 16'(WindowWords);
      {EngineWeights, WeightsFetchKind} : fits = h.words == 16'(WeightsFetchWords);
      {EngineArray, ArrayListsKind} : fits = 1'b1;
      {EngineArray, ArrayTileKind} : fits = h.words == 16'(ArrayTileWords);
      {EngineArray, ArrayTableKind} : fits = h.words == 16'(TableWords);
      {EngineArray, ArraySumKind} : fits = h.words == 16'(ArraySumWords);
      {EngineArray, ArrayWideKind} : fits = h.words == 16'(ArrayWideWords);
      {EngineArray, ArrayBendKind} : fits = h.words == 16'(ArrayBendWords);
      {EngineArray, ArrayPassesKind} : fits = 1'b1;
      {EngineStore, StoreTileKind} : fits = h.words == 16'(StoreTileWords);
      {EngineSkip, SkipTileKind} : fits = Sums && h.words >= 16'(SkipTileWords);
      {EngineSkip, SkipWaitKind} : fits = Sums && h.words == 16'(SkipWaitWords);
      default: fits = 1'b0;
    endcase
    return fits && h.unused_0 == '0;
  endfunction

  // The receiver, one-hot.
  function automatic logic [NumFifos-1:0] receiver(logic [7:0] engine);
    logic [NumFifos-1:0] to_fifo;
    to_fifo              = '0;
    to_fifo[LoadFifo]    = engine == EngineLoad;
    to_fifo[WeightsFifo] = engine == EngineWeights;
    to_fifo[ArrayFifo]   = engine == EngineArray;
    if (Sums) to_fifo[SkipFifo] = engine == EngineSkip;
    to_fifo[StoreFifo] = engine == EngineStore;
    return to_fifo;
  endfunction

  header_t split_header, header;
  logic known;  // what the word says if it is a header
  logic [NumFifos-1:0] header_to;
  logic [WordBits-1:0] word;
  logic word_valid, word_ready, word_take;

  assign split_header = header_t'(split);

  flex_stream_register #(
    .Width(1 + NumFifos + WordBits)
  ) u_decode (
    .clk_i,
    .rst_ni     (rst_ni && parsing_q),
    .in_data_i  ({is_known(split_header), receiver(split_header.engine), split}),
    .in_valid_i (split_valid),
    .in_ready_o (decode_ready),
    .out_data_o ({known, header_to, word}),
    .out_valid_o(word_valid),
    .out_ready_i(word_ready)
  );

  assign word_take = word_valid && word_ready && parsing_q;

  ////////////////////////////////////////////////////////////////
  // Records
  ////////////////////////////////////////////////////////////////

  load_tile_t tile;
  control_end_t control_end;
  logic unused_fields;
  logic consistent;  // a tile's number of planes, a window layer's of channels
  logic planes_q;  // the record is one of a tile with planes
  logic window_q;  // the record is one of a window layer
  window_t window;
  logic [NumFifos-1:0] to_q;  // where the record goes
  logic [NumFifos-1:0] to;  // where the word goes
  logic [NumFifos-1:0] fifo_ready, fifo_valid;
  logic [15:0] record_left_d, record_left_q;  // words of the record to come
  logic first_d, first_q;  // the record's first word after its header is next
  logic [LeftWidth-1:0] words_left_d, words_left_q;  // words of the program to come
  logic end_valid_d, end_valid_q;
  logic error_d, error_q;
  logic [31:0] end_tiles_q;

  assign control_end = control_end_t'(word);
  // Only word 0 of the record is looked at.
  assign tile = load_tile_t'({{(LoadTileWords - 1) * WordBits{1'b0}}, word});
  assign window = window_t'(word);
  assign header = header_t'(word);
  assign unused_fields = ^{window, tile, control_end.unused_0, header};

  assign to = record_left_q == '0 ? header_to : to_q;
  assign consistent = !first_q ||
      (!planes_q || 17'(tile.planes) + 17'(LoadTileWords) == 17'(record_left_q)) &&
      (!window_q || 20'(window.channels) * 20'(WindowChannelWords) + 20'(WindowWords) ==
      20'(record_left_q));
  assign word_ready = (to & ~fifo_ready) == '0;
  assign fifo_valid = word_valid && parsing_q && (record_left_q != '0 || known) ? to : '0;

  always_comb begin
    parsing_d     = parsing_q;
    record_left_d = record_left_q;
    first_d       = first_q;
    words_left_d  = words_left_q;
    end_valid_d   = end_valid_q;
    error_d       = error_q;
    if (word_take) begin
      words_left_d = words_left_q - 1'b1;
      first_d      = record_left_q == '0;
      if (record_left_q == '0) begin
        record_left_d = header.words;
        error_d       = !known;
      end else begin
        record_left_d = record_left_q - 16'd1;
        end_valid_d   = to_q == '0;
        error_d       = !consistent;
      end
      // The program must not end before CONTROL_END.
      if (words_left_q == LeftWidth'(1) && !end_valid_d) error_d = 1'b1;
      if (error_d || end_valid_d) parsing_d = 1'b0;
    end
    if (begin_run) begin
      parsing_d     = beats_q != '0;
      error_d       = beats_q == '0;
      words_left_d  = LeftWidth'(beats_q) << $clog2(BeatWords);
      record_left_d = '0;
    end
    if (start_i) begin
      parsing_d   = 1'b0;
      end_valid_d = 1'b0;
      error_d     = 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      parsing_q   <= 1'b0;
      end_valid_q <= 1'b0;
      error_q     <= 1'b0;
    end else begin
      parsing_q   <= parsing_d;
      end_valid_q <= end_valid_d;
      error_q     <= error_d;
    end
  end

  always_ff @(posedge clk_i) begin
    words_left_q  <= words_left_d;
    record_left_q <= record_left_d;
    first_q       <= first_d;
    if (word_take && record_left_q == '0) begin
      to_q <= header_to;
      planes_q <= header.kind == LoadTileKind &&
          (header_to[LoadFifo] || (Sums && header_to[SkipFifo]));
      window_q <= header_to[LoadFifo] && header.kind == WindowKind;
    end
    if (word_take) end_tiles_q <= control_end.tiles;
  end

  assign end_valid_o = end_valid_q;
  assign end_tiles_o = end_tiles_q;
  assign error_o     = error_q;
  assign busy_o      = start_q || req_valid_q || beats_left_q != '0 || parsing_q;

  ////////////////////////////////////////////////////////////////
  // FIFOs
  ////////////////////////////////////////////////////////////////

  logic [NumFifos-1:0][WordBits-1:0] out_data;
  logic [NumFifos-1:0] out_valid, out_ready;

  for (genvar f = 0; f < NumFifos; f++) begin : gen_fifos
    localparam int unsigned Depth = f == ArrayFifo ? ArrayFifoWords : FifoWords;
    logic [$clog2(Depth+1)-1:0] unused_level;

    flex_stream_fifo #(
      .Width(WordBits),
      .Depth(Depth)
    ) u_fifo (
      .clk_i,
      .rst_ni     (rst_ni && !start_i),
      .in_data_i  (word),
      .in_valid_i (fifo_valid[f]),
      .in_ready_o (fifo_ready[f]),
      .out_data_o (out_data[f]),
      .out_valid_o(out_valid[f]),
      .out_ready_i(out_ready[f]),
      .level_o    (unused_level)
    );
  end

  assign load_data_o            = out_data[LoadFifo];
  assign load_valid_o           = out_valid[LoadFifo];
  assign out_ready[LoadFifo]    = load_ready_i;
  assign weights_data_o         = out_data[WeightsFifo];
  assign weights_valid_o        = out_valid[WeightsFifo];
  assign out_ready[WeightsFifo] = weights_ready_i;
  assign array_data_o           = out_data[ArrayFifo];
  assign array_valid_o          = out_valid[ArrayFifo];
  assign out_ready[ArrayFifo]   = array_ready_i;
  assign store_data_o           = out_data[StoreFifo];
  assign store_valid_o          = out_valid[StoreFifo];
  assign out_ready[StoreFifo]   = store_ready_i;

  if (Sums) begin : gen_skip
    assign skip_data_o         = out_data[SkipFifo];
    assign skip_valid_o        = out_valid[SkipFifo];
    assign out_ready[SkipFifo] = skip_ready_i;
  end else begin : gen_no_skip
    logic unused_skip;
    assign unused_skip  = skip_ready_i;
    assign skip_data_o  = '0;
    assign skip_valid_o = 1'b0;
  end

  // A request offered stays put until it is taken, and asks for something.
  `FLEX_ASSERT(RequestStable, req_valid_o && !req_ready_i |=> req_valid_o && $stable
                              ({req_addr_o, req_beats_o}))
  `FLEX_ASSERT(RequestNotEmpty, req_valid_o |-> req_beats_o != '0)
  // Memory brings what was asked for and no more.
  `FLEX_ASSERT(BeatExpected, data_valid_i |-> beats_left_q != '0)
  `FLEX_ASSERT(DataStable, data_valid_i && !data_ready_o |=> data_valid_i && $stable(data_data_i))
  // A word goes to one engine at most; end and error exclude each other and end the run.
  `FLEX_ASSERT(OneReceiver, word_valid |-> $onehot0(to))
  `FLEX_ASSERT(EndOrError, !(end_valid_o && error_o))
  `FLEX_ASSERT(StoppedAtEnd, end_valid_o || error_o |-> !parsing_q)

endmodule
