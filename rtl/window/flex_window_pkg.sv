// SPDX-License-Identifier: Apache-2.0
//
// What the parts of flex_window share.

package flex_window_pkg;

  // A tile on its way through the window engine. Columns count from the first pixel of the first
  // beat of a row, rows from the first one read; padding behind follows what memory brings.
  typedef struct packed {
    logic        window;       // the window is applied; else beats pass as they are
    logic [15:0] planes;
    logic [15:0] rows;         // read from memory
    logic [15:0] beats;        // of a row, read from memory
    logic [1:0]  extra_rows;   // rows of padding behind
    logic [1:0]  extra_beats;  // beats of padding behind a row
    logic [1:0]  first_row;    // newest row of the first window
    logic [1:0]  drop_beats;   // output beats of a row before the first one wanted
    logic [4:0]  tail_lanes;   // pixels of a row's last memory beat that are padding
    logic        odd;          // column of the first window's newest pixel, modulo 2
    logic        step_rows;    // strides of 2
    logic        step_cols;
  } window_tile_t;

  // A channel; without slopes only the lower 150 bits, from the weights on, are there.
  typedef struct packed {
    logic signed [26:0] below_last;
    logic signed [24:0] below_mult;
    logic [5:0]         below_shift;
    logic signed [47:0] below_bias;
    logic [8:0][7:0]    weights;
    logic [23:0]        mult;
    logic [5:0]         shift;
    logic signed [47:0] bias;
  } window_channel_t;

  // What goes with a beat from the walk to the output.
  typedef struct packed {
    logic bank;    // of the parameters
    logic start;   // first beat of a row
    logic emit;    // completes a beat of the output
    logic gather;  // every other pixel is kept:
    logic odd;     // those in odd lanes
    logic second;  // they are the second half of an output beat
  } window_beat_t;

endpackage
