// SPDX-License-Identifier: Apache-2.0
//
// Types and latencies shared by the modules of a core.

package flex_pkg;

  // Cycles from a read of flex_column_buffer to its data: address, RAM, RAM output, rotator.
  parameter int unsigned ColumnReadLatency = 4;

  // Cycles from a read of flex_weight_buffer to the data of row 0.
  parameter int unsigned WeightReadLatency = 2;

  // Width of running counters of ring words and passes.
  parameter int unsigned CountWidth = 16;

  // Words of a table: 256 entries of a byte.
  parameter int unsigned TableWords = 32;

  // Byte offsets within the accelerator's memory.
  parameter int unsigned OffsetWidth = 40;

  // Beats of one request.
  parameter int unsigned BeatsWidth = 24;

  // What flex_table must know of a write.
  typedef struct packed {
    logic enable;
    logic half;    // that holds the table
    logic last;    // last write of its tile
  } table_t;

  // What flex_requantize must know of a block: one output block over one pixel group.
  typedef struct packed {
    logic [15:0]       param_pass;       // slot of the parameter ring
    logic              out_half;         // half of the output buffer
    logic [15:0]       out_addr;         // word within the half
    logic [15:0]       out_plane_words;  // words between planes
    logic [7:0]        out_byte;         // channel of the word that the block's channel 0 is
    logic [2:0]        word_channels;    // log2 of the channels in a word; its bytes repeat them
    logic signed [7:0] zero_point;
    logic signed [7:0] low;
    logic signed [7:0] high;
    table_t            lookup;           // of the last write
    logic              release_params;   // last block that needs these parameters
    logic              hand_over;        // last block of the half
  } block_t;

  // What flex_step_issue must know of a pass.
  typedef struct packed {
    logic [15:0]       plane_words;
    logic [15:0]       out_base;
    logic [15:0]       out_plane_words;
    logic [7:0]        out_byte;
    logic [2:0]        word_channels;
    logic signed [7:0] zero_point;
    logic signed [7:0] low;
    logic signed [7:0] high;
    logic              look_up;
    logic              table_half;
    logic              keep;
    logic              stream;
    logic              take;
    logic              hand_over;
    logic              tile_last;
  } pass_context_t;

  // A run of reduction steps: one list entry at one pixel group.
  typedef struct packed {
    logic [15:0] word;        // buffer word of the first step
    logic [7:0]  rotation;
    logic [15:0] steps_left;  // steps after the first
    logic        list_first;  // first entry of the list
    logic        list_last;   // last entry of the list
    logic        pass_first;  // first entry of the pass
    logic        pass_last;   // last entry of the pass
  } step_run_t;

endpackage
