// SPDX-License-Identifier: Apache-2.0
//
// Types and latencies shared by the modules of a core.

package flex_pkg;

  // Cycles from a read of flex_column_buffer to its data: address, RAM, RAM output, rotator.
  parameter int unsigned ColumnReadLatency = 4;

  // Cycles from a read of flex_weight_buffer to the data of row 0.
  parameter int unsigned WeightReadLatency = 2;

  // Cycles that flex_sum holds a write.
  parameter int unsigned SumLatency = 14;

  // Cycles that flex_bend holds a write.
  parameter int unsigned BendLatency = 13;

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

  // What becomes of a sum in flex_bend: (sum * mult + bias) / 2^shift + zero_point, or what the
  // channel's second record says of sums up to its limit.
  typedef struct packed {
    logic               enable;      // else bytes pass
    logic [23:0]        mult;
    logic [5:0]         shift;
    logic signed [47:0] bias;
    logic signed [7:0]  zero_point;
    logic signed [7:0]  low;
    logic signed [7:0]  high;
  } bend_t;

  // A sum with a second tensor: (byte * mult + skip * skip_mult + bias) / 2^shift + zero_point.
  typedef struct packed {
    logic               enable;      // there is one; else the numbers are those of SumNone
    logic               half;        // half of the skip buffer
    logic signed [24:0] mult;
    logic signed [24:0] skip_mult;
    logic signed [33:0] bias;
    logic [5:0]         shift;
    logic signed [7:0]  zero_point;
    logic signed [7:0]  low;
    logic signed [7:0]  high;
    bend_t              bend;        // what becomes of it
  } sum_t;

  // What leaves every byte as it is.
  parameter sum_t SumNone = '{mult: 25'sd1, low: -8'sd128, high: 8'sd127, default: '0};

  // A tile with 16 bits on either side: its accumulators are not clamped, its limits have 16 bits.
  typedef struct packed {
    logic               enable;
    logic signed [15:0] zero_point;
    logic signed [15:0] low;
    logic signed [15:0] high;
  } wide_t;

  // The byte of an output that is put out; that of 8 bits is the output itself.
  typedef enum logic [1:0] {
    PlaneWhole = 2'd0,
    PlaneUpper = 2'd1,
    PlaneLower = 2'd2   // less 128
  } plane_e;

  // What flex_requantize must know of a block: one output block over one pixel group.
  typedef struct packed {
    wide_t             wide;             // its limits hold where enabled
    plane_e            plane;
    sum_t              add;
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
    wide_t             wide;
    plane_e            plane;
    sum_t              add;              // its half is chosen later
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
    logic        shift;       // the first step raises what is summed
    logic [15:0] word;        // buffer word of the first step
    logic [7:0]  rotation;
    logic [15:0] steps_left;  // steps after the first
    logic        list_first;  // first entry of the list
    logic        list_last;   // last entry of the list
    logic        pass_first;  // first entry of the pass
    logic        pass_last;   // last entry of the pass
  } step_run_t;

endpackage
