// SPDX-License-Identifier: Apache-2.0
//
// Walks the input window of a tile plane by plane, row by row, beat by beat, and owns the halves of
// the buffer: a tile starts when a half is free. flex_load_prepare says how long everything is.
//
// Throughput: one beat per cycle without bubbles between rows, planes and tiles. Latency: 1 cycle
// from a shape to its first beat if a half is free, else 2 from the pulse that frees one.

`include "flex_assert.svh"

module flex_load_walker
  import flex_load_pkg::*;
#(
  // Banks of the buffer, 1..16.
  parameter  int unsigned P            = 8,
  // Bytes of a pixel; a power of two.
  parameter  int unsigned N            = 8,
  // Bytes of a beat; a power of two, 1..32 pixels.
  parameter  int unsigned DataBytes    = 64,
  // Column phases of a tile at most, 1..4; a core for smaller strides is smaller.
  parameter  int unsigned ColumnPhases = 4,
  localparam int unsigned B            = DataBytes / N
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  // Tiles
  input  shape_t               shape_data_i,
  input  logic                 shape_valid_i,
  output logic                 shape_ready_o,
  // Pulse: the older half is free again
  input  logic                 freed_i,
  // Beats, as flex_load_scatter takes them
  output logic   [  1:0]       beat_stride_o,
  output logic   [  1:0]       beat_phase_o,
  output logic   [  3:0]       beat_bank_o,
  output logic   [ 15:0]       beat_word_o,
  output logic   [  3:0][ 3:0] beat_rot_o,
  output logic   [  3:0][15:0] beat_base_o,
  output logic   [B-1:0]       beat_mask_o,
  output logic   [B-1:0]       beat_mem_mask_o,
  output logic                 beat_mem_o,
  output logic   [  7:0]       beat_pad_o,
  output logic                 beat_half_o,
  output logic                 beat_last_o,
  output logic                 beat_valid_o,
  input  logic                 beat_ready_i,
  // Levels: a tile is under way; it waits for a free half
  output logic                 busy_o,
  output logic                 blocked_o
);

  localparam int unsigned BLog = $clog2(B);

  // What a beat adds to a position, by stride - 1.
  function automatic position_t [3:0] beat_steps();
    position_t [3:0] steps;
    for (int unsigned s = 1; s <= 4; s++) begin
      steps[s-1] = '{phase: 2'(B % s), bank: 4'((B / s) % P), word: 16'((B / s) / P)};
    end
    return steps;
  endfunction

  localparam position_t [3:0] BeatStep = beat_steps();

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

  assign take          = shape_valid_i && (!walking_q || tile_end);
  assign grab          = (take || (walking_q && !owned_q)) && free_q != '0;
  assign shape_ready_o = !walking_q || tile_end;

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
  logic single_plane_d, single_plane_q;  // one plane is left
  logic lower_d, lower_q;  // the plane holds lower bytes of 16
  // The current row is the last of its segment, plane, tile.
  logic ends_segment_d, ends_segment_q, ends_plane_d, ends_plane_q, ends_tile_d, ends_tile_q;
  logic step;  // a beat is handed on
  logic last;  // it is the last one of the tile

  assign step     = beat_valid_o && beat_ready_i;
  assign last     = row_q.last && ends_tile_q;
  assign tile_end = step && last;

  // These are wanted when the tile begins.
  logic unused_shape;
  assign unused_shape = ^{shape_q.planes, shape_q.single_plane, shape_q.first};

  function automatic logic [B-1:0] lanes_below(logic [LaneWidth-1:0] count);
    return count >> BLog != '0 ? '1 : ~({B{1'b1}} << count[4:0]);
  endfunction

  function automatic logic [LaneWidth-1:0] after_beat(logic [LaneWidth-1:0] count);
    return count >> BLog != '0 ? count - LaneWidth'(B) : '0;
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
        phase: 2'(phase - (carry ? 3'(stride_less_1) + 3'd1 : 3'd0)) & phase_mask(ColumnPhases),
        bank: 4'(bank - (wrap ? 5'(P) : 5'd0)),
        word: position.word + beat.word + 16'(wrap)
    }
    ;
  endfunction

  // What comes after a beat. It is looked at after a step, or when the walker has no tile; so the
  // choice waits for neither memory nor the next tile.
  always_comb begin
    segment_d      = segment_q;
    rows_d         = rows_q - 16'd1;
    ends_segment_d = rows_q == 16'd2;
    ends_plane_d   = ends_segment_d && shape_q.final_one[segment_q];
    ends_tile_d    = ends_plane_d && single_plane_q;
    planes_d       = planes_q;
    single_plane_d = single_plane_q;
    lower_d        = lower_q;
    plane_base_d   = plane_base_q;
    row_base_d     = row_base_q + shape_q.row_words;
    row_d          = row_q;
    if (!walking_q || last) begin
      segment_d = shape_data_i.first;
      rows_d = shape_data_i.rows[shape_data_i.first];
      ends_segment_d = shape_data_i.single[shape_data_i.first];
      ends_plane_d = ends_segment_d && shape_data_i.final_one[shape_data_i.first];
      ends_tile_d = ends_plane_d && shape_data_i.single_plane;
      planes_d = shape_data_i.planes;
      single_plane_d = shape_data_i.single_plane;
      lower_d = 1'b0;
      plane_base_d = '0;
      row_base_d = '0;
      row_d = shape_data_i.first == SegmentMiddle ? shape_data_i.mem_row : shape_data_i.pad_row;
    end else if (row_q.last) begin
      if (ends_plane_q) begin
        planes_d       = planes_q - 16'd1;
        single_plane_d = planes_q == 16'd2;
        // As many lower ones are left as there were upper ones.
        lower_d        = lower_q || (shape_q.wide && planes_q == shape_q.upper_planes + 16'd1);
        plane_base_d   = plane_base_q + shape_q.plane_words;
        row_base_d     = plane_base_d;
      end
      if (ends_segment_q) begin
        segment_d      = shape_q.following[segment_q];
        rows_d         = shape_q.rows[segment_d];
        ends_segment_d = shape_q.single[segment_d];
        ends_plane_d   = ends_segment_d && shape_q.final_one[segment_d];
        ends_tile_d    = ends_plane_d && single_plane_d;
      end
      row_d = segment_d == SegmentMiddle ? shape_q.mem_row : shape_q.pad_row;
    end else begin
      rows_d = rows_q;
      ends_segment_d = ends_segment_q;
      ends_plane_d = ends_plane_q;
      ends_tile_d = ends_tile_q;
      row_base_d = row_base_q;
      row_d.lanes = after_beat(row_q.lanes);
      row_d.lead = after_beat(row_q.lead);
      row_d.tail = after_beat(row_q.tail);
      row_d.beats = row_q.beats - LaneWidth'(1);
      row_d.last = row_q.beats == LaneWidth'(2);
      row_d.pad_beats = row_q.pad_beats - LaneWidth'(row_q.pad_beats != '0);
      row_d.mem_beats = row_q.mem_beats - 16'(row_q.mem);
      row_d.mem       = row_q.mem ? row_q.mem_beats != 16'd1 :
          row_q.pad_beats == LaneWidth'(1) && row_q.mem_beats != '0;
      row_d.skip = '0;
      row_d.position = position_after_beat(row_q.position, shape_q.stride);
    end
  end

  always_ff @(posedge clk_i) begin
    if (!walking_q || tile_end) begin
      shape_q <= shape_data_i;
    end
    if (!walking_q || step) begin
      segment_q      <= segment_d;
      rows_q         <= rows_d;
      ends_segment_q <= ends_segment_d;
      ends_plane_q   <= ends_plane_d;
      ends_tile_q    <= ends_tile_d;
      planes_q       <= planes_d;
      single_plane_q <= single_plane_d;
      lower_q        <= lower_d;
      plane_base_q   <= plane_base_d;
      row_base_q     <= row_base_d;
      row_q          <= row_d;
    end
  end

  assign beat_stride_o   = shape_q.stride;
  assign beat_phase_o    = row_q.position.phase;
  assign beat_bank_o     = row_q.position.bank;
  assign beat_word_o     = row_base_q + row_q.position.word;
  assign beat_rot_o      = shape_q.rot;
  assign beat_base_o     = shape_q.base;
  assign beat_mask_o     = lanes_below(row_q.lanes) & ~lanes_below(LaneWidth'(row_q.skip));
  assign beat_mem_mask_o = row_q.mem ? lanes_below(row_q.tail) & ~lanes_below(row_q.lead) : '0;
  assign beat_mem_o      = row_q.mem;
  assign beat_pad_o      = lower_q ? shape_q.pad_lower : shape_q.pad;
  assign beat_half_o     = half_q;
  assign beat_last_o     = last;
  assign beat_valid_o    = walking_q && owned_q;
  assign busy_o          = walking_q || shape_valid_i;
  assign blocked_o       = walking_q && !owned_q;

  // What is offered stays put until it is taken.
  `FLEX_ASSERT(ShapeStable, shape_valid_i && !shape_ready_o |=> shape_valid_i && $stable
                            (shape_data_i))
  `FLEX_ASSERT(BeatStable, beat_valid_o && !beat_ready_i |=> beat_valid_o && $stable
                           ({row_q, row_base_q, half_q, last}))
  // There are two halves.
  `FLEX_ASSERT(FreeInRange, free_q <= 2'd2 && !(free_q == 2'd2 && freed_i && !grab))
  // A row ends with its lanes, and not before its memory beats are used up.
  `FLEX_ASSERT(RowEndsWithLanes, beat_valid_o && row_q.last |-> row_q.lanes <= LaneWidth'(B))
  `FLEX_ASSERT(
      RowEndsWithMemory,
      beat_valid_o && row_q.last |-> row_q.mem_beats == 16'(row_q.mem) && row_q.pad_beats == '0)

endmodule
