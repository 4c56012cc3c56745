// SPDX-License-Identifier: Apache-2.0
//
// Records of an array that knows plain convolutions only: kernel counters in place of lists.

package flex_plain_pkg;

  // Geometry of a tile. A kernel row starts in bank 0; its columns lie in at most two phases.
  typedef struct packed {
    logic [23:0] unused_2;
    logic [1:0][3:0] step_rotation;  // from an even kernel column to the next, from an odd one
    logic [1:0][15:0] step_word;  // the same in words
    logic [23:0] unused_1;
    logic [3:0] last_row;  // kernel rows less 1
    logic [3:0] last_column;  // kernel columns less 1
    logic [15:0] last_block;  // input channel blocks less 1
    logic [15:0] kernel_row_words;  // buffer words from one kernel row to the next
    logic [21:0] unused_0;
    logic stream;  // from here on as in array_tile_t
    logic keep;
    logic signed [7:0] high;
    logic signed [7:0] low;
    logic signed [7:0] zero_point;
    logic [15:0] out_plane_words;
    logic [15:0] plane_words;
    logic [15:0] row_step;
    logic [15:0] groups;
    logic [15:0] rows;
  } plain_tile_t;

endpackage
