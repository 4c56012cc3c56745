// SPDX-License-Identifier: Apache-2.0
//
// Works out everything about a tile that flex_load_walker would otherwise have to compute in the
// one cycle it has for a beat: lengths in beats, what follows what, flags for "the last one".
//
// A row that is read lies in its beats as in memory: lane i of the first memory beat is pixel i,
// padding takes the lanes beside the pixels and the beats before and after them. With
// o = (first_pixel - pad_left) mod B lanes before column 0 such a row takes
// max(ceil((o + columns) / B), floor((o + pad_left) / B) + row_beats) beats, a padding row
// ceil(columns / B).
//
// The tile stays at the input until its shape is taken. Latency: 4 cycles.
// Limits: first_pixel below B, 1..ColumnPhases phases, rotations below P.

`include "flex_assert.svh"

module flex_load_prepare
  import flex_load_pkg::*;
  import flex_program_pkg::*;
#(
  // Banks of the buffer, 1..16.
  parameter int unsigned P            = 8,
  // Bytes of a pixel; a power of two.
  parameter int unsigned N            = 8,
  // Bytes of a beat; a power of two, 1..32 pixels.
  parameter int unsigned DataBytes    = 64,
  // Column phases of a tile at most, 1..4; a core for smaller strides is smaller.
  parameter int unsigned ColumnPhases = 4,
  // Activations may have 16 bits: the lower bytes, in the second half of the planes, have padding
  // of their own.
  parameter bit          Wide         = 1'b0
) (
  input  logic       clk_i,
  input  logic       rst_ni,
  // Tiles
  input  load_tile_t tile_data_i,
  input  logic       tile_valid_i,
  output logic       tile_ready_o,
  // The same, prepared
  output shape_t     shape_data_o,
  output logic       shape_valid_o,
  input  logic       shape_ready_i
);

  localparam int unsigned B = DataBytes / N;
  localparam int unsigned BLog = $clog2(B);

  `FLEX_ASSERT_INIT(BanksInRange, P >= 1 && P <= 16)
  `FLEX_ASSERT_INIT(LanesInRange, B >= 1 && B <= 32)
  `FLEX_ASSERT_INIT(PhasesPossible, ColumnPhases >= 1 && ColumnPhases <= 4)
  `FLEX_ASSERT_INIT(BeatPowerOfTwo, (DataBytes & (DataBytes - 1)) == 0)
  `FLEX_ASSERT_INIT(PixelPowerOfTwo, (N & (N - 1)) == 0)

  // The column that lies `skip` before column 0.
  function automatic position_t position_before(int unsigned stride, int unsigned skip);
    int unsigned groups, words;
    groups = (skip + stride - 1) / stride;
    words  = (groups + P - 1) / P;
    return '{phase: 2'(groups * stride - skip), bank: 4'(words * P - groups), word: 16'(-words)};
  endfunction

  // By stride - 1.
  function automatic position_t [3:0][B-1:0] positions_before();
    position_t [3:0][B-1:0] positions;
    for (int unsigned s = 0; s < 4; s++) begin
      for (int unsigned k = 0; k < B; k++) positions[s][k] = position_before(s + 1, k);
    end
    return positions;
  endfunction

  localparam position_t [3:0][B-1:0] PositionBefore = positions_before();

  function automatic logic [LaneWidth-1:0] beats_of(logic [LaneWidth-1:0] lanes);
    return (lanes + LaneWidth'(B - 1)) >> BLog;
  endfunction

  ////////////////////////////////////////////////////////////////
  // The tile does not change, so each stage may follow it all the time
  ////////////////////////////////////////////////////////////////

  logic [3:0] stage_d, stage_q;  // stages whose results are there

  assign stage_d       = tile_valid_i && !tile_ready_o ? {stage_q[2:0], 1'b1} : 4'b0000;
  assign shape_valid_o = stage_q[3];
  assign tile_ready_o  = stage_q[3] && shape_ready_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) stage_q <= 4'b0000;
    else stage_q <= stage_d;
  end

  // Sums.
  logic [4:0] skip_q;
  logic [LaneWidth-1:0] lead_q, tail_q, cols_q;
  logic has_pixels_q, reads_q;

  // Lanes, from lane 0 of a row that is read.
  logic [LaneWidth-1:0] mem_lanes_q, mem_lead_q, mem_tail_q;
  logic empty_q;

  // Beats of the two kinds of rows; for one that is read by lanes and by memory beats.
  logic [LaneWidth-1:0] pad_row_beats_q, mem_row_beats_q, read_beats_q;
  logic [NumSegments-1:0][15:0] rows_q;
  logic [15:0] planes_q;

  always_ff @(posedge clk_i) begin
    if (tile_valid_i) begin
      // B is a power of two: low bits say where within a beat column 0 lies.
      skip_q <= (5'(tile_data_i.first_pixel) - 5'(tile_data_i.pad_left)) & 5'(B - 1);
      lead_q <= LaneWidth'(tile_data_i.pad_left);
      tail_q <= LaneWidth'(tile_data_i.pad_left) + LaneWidth'(tile_data_i.mem_cols);
      cols_q <= LaneWidth'(tile_data_i.pad_left) + LaneWidth'(tile_data_i.mem_cols) +
          LaneWidth'(tile_data_i.pad_right);
      reads_q <= tile_data_i.mem_rows != '0 && tile_data_i.mem_cols != '0 &&
          tile_data_i.row_beats != '0;
      has_pixels_q <= tile_data_i.planes != '0 &&
          {tile_data_i.pad_top, tile_data_i.mem_rows, tile_data_i.pad_bottom} != '0;

      mem_lanes_q <= cols_q + LaneWidth'(skip_q);
      mem_lead_q <= lead_q + LaneWidth'(skip_q);
      mem_tail_q <= tail_q + LaneWidth'(skip_q);
      empty_q <= !has_pixels_q || cols_q == '0;

      pad_row_beats_q <= empty_q ? '0 : beats_of(cols_q);
      mem_row_beats_q <= beats_of(mem_lanes_q);
      read_beats_q <= (mem_lead_q >> BLog) + LaneWidth'(tile_data_i.row_beats);
      rows_q <= {tile_data_i.pad_bottom, tile_data_i.mem_rows, tile_data_i.pad_top};
      planes_q <= tile_data_i.planes;
      if (empty_q) begin
        rows_q   <= {16'd1, 16'd0, 16'd0};
        planes_q <= 16'd1;
      end
    end
  end

  ////////////////////////////////////////////////////////////////
  // Shape
  ////////////////////////////////////////////////////////////////

  shape_t shape_d, shape_q;
  logic has_top, has_middle, has_bottom;
  logic [1:0] stride;
  logic unused_tile;

  assign stride     = 2'(tile_data_i.phases - 4'd1) & phase_mask(ColumnPhases);
  assign has_top    = rows_q[SegmentTop] != '0;
  assign has_middle = rows_q[SegmentMiddle] != '0;
  assign has_bottom = rows_q[SegmentBottom] != '0;

  always_comb begin
    shape_d.planes       = planes_q;
    shape_d.single_plane = planes_q == 16'd1;
    shape_d.plane_words  = tile_data_i.plane_words;
    shape_d.row_words    = tile_data_i.row_words;
    shape_d.rows         = rows_q;
    for (int unsigned i = 0; i < NumSegments; i++) shape_d.single[i] = rows_q[i] == 16'd1;
    shape_d.final_one = {1'b1, !has_bottom, !has_bottom && !has_middle};
    shape_d.first = has_top ? SegmentTop : has_middle ? SegmentMiddle : SegmentBottom;
    shape_d.following[SegmentBottom] = shape_d.first;
    shape_d.following[SegmentMiddle] = has_bottom ? SegmentBottom : shape_d.first;
    shape_d.following[SegmentTop] = has_middle ? SegmentMiddle : shape_d.following[SegmentMiddle];

    shape_d.pad_row = '0;
    shape_d.pad_row.lanes = empty_q ? '0 : cols_q;
    shape_d.pad_row.beats = pad_row_beats_q;
    shape_d.pad_row.last = pad_row_beats_q <= LaneWidth'(1);

    shape_d.mem_row.lanes = mem_lanes_q;
    shape_d.mem_row.lead = mem_lead_q;
    shape_d.mem_row.tail = mem_tail_q;
    shape_d.mem_row.beats = read_beats_q > mem_row_beats_q ? read_beats_q : mem_row_beats_q;
    shape_d.mem_row.last = read_beats_q <= LaneWidth'(1) && mem_row_beats_q <= LaneWidth'(1);
    shape_d.mem_row.pad_beats = mem_lead_q >> BLog;
    shape_d.mem_row.mem_beats = tile_data_i.row_beats;
    shape_d.mem_row.mem = mem_lead_q >> BLog == '0;
    shape_d.mem_row.skip = skip_q;
    shape_d.mem_row.position = PositionBefore[stride][32'(skip_q)%B];
    if (!reads_q) shape_d.mem_row = shape_d.pad_row;

    shape_d.stride = stride;
    shape_d.rot    = '0;
    shape_d.base   = '0;
    for (int unsigned f = 0; f < ColumnPhases; f++) begin
      shape_d.rot[f]  = tile_data_i.phase_rot[f][3:0];
      shape_d.base[f] = tile_data_i.phase_base[f];
    end
    shape_d.pad          = tile_data_i.pad_value;
    shape_d.wide         = Wide && tile_data_i.wide;
    shape_d.upper_planes = Wide ? planes_q >> 1 : '0;
    shape_d.pad_lower    = Wide ? tile_data_i.pad_lower : '0;
  end

  always_ff @(posedge clk_i) begin
    if (!stage_q[3]) shape_q <= shape_d;
  end

  assign shape_data_o = shape_q;

  // What only the requester uses; all of a rotation above its low bits is zero.
  assign unused_tile = ^{
      tile_data_i.wait_tiles,
      tile_data_i.row_pitch,
      tile_data_i.contiguous,
      tile_data_i.unused_3,
      tile_data_i.unused_5,
      tile_data_i.wide,
      tile_data_i.pad_lower,
      tile_data_i.window,
      tile_data_i.extra_rows,
      tile_data_i.extra_beats,
      tile_data_i.first_row,
      tile_data_i.drop_beats,
      tile_data_i.tail_lanes,
      tile_data_i.odd,
      tile_data_i.step_rows,
      tile_data_i.step_cols,
      tile_data_i.phases[3:2],
      tile_data_i.phase_base,
      tile_data_i.phase_rot
  };

  // What is offered stays put until it is taken.
  `FLEX_ASSERT(TileStable, tile_valid_i && !tile_ready_o |=> tile_valid_i && $stable(tile_data_i))
  `FLEX_ASSERT(ShapeStable, shape_valid_o && !shape_ready_i |=> shape_valid_o && $stable
                            (shape_data_o))
  // What the records promise.
  `FLEX_ASSERT(PhasesInRange, tile_valid_i |-> 32'(tile_data_i.phases) inside {[1 : ColumnPhases]})
  `FLEX_ASSERT(FirstPixelInBeat, tile_valid_i |-> 32'(tile_data_i.first_pixel) < B)
  for (genvar f = 0; f < 4; f++) begin : gen_rotation_asserts
    `FLEX_ASSERT(RotationInRange,
                 tile_valid_i && 32'(tile_data_i.phases) > f |-> 32'(tile_data_i.phase_rot[f]) < P)
  end
  // The memory beats of a row bring all its pixels.
  `FLEX_ASSERT(PixelsRead, shape_valid_o && reads_q |-> mem_tail_q <= read_beats_q << BLog)

endmodule
