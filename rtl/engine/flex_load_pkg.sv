// SPDX-License-Identifier: Apache-2.0
//
// What flex_load_prepare tells flex_load_walker about a tile.

package flex_load_pkg;

  // Lanes of a row: the three parts of its columns, 16 bits each, and the lanes before them.
  parameter int unsigned LaneWidth = 18;

  // The bits that a column phase has when there are `count` of them.
  function automatic logic [1:0] phase_mask(int unsigned count);
    return count > 2 ? 2'b11 : 2'(count - 1);
  endfunction

  // Segments of a plane: padding rows, rows from memory, padding rows.
  parameter int unsigned NumSegments = 3;
  typedef enum logic [1:0] {
    SegmentTop,
    SegmentMiddle,
    SegmentBottom
  } segment_e;

  // A column: its phase, its bank and word without rotation and base.
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
    logic [LaneWidth-1:0] beats;      // this one included
    logic                 last;       // this is the last one
    logic [LaneWidth-1:0] pad_beats;  // beats before the first memory beat
    logic [15:0]          mem_beats;  // memory beats
    logic                 mem;        // this is one
    logic [4:0]           skip;       // lanes before column 0
    position_t            position;   // of lane 0
  } row_t;

  // A tile. A tile without pixels is one padding row of one beat without lanes.
  typedef struct packed {
    logic                         wide;          // 16 bits: other padding behind the upper planes
    logic [15:0]                  upper_planes;
    logic [7:0]                   pad_lower;
    logic [15:0]                  planes;
    logic                         single_plane;
    logic [15:0]                  plane_words;
    logic [15:0]                  row_words;
    logic [NumSegments-1:0][15:0] rows;          // of each segment
    logic [NumSegments-1:0]       single;        // it has one row
    logic [NumSegments-1:0]       final_one;     // it is the last that has rows
    segment_e                     first;         // the first that has rows
    segment_e [NumSegments-1:0]   following;     // the next that has rows, after the last the first
    row_t                         mem_row;       // start of a row of the middle
    row_t                         pad_row;       // start of another row
    logic [1:0]                   stride;        // less 1
    logic [3:0][3:0]              rot;
    logic [3:0][15:0]             base;
    logic [7:0]                   pad;
  } shape_t;

endpackage
