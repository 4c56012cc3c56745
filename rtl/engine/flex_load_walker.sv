// SPDX-License-Identifier: Apache-2.0
//
// Walks the input window of a tile plane by plane, row by row, beat by beat, and owns the halves.
//
// A row that is read lies in its beats as in memory: lane i of the first memory beat is pixel i,
// padding takes the lanes beside the pixels and the beats before and after them. With
// o = (first_pixel - pad_left) mod B lanes before column 0 such a row takes
// max(ceil((o + columns) / B), floor((o + pad_left) / B) + row_beats) beats, a padding row
// ceil(columns / B).
//
// Throughput: one beat per cycle without bubbles between rows, planes and tiles, if the next tile
// waits 3 cycles before this one ends. Latency: 4 cycles from a tile to its first beat.
// Limits: first_pixel below B; 1..4 phases.

`include "flex_assert.svh"

module flex_load_walker
  import flex_program_pkg::*;
#(
  // Banks of the buffer, 1..16.
  parameter  int unsigned P         = 8,
  // Bytes of a pixel; a power of two.
  parameter  int unsigned N         = 8,
  // Bytes of a beat; a power of two, 1..32 pixels.
  parameter  int unsigned DataBytes = 64,
  localparam int unsigned B         = DataBytes / N
) (
  input  logic                     clk_i,
  input  logic                     rst_ni,
  // Tiles
  input  load_tile_t               tile_data_i,
  input  logic                     tile_valid_i,
  output logic                     tile_ready_o,
  // Pulse: the older half is free again
  input  logic                     freed_i,
  // Beats, as flex_load_scatter takes them
  output logic       [  1:0]       beat_stride_o,
  output logic       [  1:0]       beat_phase_o,
  output logic       [  3:0]       beat_bank_o,
  output logic       [ 15:0]       beat_word_o,
  output logic       [  3:0][ 3:0] beat_rot_o,
  output logic       [  3:0][15:0] beat_base_o,
  output logic       [B-1:0]       beat_mask_o,
  output logic       [B-1:0]       beat_mem_mask_o,
  output logic                     beat_mem_o,
  output logic       [  7:0]       beat_pad_o,
  output logic                     beat_half_o,
  output logic                     beat_last_o,
  output logic                     beat_valid_o,
  input  logic                     beat_ready_i,
  // Levels: a tile is under way; it waits for a free half
  output logic                     busy_o,
  output logic                     blocked_o
);

  `FLEX_ASSERT_INIT(BanksInRange, P >= 1 && P <= 16)
  `FLEX_ASSERT_INIT(LanesInRange, B >= 1 && B <= 32)
  `FLEX_ASSERT_INIT(BeatPowerOfTwo, (DataBytes & (DataBytes - 1)) == 0)
  `FLEX_ASSERT_INIT(PixelPowerOfTwo, (N & (N - 1)) == 0)

  localparam int unsigned BLog = $clog2(B);
  // Lanes of a row: the three parts of its columns and the lanes before them.
  localparam int unsigned LaneWidth = 18;

  // Segments of a plane.
  localparam int unsigned NumSegments = 3;
  typedef enum logic [1:0] {
    SegmentTop,
    SegmentMiddle,
    SegmentBottom
  } segment_e;

  // A column: its phase, bank and word without rotation and base.
  typedef struct packed {
    logic [1:0]  phase;
    logic [3:0]  bank;
    logic [15:0] word;
  } position_t;

  // What is left of a row, counted from lane 0 of the current beat.
  typedef struct packed {
    logic [LaneWidth-1:0] lanes;      // up to the end of the row
    logic [LaneWidth-1:0] lead;       // before the first pixel from memory
    logic [LaneWidth-1:0] tail;       // up to the last pixel from memory
    logic [LaneWidth-1:0] pad_beats;  // beats before the first memory beat
    logic [15:0]          mem_beats;  // memory beats
    logic [4:0]           skip;       // lanes before column 0
    position_t            position;   // of lane 0
  } row_t;

  // A tile, prepared.
  typedef struct packed {
    logic [15:0]                  plane_words;
    logic [15:0]                  row_words;
    logic [NumSegments-1:0][15:0] rows;         // of each segment
    logic [NumSegments-1:0]       has;          // rows at all
    row_t                         mem_row;      // start of a row of the middle
    row_t                         pad_row;      // start of another row
    logic [1:0]                   stride;       // less 1
    logic [3:0][3:0]              rot;
    logic [3:0][15:0]             base;
    logic [7:0]                   pad;
  } shape_t;

  // The column that lies `skip` before column 0.
  function automatic position_t position_before(int unsigned stride, int unsigned skip);
    int unsigned groups, words;
    groups = (skip + stride - 1) / stride;
    words  = (groups + P - 1) / P;
    return '{phase: 2'(groups * stride - skip), bank: 4'(words * P - groups), word: 16'(-words)};
  endfunction

  function automatic position_t [3:0][B-1:0] positions_before();
    position_t [3:0][B-1:0] table_of;
    for (int unsigned s = 0; s < 4; s++) begin
      for (int unsigned k = 0; k < B; k++) table_of[s][k] = position_before(s + 1, k);
    end
    return table_of;
  endfunction

  // What a beat adds to a position.
  function automatic position_t [3:0] beat_steps();
    position_t [3:0] table_of;
    for (int unsigned s = 0; s < 4; s++) begin
      table_of[s] = '{
          phase: 2'(B % (s + 1)),
          bank: 4'((B / (s + 1)) % P),
          word: 16'((B / (s + 1)) / P)
      };
    end
    return table_of;
  endfunction

  // Both by stride - 1.
  localparam position_t [3:0][B-1:0] PositionBefore = positions_before();
  localparam position_t [3:0] BeatStep = beat_steps();

  ////////////////////////////////////////////////////////////////
  // Preparation of the next tile: sums, then what follows from them
  ////////////////////////////////////////////////////////////////

  logic [1:0] stage_d, stage_q;  // sums are ready; the next tile is ready
  logic [4:0] skip_q;
  logic [LaneWidth-1:0] tail_q, cols_q, lead;
  logic empty, memory;
  logic [1:0] stride;
  shape_t next_d, next_q;
  logic [15:0] next_planes_d, next_planes_q;
  logic unused_tile;

  assign stage_d = tile_ready_o ? 2'b00 : {stage_q[0] && tile_valid_i, tile_valid_i};
  assign stride = 2'(tile_data_i.phases - 4'd1);
  assign lead = LaneWidth'(tile_data_i.pad_left) + LaneWidth'(skip_q);
  assign memory  = tile_data_i.mem_rows != '0 && tile_data_i.mem_cols != '0 &&
      tile_data_i.row_beats != '0;
  assign empty = tile_data_i.planes == '0 || cols_q == '0 ||
      {tile_data_i.pad_top, tile_data_i.mem_rows, tile_data_i.pad_bottom} == '0;

  // What only the requester uses; all of a rotation above its low bits is zero.
  assign unused_tile = ^{
      tile_data_i.wait_tiles,
      tile_data_i.row_pitch,
      tile_data_i.contiguous,
      tile_data_i.unused_3,
      tile_data_i.unused_5,
      tile_data_i.phases[3:2],
      tile_data_i.phase_rot
  };

  always_comb begin
    next_planes_d      = tile_data_i.planes;
    next_d.plane_words = tile_data_i.plane_words;
    next_d.row_words   = tile_data_i.row_words;
    next_d.rows        = {tile_data_i.pad_bottom, tile_data_i.mem_rows, tile_data_i.pad_top};
    next_d.has[0]      = tile_data_i.pad_top != '0;
    next_d.has[1]      = tile_data_i.mem_rows != '0;
    next_d.has[2]      = tile_data_i.pad_bottom != '0;
    next_d.stride      = stride;
    next_d.base        = tile_data_i.phase_base;
    next_d.pad         = tile_data_i.pad_value;
    for (int unsigned f = 0; f < 4; f++) next_d.rot[f] = tile_data_i.phase_rot[f][3:0];
    next_d.pad_row           = '0;
    next_d.pad_row.lanes     = cols_q;
    next_d.mem_row.lanes     = cols_q + LaneWidth'(skip_q);
    next_d.mem_row.lead      = lead;
    next_d.mem_row.tail      = tail_q + LaneWidth'(skip_q);
    next_d.mem_row.pad_beats = lead >> BLog;
    next_d.mem_row.mem_beats = tile_data_i.row_beats;
    next_d.mem_row.skip      = skip_q;
    next_d.mem_row.position  = PositionBefore[stride][32'(skip_q)%B];
    if (!memory) next_d.mem_row = next_d.pad_row;
    if (empty) begin
      // One beat without lanes hands the half over.
      next_planes_d  = 16'd1;
      next_d.rows    = {16'd1, 16'd0, 16'd0};
      next_d.has     = 3'b100;
      next_d.pad_row = '0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      stage_q <= 2'b00;
    end else begin
      stage_q <= stage_d;
    end
  end

  always_ff @(posedge clk_i) begin
    if (tile_valid_i && !stage_q[0]) begin
      // B is a power of two, so the low bits say where within a beat column 0 lies.
      skip_q <= (5'(tile_data_i.first_pixel) - 5'(tile_data_i.pad_left)) & 5'(B - 1);
      tail_q <= LaneWidth'(tile_data_i.pad_left) + LaneWidth'(tile_data_i.mem_cols);
      cols_q <= LaneWidth'(tile_data_i.pad_left) + LaneWidth'(tile_data_i.mem_cols) +
          LaneWidth'(tile_data_i.pad_right);
    end
    if (stage_q[0] && !stage_q[1]) begin
      next_q        <= next_d;
      next_planes_q <= next_planes_d;
    end
  end

  ////////////////////////////////////////////////////////////////
  // Halves
  ////////////////////////////////////////////////////////////////

  logic take;  // the prepared tile becomes the current one
  logic tile_end;
  logic walking_d, walking_q;  // there is a current tile
  logic owned_d, owned_q;  // and a half for it
  logic half_d, half_q;
  logic [1:0] free_d, free_q;  // free halves
  logic grab;

  assign take         = stage_q[1] && (!walking_q || tile_end);
  assign grab         = (take || (walking_q && !owned_q)) && free_q != '0;
  assign tile_ready_o = take;

  always_comb begin
    walking_d = take || (walking_q && !tile_end);
    owned_d   = grab || (owned_q && !tile_end);
    half_d    = half_q ^ tile_end;
    free_d    = free_q + 2'(freed_i) - 2'(grab);
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      walking_q <= 1'b0;
      owned_q   <= 1'b0;
      half_q    <= 1'b0;
      free_q    <= 2'd2;
    end else begin
      walking_q <= walking_d;
      owned_q   <= owned_d;
      half_q    <= half_d;
      free_q    <= free_d;
    end
  end

  ////////////////////////////////////////////////////////////////
  // Walk
  ////////////////////////////////////////////////////////////////

  shape_t shape_q;
  segment_e segment_d, segment_q;
  logic [15:0] rows_d, rows_q;  // left in the segment
  logic [15:0] planes_d, planes_q;  // left in the tile
  logic [15:0] plane_base_d, plane_base_q;  // first word of the plane
  logic [15:0] row_base_d, row_base_q;  // and of the row
  row_t row_d, row_q;
  logic step;  // a beat is handed on
  logic row_end, segment_end, plane_end, last;  // it ends with this beat
  logic beat_mem;

  assign step = beat_valid_o && beat_ready_i;
  assign beat_mem = row_q.pad_beats == '0 && row_q.mem_beats != '0;
  assign row_end     = row_q.lanes <= LaneWidth'(B) && row_q.pad_beats == '0 &&
      row_q.mem_beats[15:1] == '0;
  assign segment_end = row_end && rows_q == 16'd1;
  assign plane_end   = segment_end && (segment_q == SegmentBottom ||
      (!shape_q.has[2] && (segment_q == SegmentMiddle || !shape_q.has[1])));
  assign last = plane_end && planes_q == 16'd1;
  assign tile_end = step && last;

  function automatic logic [B-1:0] lanes_below(logic [LaneWidth-1:0] count);
    return count >= LaneWidth'(B) ? '1 : ~({B{1'b1}} << count[4:0]);
  endfunction

  function automatic logic [LaneWidth-1:0] after_beat(logic [LaneWidth-1:0] count);
    return count >= LaneWidth'(B) ? count - LaneWidth'(B) : '0;
  endfunction

  function automatic position_t position_after_beat(position_t position, logic [1:0] stride_less_1);
    position_t beat;
    logic [2:0] phase;
    logic [4:0] bank;
    logic carry, wrap;
    beat  = BeatStep[stride_less_1];
    phase = 3'(position.phase) + 3'(beat.phase);
    carry = phase > 3'(stride_less_1);
    bank  = 5'(position.bank) + 5'(beat.bank) + 5'(carry);
    wrap  = bank >= 5'(P);
    return
    '{
        phase: 2'(phase - (carry ? 3'(stride_less_1) + 3'd1 : 3'd0)),
        bank: 4'(bank - (wrap ? 5'(P) : 5'd0)),
        word: position.word + beat.word + 16'(wrap)
    }
    ;
  endfunction

  function automatic segment_e first_segment(logic has_top, logic has_middle);
    return has_top ? SegmentTop : has_middle ? SegmentMiddle : SegmentBottom;
  endfunction

  always_comb begin
    segment_d    = segment_q;
    rows_d       = rows_q;
    planes_d     = planes_q;
    plane_base_d = plane_base_q;
    row_base_d   = row_base_q;
    row_d        = row_q;
    if (take) begin
      segment_d    = first_segment(next_q.has[0], next_q.has[1]);
      rows_d       = next_q.rows[segment_d];
      planes_d     = next_planes_q;
      plane_base_d = '0;
      row_base_d   = '0;
      row_d        = segment_d == SegmentMiddle ? next_q.mem_row : next_q.pad_row;
    end else if (step && row_end) begin
      rows_d     = rows_q - 16'd1;
      row_base_d = row_base_q + shape_q.row_words;
      if (plane_end) begin
        segment_d    = first_segment(shape_q.has[0], shape_q.has[1]);
        planes_d     = planes_q - 16'd1;
        plane_base_d = plane_base_q + shape_q.plane_words;
        row_base_d   = plane_base_q + shape_q.plane_words;
      end else if (segment_end) begin
        segment_d = segment_q == SegmentTop && shape_q.has[1] ? SegmentMiddle : SegmentBottom;
      end
      if (segment_end) rows_d = shape_q.rows[segment_d];
      row_d = segment_d == SegmentMiddle ? shape_q.mem_row : shape_q.pad_row;
    end else if (step) begin
      row_d.lanes     = after_beat(row_q.lanes);
      row_d.lead      = after_beat(row_q.lead);
      row_d.tail      = after_beat(row_q.tail);
      row_d.pad_beats = row_q.pad_beats - LaneWidth'(row_q.pad_beats != '0);
      row_d.mem_beats = row_q.mem_beats - 16'(beat_mem);
      row_d.skip      = '0;
      row_d.position  = position_after_beat(row_q.position, shape_q.stride);
    end
  end

  always_ff @(posedge clk_i) begin
    if (take) shape_q <= next_q;
    if (take || step) begin
      segment_q    <= segment_d;
      rows_q       <= rows_d;
      planes_q     <= planes_d;
      plane_base_q <= plane_base_d;
      row_base_q   <= row_base_d;
      row_q        <= row_d;
    end
  end

  assign beat_stride_o   = shape_q.stride;
  assign beat_phase_o    = row_q.position.phase;
  assign beat_bank_o     = row_q.position.bank;
  assign beat_word_o     = row_base_q + row_q.position.word;
  assign beat_rot_o      = shape_q.rot;
  assign beat_base_o     = shape_q.base;
  assign beat_mask_o     = lanes_below(row_q.lanes) & ~lanes_below(LaneWidth'(row_q.skip));
  assign beat_mem_mask_o = beat_mem ? lanes_below(row_q.tail) & ~lanes_below(row_q.lead) : '0;
  assign beat_mem_o      = beat_mem;
  assign beat_pad_o      = shape_q.pad;
  assign beat_half_o     = half_q;
  assign beat_last_o     = last;
  assign beat_valid_o    = walking_q && owned_q;
  assign busy_o          = walking_q || tile_valid_i;
  assign blocked_o       = walking_q && !owned_q;

  // A tile offered stays put until it is taken.
  `FLEX_ASSERT(TileStable, tile_valid_i && !tile_ready_o |=> tile_valid_i && $stable(tile_data_i))
  // A beat offered stays put until it is taken.
  `FLEX_ASSERT(BeatStable, beat_valid_o && !beat_ready_i |=> beat_valid_o && $stable
                           ({row_q, row_base_q, half_q, last}))
  // There are two halves.
  `FLEX_ASSERT(FreeInRange, free_q <= 2'd2 && !(free_q == 2'd2 && freed_i && !grab))
  // What the records promise.
  `FLEX_ASSERT(PhasesInRange, tile_valid_i |-> tile_data_i.phases inside {[4'd1 : 4'd4]})
  `FLEX_ASSERT(FirstPixelInBeat, tile_valid_i |-> 32'(tile_data_i.first_pixel) < B)
  for (genvar f = 0; f < 4; f++) begin : gen_rotation_asserts
    `FLEX_ASSERT(RotationInRange,
                 tile_valid_i && 32'(tile_data_i.phases) > f |-> 32'(tile_data_i.phase_rot[f]) < P)
  end
  // The memory beats of a row bring all its pixels.
  logic [LaneWidth-1:0] row_beats;
  assign row_beats = next_q.mem_row.pad_beats + LaneWidth'(next_q.mem_row.mem_beats);
  `FLEX_ASSERT(PixelsRead, take |-> next_q.mem_row.tail <= row_beats << BLog)

endmodule
