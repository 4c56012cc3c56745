// SPDX-License-Identifier: Apache-2.0
//
// Walks the beats of tiles through the window engine: which beat memory brings, which are padding
// behind what it brings, where a window is complete and where a beat of the output.
//
// A window ends at the newest pixel: the beat that brings its last row and column completes it, so
// nothing is held back, and padding takes beats of its own only behind the last row or column.
//
// Throughput: one beat per cycle, without bubbles between rows, planes and tiles; rows of a single
// beat take two cycles where lines are kept. All outputs but `step_o` come from registers.

`include "flex_assert.svh"

module flex_window_walk
  import flex_window_pkg::*;
#(
  // Pixels of a beat, 1..32; a power of two.
  parameter  int unsigned B         = 8,
  // Lines are kept for windows.
  parameter  bit          Lines     = 1'b1,
  // Beats of a line at most.
  parameter  int unsigned LineBeats = 512,
  localparam int unsigned AddrWidth = (LineBeats > 1) ? $clog2(LineBeats) : 1
) (
  input logic clk_i,
  input logic rst_ni,
  // Tiles
  input window_tile_t tile_data_i,
  input logic tile_valid_i,
  output logic tile_ready_o,
  // Parameters are in that bank; pulse: the last beat that uses them
  input logic bank_i,
  input logic bank_valid_i,
  output logic bank_take_o,
  // Memory
  input logic data_valid_i,
  output logic data_ready_o,
  // There is room for another beat of the output
  input logic room_i,
  // A beat
  output logic step_o,
  output window_beat_t beat_o,
  output logic write_o,  // it is kept as part of a line
  output logic [1:0] read_o,  // older lines that are read
  output logic [AddrWidth-1:0] addr_o,
  output logic line_o,  // the line to write; the other one is a row old
  output logic [2:0] rows_o,  // rows of the image, the newest last
  output logic [B-1:0] mask_o  // columns of the image
);

  `FLEX_ASSERT_INIT(LanesInRange, B >= 1 && B <= 32 && (B & (B - 1)) == 0)

  // What is left of a row, of a plane and of a tile, this beat included.
  typedef struct packed {
    logic        start;      // this is the row's first beat
    logic [15:0] addr;
    logic [16:0] beats;
    logic [15:0] mem_beats;
    logic [1:0]  drop;
    logic        second;     // the output beat has its first half
  } row_t;

  typedef struct packed {
    logic [16:0] rows;
    logic [15:0] mem_rows;
    logic [1:0] older;  // the rows before are of the image
    logic [1:0] waiting;  // rows until the next that completes windows
  } plane_t;

  logic active_d, active_q;
  logic bubble_d, bubble_q;
  window_tile_t tile_d, tile_q;
  row_t row_d, row_q;
  plane_t plane_d, plane_q;
  logic [15:0] planes_d, planes_q;
  logic line_q;
  logic allowed, mem, complete;
  logic row_end, plane_end, tile_end;

  function automatic row_t row_start(logic [15:0] beats, logic [1:0] extra, logic [1:0] drop);
    return
    '{
        start: 1'b1,
        addr: '0,
        beats: 17'(beats) + 17'(extra),
        mem_beats: beats,
        drop: drop,
        second: 1'b0
    }
    ;
  endfunction

  function automatic plane_t plane_start(logic [15:0] rows, logic [1:0] extra, logic [1:0] first);
    return '{rows: 17'(rows) + 17'(extra), mem_rows: rows, older: '0, waiting: first};
  endfunction

  assign allowed      = active_q && bank_valid_i && room_i && !bubble_q;
  assign mem          = row_q.mem_beats != '0 && plane_q.mem_rows != '0;
  assign row_end      = row_q.beats == 17'd1;
  assign plane_end    = row_end && plane_q.rows == 17'd1;
  assign tile_end     = plane_end && planes_q == 16'd1;

  assign step_o       = allowed && (!mem || data_valid_i);
  assign data_ready_o = allowed && mem;
  assign tile_ready_o = !active_q || (step_o && tile_end);
  // Beats without window share one bank for the whole tile.
  assign bank_take_o  = step_o && (tile_q.window ? plane_end : tile_end);

  if (B > 1) begin : gen_halves
    assign complete = !tile_q.step_cols || row_q.second || row_end;
  end else begin : gen_pixels
    assign complete = !tile_q.step_cols || row_q.second == tile_q.odd;
  end

  always_comb begin
    active_d = active_q;
    tile_d   = tile_q;
    row_d    = row_q;
    plane_d  = plane_q;
    planes_d = planes_q;
    bubble_d = Lines && step_o && tile_q.window && row_end && row_q.start;
    if (step_o) begin
      row_d.start     = 1'b0;
      row_d.addr      = row_q.addr + 16'd1;
      row_d.beats     = row_q.beats - 17'd1;
      row_d.mem_beats = row_q.mem_beats - 16'(row_q.mem_beats != '0);
      row_d.drop      = row_q.drop - 2'(complete && row_q.drop != '0);
      row_d.second    = !row_q.second;
      if (row_end) begin
        row_d            = row_start(tile_q.beats, tile_q.extra_beats, tile_q.drop_beats);
        plane_d.rows     = plane_q.rows - 17'd1;
        plane_d.mem_rows = plane_q.mem_rows - 16'(plane_q.mem_rows != '0);
        plane_d.older    = {plane_q.older[0], plane_q.mem_rows != '0};
        plane_d.waiting  = plane_q.waiting == '0 ? 2'(tile_q.step_rows) : plane_q.waiting - 2'd1;
      end
      if (plane_end) begin
        plane_d  = plane_start(tile_q.rows, tile_q.extra_rows, tile_q.first_row);
        planes_d = planes_q - 16'd1;
      end
      if (tile_end) active_d = 1'b0;
    end
    if (tile_ready_o) begin
      active_d = tile_valid_i;
      tile_d   = tile_data_i;
      row_d    = row_start(tile_data_i.beats, tile_data_i.extra_beats, tile_data_i.drop_beats);
      plane_d  = plane_start(tile_data_i.rows, tile_data_i.extra_rows, tile_data_i.first_row);
      planes_d = tile_data_i.planes;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      active_q <= 1'b0;
      bubble_q <= 1'b0;
      line_q   <= 1'b0;
    end else begin
      active_q <= active_d;
      bubble_q <= bubble_d;
      line_q   <= line_q ^ (step_o && row_end);
    end
  end

  always_ff @(posedge clk_i) begin
    tile_q   <= tile_d;
    row_q    <= row_d;
    plane_q  <= plane_d;
    planes_q <= planes_d;
  end

  assign beat_o = '{
          bank: bank_i,
          start: row_q.start,
          emit: plane_q.waiting == '0 && complete && row_q.drop == '0,
          gather: tile_q.step_cols,
          odd: tile_q.odd,
          second: row_q.second
      };
  assign write_o = tile_q.window && mem;
  assign read_o = {2{tile_q.window && row_q.mem_beats != '0}} & plane_q.older;
  assign addr_o = row_q.addr[AddrWidth-1:0];
  assign line_o = line_q;
  assign rows_o = {plane_q.mem_rows != '0, plane_q.older[0], plane_q.older[1]};

  always_comb begin
    mask_o = '0;
    if (row_q.mem_beats != '0) mask_o = '1;
    if (row_q.mem_beats == 16'd1) mask_o = {B{1'b1}} >> tile_q.tail_lanes;
  end

  // What is offered stays put until it is taken.
  `FLEX_ASSERT(TileStable, tile_valid_i && !tile_ready_o |=> tile_valid_i && $stable(tile_data_i))
  // A tile reads something, and its lines fit.
  logic empty, plain;
  assign empty = tile_data_i.planes == '0 || tile_data_i.rows == '0 || tile_data_i.beats == '0;
  `FLEX_ASSERT(TileNotEmpty, tile_valid_i |-> !empty)
  `FLEX_ASSERT(LineFits,
               tile_valid_i && Lines && tile_data_i.window |-> 32'(tile_data_i.beats) <= LineBeats)
  `FLEX_ASSERT(TailWithinBeat, tile_valid_i |-> 32'(tile_data_i.tail_lanes) < B)
  // Beats that pass as they are have no geometry of a window.
  assign plain = {
      tile_data_i.extra_rows,
      tile_data_i.extra_beats,
      tile_data_i.first_row,
      tile_data_i.drop_beats,
      tile_data_i.tail_lanes,
      tile_data_i.odd,
      tile_data_i.step_rows,
      tile_data_i.step_cols
  } == '0;
  `FLEX_ASSERT(PassPlain, tile_valid_i && !tile_data_i.window |-> plain)

endmodule
