// SPDX-License-Identifier: Apache-2.0
//
// Store engine: writes tiles from the output buffer to memory, as they are or max-pooled.
//
// Reads the buffer's two halves in turn, frees each when its last read has left it, gathers pixels
// to beats and hands them to the write engine together with the requests that say where they go.
// Throughput: RawPixels = largest power of two <= min(P, BeatPixels) pixels per cycle without
// pooling; with pooling one row of a window, min(P, 4) columns, per cycle, where those are four and
// windows two columns, two apart, a row of two of them. Columns in s = 2 or 4
// phases: U = min(RawPixels, BeatPixels / s) pixels, s * ceil(cols / (s * U)) cycles a row; in any
// other number but 1, or where U is 1: a pixel per cycle. Tiles follow each other without a gap
// while the next record (6 words, then 2 cycles, with pooling or phases 18) comes in time.
// Every beat has its place in a FIFO before it is read: stalls downstream reach no RAM.
// A record that is none, or empty, raises `error_o`; what follows is swallowed until reset.

`include "flex_assert.svh"

module flex_store
  import flex_pkg::*;
  import flex_program_pkg::*;
  import flex_store_pkg::*;
#(
  // Output channels of a block; a power of two.
  parameter  int unsigned M             = 8,
  // Banks of the output buffer: adjacent pixels.
  parameter  int unsigned P             = 4,
  // Bytes of a pixel; a power of two.
  parameter  int unsigned N             = 8,
  // Bytes of a memory beat; a power of two, at least N.
  parameter  int unsigned DataBytes     = 64,
  // Words per bank and half of the output buffer; a power of two.
  parameter  int unsigned OutWords      = 512,
  // Tiles may lie in output phases; a record's phases are 1 otherwise, and ignored.
  parameter  bit          OutputPhases  = 1'b1,
  // Derived
  localparam int unsigned AddrWidth     = $clog2(2 * OutWords),
  localparam int unsigned RotationWidth = (P > 1) ? $clog2(P) : 1
) (
  input  logic                              clk_i,
  input  logic                              rst_ni,
  // Store records
  input  logic [     WordBits-1:0]          cmd_data_i,
  input  logic                              cmd_valid_i,
  output logic                              cmd_ready_o,
  // Halves of the output buffer
  input  logic                              group_full_i,
  output logic                              group_freed_o,
  // Output buffer
  output logic                              rd_en_o,
  output logic [    AddrWidth-1:0]          rd_addr_o,
  output logic [RotationWidth-1:0]          rd_rotation_o,
  input  logic [            P-1:0][N*8-1:0] rd_data_i,
  // Requests to the write engine
  output logic [  OffsetWidth-1:0]          req_addr_o,
  output logic [   BeatsWidth-1:0]          req_beats_o,
  output logic                              req_valid_o,
  input  logic                              req_ready_i,
  // Beats to the write engine
  output logic [  DataBytes*8-1:0]          data_data_o,
  output logic [    DataBytes-1:0]          data_strb_o,
  output logic                              data_valid_o,
  input  logic                              data_ready_i,
  // The write engine's oldest request is acknowledged
  input  logic                              done_i,
  // Tiles in memory
  output logic [             31:0]          tiles_done_o,
  output logic                              tile_done_o,
  // Performance counters
  output logic                              busy_o,
  output logic                              starved_o,
  output logic                              blocked_o,
  // Bad record
  output logic                              error_o
);

  `FLEX_ASSERT_INIT(RowsPowerOfTwo, M > 0 && (M & (M - 1)) == 0)
  `FLEX_ASSERT_INIT(PixelPowerOfTwo, N > 0 && (N & (N - 1)) == 0)
  `FLEX_ASSERT_INIT(BeatPowerOfTwo, DataBytes >= N && (DataBytes & (DataBytes - 1)) == 0)

  localparam int unsigned BeatPixels = DataBytes / N;
  localparam int unsigned LeastPixels = (P < BeatPixels) ? P : BeatPixels;
  localparam int unsigned RawPixels = 1 << ($clog2(LeastPixels + 1) - 1);
  localparam int unsigned PoolPixels = (P < 4) ? P : 4;
  localparam int unsigned PlanesPerHalf = (M > N) ? M / N : 1;
  localparam int unsigned SlotWidth = (BeatPixels > 1) ? $clog2(BeatPixels) : 1;
  localparam int unsigned PoolLatency = 3;

  // Covers the way of a beat from the decision to read its last pixel through the FIFO and back.
  localparam int unsigned FifoBeats = 16;

  ////////////
  // Record //
  ////////////

  localparam int unsigned RecordBits = StoreTileWords * WordBits;
  localparam int unsigned WordCountWidth = $clog2(StoreTileWords + 1);

  typedef enum logic [1:0] {
    StHeader,
    StWords,
    StTile,
    StError
  } parser_e;

  parser_e parser_q, parser_d;
  header_t header;
  logic [WordCountWidth-1:0] words_left_q;
  logic [RecordBits-1:0] record_q;
  store_tile_t tile;
  logic header_ok, phases_ok, tile_ok, checked_q;
  logic walk_valid, walk_ready, walk_taken_q, requests_valid, requests_ready, requests_taken_q;
  logic all_taken, cmd_fire;

  assign header = cmd_data_i;
  assign tile = record_q;
  assign cmd_fire = cmd_valid_i && cmd_ready_o;
  assign cmd_ready_o = parser_q != StTile;
  assign error_o = parser_q == StError;

  assign header_ok      = header.engine == EngineStore && header.kind == StoreTileKind &&
      header.words == 16'(StoreTileWords);
  // What is pooled has no phases.
  assign phases_ok = !OutputPhases || (tile.phases_y == 8'd1 && tile.phases_x == 8'd1) ||
      (!tile.pool && tile.phases_y != '0 && tile.phases_x != '0);
  assign tile_ok        = tile.rows != '0 && tile.cols != '0 && tile.planes != '0 && phases_ok &&
      (!tile.pool || (tile.kernel_h != '0 && tile.kernel_w != '0 && tile.stride_h != '0 &&
                      tile.stride_w != '0));

  // Both users take a tile once it has been checked, each at its time.
  assign walk_valid = parser_q == StTile && checked_q && !walk_taken_q;
  assign requests_valid = parser_q == StTile && checked_q && !requests_taken_q;
  assign all_taken      = (walk_taken_q || (walk_valid && walk_ready)) &&
      (requests_taken_q || (requests_valid && requests_ready));

  always_comb begin
    parser_d = parser_q;
    unique case (parser_q)
      StHeader: if (cmd_valid_i) parser_d = header_ok ? StWords : StError;
      StWords:  if (cmd_valid_i && words_left_q == '0) parser_d = StTile;
      StTile: begin
        if (!checked_q && !tile_ok) parser_d = StError;
        else if (all_taken) parser_d = StHeader;
      end
      default:  parser_d = StError;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      parser_q         <= StHeader;
      checked_q        <= 1'b0;
      walk_taken_q     <= 1'b0;
      requests_taken_q <= 1'b0;
    end else begin
      parser_q         <= parser_d;
      checked_q        <= parser_d == StTile && parser_q == StTile;
      walk_taken_q     <= !all_taken && (walk_taken_q || (walk_valid && walk_ready));
      requests_taken_q <= !all_taken && (requests_taken_q || (requests_valid && requests_ready));
    end
  end

  always_ff @(posedge clk_i) begin
    if (parser_q == StHeader) words_left_q <= WordCountWidth'(StoreTileWords - 1);
    else if (cmd_fire) words_left_q <= words_left_q - 1'b1;
    if (parser_q == StWords && cmd_fire) record_q <= {cmd_data_i, record_q[RecordBits-1:WordBits]};
  end

  logic unused_header;
  assign unused_header = ^header.unused_0;

  flex_store_requests #(
    .N        (N),
    .DataBytes(DataBytes)
  ) u_requests (
    .clk_i,
    .rst_ni,
    .tile_data_i (tile),
    .tile_valid_i(requests_valid),
    .tile_ready_o(requests_ready),
    .req_addr_o,
    .req_beats_o,
    .req_valid_o,
    .req_ready_i,
    .done_i,
    .tiles_done_o,
    .tile_done_o
  );

  ///////////
  // Reads //
  ///////////

  localparam int unsigned CreditWidth = $clog2(FifoBeats + 1);

  logic [CreditWidth-1:0] credits_q;
  logic room_q;
  logic beat_read, beat_given;
  logic read_valid, read_pair, read_first, read_last, read_beat_last;
  source_e read_source;
  logic [PoolPixels-1:0] read_mask;
  logic [SlotWidth-1:0] read_slot, read_end;

  assign beat_given = data_valid_o && data_ready_i;

  // Two places now are one in the next cycle, whatever is read in this one.
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      credits_q <= CreditWidth'(FifoBeats);
      room_q    <= 1'b0;
    end else begin
      credits_q <= credits_q + CreditWidth'(beat_given) - CreditWidth'(beat_read);
      room_q    <= credits_q >= CreditWidth'(2);
    end
  end

  flex_store_walk #(
    .P            (P),
    .BeatPixels   (BeatPixels),
    .PlanesPerHalf(PlanesPerHalf),
    .OutWords     (OutWords),
    .RawPixels    (RawPixels),
    .PoolPixels   (PoolPixels),
    .PoolLatency  (PoolLatency),
    .OutputPhases (OutputPhases)
  ) u_walk (
    .clk_i,
    .rst_ni,
    .tile_data_i     (tile),
    .tile_valid_i    (walk_valid),
    .tile_ready_o    (walk_ready),
    .group_full_i,
    .group_freed_o,
    .room_i          (room_q),
    .beat_o          (beat_read),
    .rd_en_o,
    .rd_addr_o,
    .rd_rotation_o,
    .data_valid_o    (read_valid),
    .data_source_o   (read_source),
    .data_pair_o     (read_pair),
    .data_first_o    (read_first),
    .data_last_o     (read_last),
    .data_mask_o     (read_mask),
    .data_slot_o     (read_slot),
    .data_beat_last_o(read_beat_last),
    .data_end_o      (read_end),
    .busy_o,
    .starved_o,
    .blocked_o
  );

  logic pool_valid, pool_pair, pool_beat_last;
  logic [SlotWidth-1:0] pool_slot, pool_end;
  logic [1:0][N*8-1:0] pool_data;

  flex_pool #(
    .N     (N),
    .Pixels(PoolPixels)
  ) u_pool (
    .clk_i,
    .rst_ni,
    .valid_i(read_valid && read_source == SourceSingle),
    .first_i(read_first),
    .last_i (read_last),
    .pair_i (read_pair),
    .mask_i (read_mask),
    .data_i (rd_data_i[PoolPixels-1:0]),
    .valid_o(pool_valid),
    .data_o (pool_data)
  );

  // A beat of one pixel has no place for a second window.
  logic unused_pool_data;
  assign unused_pool_data = ^pool_data[1];

  flex_delay #(
    .Width (2 + 2 * SlotWidth),
    .Cycles(PoolLatency)
  ) u_pool_slot (
    .clk_i,
    .rst_ni,
    .data_i({read_beat_last, read_pair, read_slot, read_end}),
    .data_o({pool_beat_last, pool_pair, pool_slot, pool_end})
  );

  ///////////
  // Beats //
  ///////////

  // A beat under construction: places not written yet hold old bytes and are not strobed.
  logic raw_valid;
  logic [SlotWidth-1:0] beat_end;
  logic [BeatPixels-1:0][N*8-1:0] beat_q;
  logic [BeatPixels-1:0] strobe_q;
  logic beat_valid_q, beat_ready;

  assign raw_valid = read_valid && read_source != SourceSingle;
  assign beat_end  = (read_source == SourceSingle) ? pool_end : read_end;

  // Columns of a read by source; bits in which the places of its pixels agree. Sources that do not
  // occur are as the one before.
  localparam int unsigned Columns2 = phase_columns(RawPixels, BeatPixels, 2);
  localparam int unsigned Columns4 = phase_columns(RawPixels, BeatPixels, 4);
  localparam logic [SlotWidth-1:0] Same1 = SlotWidth'(~(RawPixels - 1));
  localparam logic [SlotWidth-1:0] Same2 =
      (Columns2 > 1) ? SlotWidth'(~(2 * Columns2 - 1) | 1) : Same1;
  localparam logic [SlotWidth-1:0] Same4 =
      (Columns4 > 1) ? SlotWidth'(~(4 * Columns4 - 1) | 3) : Same2;

  for (genvar b = 0; b < BeatPixels; b++) begin : gen_place

    localparam int unsigned Lane1 = b % RawPixels;
    localparam int unsigned Lane2 = (Columns2 > 1) ? b / 2 % Columns2 : Lane1;
    localparam int unsigned Lane4 = (Columns4 > 1) ? b / 4 % Columns4 : Lane2;

    // The source alone selects the data: a LUT per bit.
    logic here;
    logic [SlotWidth-1:0] differs, pool_differs;
    logic [3:0][N*8-1:0] choices;

    assign differs                 = read_slot ^ SlotWidth'(b);
    assign pool_differs            = (pool_slot ^ SlotWidth'(b)) & ~SlotWidth'(pool_pair);
    assign choices[SourceAdjacent] = rd_data_i[Lane1];
    assign choices[SourceSecond]   = rd_data_i[Lane2];
    assign choices[SourceFourth]   = rd_data_i[Lane4];
    assign choices[SourceSingle]   = pool_data[b%2];

    always_comb begin
      unique case (read_source)
        SourceAdjacent: here = (differs & Same1) == '0;
        SourceSecond:   here = (differs & Same2) == '0;
        SourceFourth:   here = (differs & Same4) == '0;
        default:        here = pool_valid && pool_differs == '0;
      endcase
    end

    always_ff @(posedge clk_i) begin
      if (here) beat_q[b] <= choices[read_source];
    end

  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) beat_valid_q <= 1'b0;
    else beat_valid_q <= (raw_valid && read_beat_last) || (pool_valid && pool_beat_last);
  end

  // Places up to the last one, those that count when the beat ends.
  always_ff @(posedge clk_i) begin
    strobe_q <= ~(((BeatPixels)'('1) << 1) << beat_end);
  end

  logic [ BeatPixels-1:0] strobe_out;
  logic [CreditWidth-1:0] unused_level;

  flex_stream_fifo #(
    .Width(BeatPixels * (N * 8 + 1)),
    .Depth(FifoBeats)
  ) u_beats (
    .clk_i,
    .rst_ni,
    .in_data_i  ({strobe_q, beat_q}),
    .in_valid_i (beat_valid_q),
    .in_ready_o (beat_ready),
    .out_data_o ({strobe_out, data_data_o}),
    .out_valid_o(data_valid_o),
    .out_ready_i(data_ready_i),
    .level_o    (unused_level)
  );

  for (genvar b = 0; b < BeatPixels; b++) begin : gen_strobe
    assign data_strb_o[b*N+:N] = {N{strobe_out[b]}};
  end

  // Every beat read finds its place.
  `FLEX_ASSERT(BeatHasPlace, beat_valid_q |-> beat_ready)
  `FLEX_ASSERT(CreditsInRange, credits_q <= CreditWidth'(FifoBeats))
  `FLEX_ASSERT(RoomMeansCredit, room_q |-> credits_q != '0)
  // Pooled and other pixels do not meet.
  `FLEX_ASSERT(OneSource, !(raw_valid && pool_valid))
  // A beat offered stays put until it is taken.
  `FLEX_ASSERT(BeatStable, data_valid_o && !data_ready_i |=> data_valid_o && $stable(data_data_o))

endmodule
