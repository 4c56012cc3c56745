// SPDX-License-Identifier: Apache-2.0
//
// Stands in for flex_sequencer in the core that versatility is measured against: no lists, kernel counters.
//
// Parses the records of flex_plain_pkg, has flex_plain_reader count and flex_step_issue issue the steps. A plain
// convolution of stride 1 or 2 gets the same steps as from its reduction lists.

`include "flex_assert.svh"

module flex_sequencer
  import flex_pkg::*;
  import flex_plain_pkg::*;
  import flex_program_pkg::*;
#(
  // Columns of the array: banks of the activation buffer.
  parameter  int unsigned P                = 8,
  // Words per half of the activation buffer; a power of two.
  parameter  int unsigned ActWords         = 1024,
  // Words of the weight ring; a power of two.
  parameter  int unsigned WeightWords      = 512,
  // There are no lists.
  parameter  int unsigned ListEntries      = 512,
  // Length of a drain chain, M/Q: cycles in which a block leaves the array.
  parameter  int unsigned DrainCycles      = 4,
  // Cycles from a step until the weight buffer has read its last row.
  parameter  int unsigned WeightReadCycles = 16,
  // There are no tables.
  parameter  bit          Tables           = 1'b0,
  // There are no sums here.
  parameter  bit          Sums             = 1'b0,
  // Activations have 8 bits.
  parameter  bit          Wide             = 1'b0,
  localparam int unsigned ActAddrWidth     = $clog2(2 * ActWords),
  localparam int unsigned WeightAddrWidth  = $clog2(WeightWords)
) (
  input  logic                         clk_i,
  input  logic                         rst_ni,
  // Array records
  input  logic   [       WordBits-1:0] cmd_data_i,
  input  logic                         cmd_valid_i,
  output logic                         cmd_ready_o,
  // Activation buffer halves
  input  logic                         act_full_i,
  output logic                         act_freed_o,
  // Rings
  input  logic   [     CountWidth-1:0] weights_written_i,
  output logic   [     CountWidth-1:0] weights_released_o,
  input  logic   [     CountWidth-1:0] params_written_i,
  // Output and skip buffer halves
  input  logic                         out_freed_i,
  input  logic                         skip_full_i,
  // Tables
  output logic   [       WordBits-1:0] table_data_o,
  output logic                         table_valid_o,
  input  logic                         table_ready_i,
  output logic                         table_tile_o,
  input  logic                         table_half_i,
  // Step
  output logic                         step_valid_o,
  output logic                         step_first_o,
  output logic                         step_last_o,
  output logic                         step_shift_o,
  output logic   [   ActAddrWidth-1:0] act_addr_o,
  output logic   [                7:0] act_rotation_o,
  output logic   [WeightAddrWidth-1:0] weight_addr_o,
  // Blocks for the requantiser, one per last step; never refused
  output block_t                       block_data_o,
  output logic                         block_valid_o,
  // Performance counters
  output logic                         busy_o,
  output logic                         starved_o,
  output logic                         blocked_o,
  // Unknown record
  output logic                         error_o
);

  localparam int unsigned PlainTileWords = $bits(plain_tile_t) / WordBits;

  ////////////
  // Parser //
  ////////////

  typedef enum logic [2:0] {
    StHeader,
    StTile0,
    StTile1,
    StTile2,
    StTile3,
    StPasses,
    StError
  } parser_e;

  parser_e parser_q, parser_d;
  header_t header;
  logic [15:0] words_left_q, words_left_d;
  logic [2:0][WordBits-1:0] tile_words_q;
  plain_tile_t tile_in, tile_out;
  logic tile_in_valid, tile_in_ready, tile_out_valid, tile_out_ready;
  pass_t pass_out;
  logic pass_in_valid, pass_in_ready, pass_out_valid, pass_out_ready;
  logic cmd_fire;

  assign header   = cmd_data_i;
  assign tile_in  = {cmd_data_i, tile_words_q};
  assign cmd_fire = cmd_valid_i && cmd_ready_o;

  always_comb begin
    parser_d      = parser_q;
    words_left_d  = words_left_q;
    cmd_ready_o   = 1'b1;
    tile_in_valid = 1'b0;
    pass_in_valid = 1'b0;
    error_o       = 1'b0;
    unique case (parser_q)
      StHeader: begin
        words_left_d = header.words - 1'b1;
        if (cmd_fire) begin
          if (header.kind == ArrayTileKind && header.words == 16'(PlainTileWords)) begin
            parser_d = StTile0;
          end else if (header.kind == ArrayPassesKind && header.words != '0) begin
            parser_d = StPasses;
          end else begin
            parser_d = StError;
          end
        end
      end
      StTile0: if (cmd_fire) parser_d = StTile1;
      StTile1: if (cmd_fire) parser_d = StTile2;
      StTile2: if (cmd_fire) parser_d = StTile3;
      StTile3: begin
        cmd_ready_o   = tile_in_ready;
        tile_in_valid = cmd_valid_i;
        if (cmd_fire) parser_d = StHeader;
      end
      StPasses: begin
        cmd_ready_o   = pass_in_ready;
        pass_in_valid = cmd_valid_i;
        if (cmd_fire) begin
          words_left_d = words_left_q - 1'b1;
          if (words_left_q == '0) parser_d = StHeader;
        end
      end
      // The run is lost; swallow what follows so that the fetch unit can finish.
      StError: error_o = 1'b1;
      default: parser_d = StError;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      parser_q <= StHeader;
    end else begin
      parser_q <= parser_d;
    end
  end

  always_ff @(posedge clk_i) begin
    words_left_q <= words_left_d;
    if (parser_q == StTile0 && cmd_fire) tile_words_q[0] <= cmd_data_i;
    if (parser_q == StTile1 && cmd_fire) tile_words_q[1] <= cmd_data_i;
    if (parser_q == StTile2 && cmd_fire) tile_words_q[2] <= cmd_data_i;
  end

  logic [1:0] unused_tile_level;
  logic [4:0] unused_pass_level;

  flex_stream_fifo #(
    .Width($bits(plain_tile_t)),
    .Depth(2)
  ) u_tiles (
    .clk_i,
    .rst_ni,
    .in_data_i  (tile_in),
    .in_valid_i (tile_in_valid),
    .in_ready_o (tile_in_ready),
    .out_data_o (tile_out),
    .out_valid_o(tile_out_valid),
    .out_ready_i(tile_out_ready),
    .level_o    (unused_tile_level)
  );

  flex_stream_fifo #(
    .Width(WordBits),
    .Depth(16)
  ) u_passes (
    .clk_i,
    .rst_ni,
    .in_data_i  (cmd_data_i),
    .in_valid_i (pass_in_valid),
    .in_ready_o (pass_in_ready),
    .out_data_o (pass_out),
    .out_valid_o(pass_out_valid),
    .out_ready_i(pass_out_ready),
    .level_o    (unused_pass_level)
  );

  //////////////
  // Counters //
  //////////////

  pass_context_t pass_context;
  logic context_valid, context_ready;
  step_run_t run;
  logic run_valid, run_ready;

  flex_plain_reader #(
    .P(P)
  ) u_reader (
    .clk_i,
    .rst_ni,
    .tile_data_i    (tile_out),
    .tile_valid_i   (tile_out_valid),
    .tile_ready_o   (tile_out_ready),
    .pass_data_i    (pass_out),
    .pass_valid_i   (pass_out_valid),
    .pass_ready_o   (pass_out_ready),
    .context_data_o (pass_context),
    .context_valid_o(context_valid),
    .context_ready_i(context_ready),
    .run_data_o     (run),
    .run_valid_o    (run_valid),
    .run_ready_i    (run_ready)
  );

  flex_step_issue #(
    .ActWords        (ActWords),
    .WeightWords     (WeightWords),
    .DrainCycles     (DrainCycles),
    .WeightReadCycles(WeightReadCycles),
    .Sums            (Sums),
    .Wide            (Wide)
  ) u_issue (
    .clk_i,
    .rst_ni,
    .context_data_i (pass_context),
    .context_valid_i(context_valid),
    .context_ready_o(context_ready),
    .run_data_i     (run),
    .run_valid_i    (run_valid),
    .run_ready_o    (run_ready),
    .act_full_i,
    .act_freed_o,
    .weights_written_i,
    .weights_released_o,
    .params_written_i,
    .out_freed_i,
    .skip_full_i,
    .step_valid_o,
    .step_first_o,
    .step_last_o,
    .step_shift_o,
    .act_addr_o,
    .act_rotation_o,
    .weight_addr_o,
    .block_data_o,
    .block_valid_o,
    .busy_o,
    .starved_o,
    .blocked_o
  );

  logic unused_bits;
  assign unused_bits   = ^{header, 32'(ListEntries), Tables, table_ready_i, table_half_i};

  assign table_data_o  = '0;
  assign table_valid_o = 1'b0;
  assign table_tile_o  = 1'b0;

endmodule
