// SPDX-License-Identifier: Apache-2.0
//
// Control of the versatile systolic array: turns array records into one reduction step per cycle.
//
// Parses the records, keeps the reduction lists, has flex_list_reader walk them and flex_step_issue issue the steps.
// Throughput: one step per cycle across entries, blocks, passes and tiles. Latency: see those two.

`include "flex_assert.svh"

module flex_sequencer
  import flex_pkg::*;
  import flex_program_pkg::*;
#(
  // Columns of the array: banks of the activation buffer.
  parameter  int unsigned P                = 8,
  // Words per half of the activation buffer; a power of two.
  parameter  int unsigned ActWords         = 1024,
  // Words of the weight ring; a power of two.
  parameter  int unsigned WeightWords      = 512,
  // Entries per half of the list memory; a power of two.
  parameter  int unsigned ListEntries      = 512,
  // Length of a drain chain, M/Q: cycles in which a block leaves the array.
  parameter  int unsigned DrainCycles      = 4,
  // Cycles from a step until the weight buffer has read its last row.
  parameter  int unsigned WeightReadCycles = 16,
  // There are tables behind the requantiser.
  parameter  bit          Tables           = 1'b0,
  // Tiles may be summed with a second tensor.
  parameter  bit          Sums             = 1'b0,
  // Activations may have 16 bits.
  parameter  bit          Wide             = 1'b0,
  // Sums may be requantised with two slopes.
  parameter  bit          Bends            = 1'b0,
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
  // Tables: their words, each tile behind them, and the half that holds its table
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

  localparam int unsigned ListAddrWidth = $clog2(2 * ListEntries);

  ////////////
  // Parser //
  ////////////

  typedef enum logic [3:0] {
    StHeader,
    StLists,
    StTile0,
    StTile1,
    StTable,
    StSum0,
    StSum1,
    StWide,
    StBend0,
    StBend1,
    StPasses,
    StError
  } parser_e;

  parser_e parser_q, parser_d;
  header_t header;
  logic [15:0] words_left_q, words_left_d;
  logic [WordBits-1:0] tile_word_q;  // word 0 of a tile or a sum
  logic list_half_q, list_half_d;
  logic [ListAddrWidth-2:0] list_index_q, list_index_d;
  logic list_wr_en;

  array_tile_t tile_in, tile_out;
  logic tile_half, tile_table_half;
  array_sum_t  sum_in;
  array_bend_t bend_in;
  sum_t sum_q, tile_sum_in, tile_sum_out;
  array_wide_t wide_in;
  wide_t wide_q, tile_wide_in, tile_wide_out;
  bend_t bend_q;
  logic tile_in_valid, tile_in_ready, tile_out_valid, tile_out_ready;
  pass_t pass_out;
  logic pass_in_valid, pass_in_ready, pass_out_valid, pass_out_ready;
  logic cmd_fire;

  logic [1:0] tiles_waiting_q;

  assign header       = cmd_data_i;
  assign tile_in      = {cmd_data_i, tile_word_q};
  assign cmd_fire     = cmd_valid_i && cmd_ready_o;

  assign table_data_o = cmd_data_i;
  assign table_tile_o = tile_in_valid && tile_in_ready;

  assign sum_in       = {cmd_data_i, tile_word_q};
  assign bend_in      = {cmd_data_i, tile_word_q};

  always_comb begin
    tile_sum_in = (Sums && tile_in.summed) ? sum_q : SumNone;
    if (Bends && tile_in.summed && tile_in.bent) tile_sum_in.bend = bend_q;
  end

  assign wide_in      = cmd_data_i;
  assign tile_wide_in = (Wide && tile_in.wide) ? wide_q : '0;

  always_comb begin
    parser_d      = parser_q;
    words_left_d  = words_left_q;
    list_half_d   = list_half_q;
    list_index_d  = list_index_q;
    cmd_ready_o   = 1'b0;
    list_wr_en    = 1'b0;
    tile_in_valid = 1'b0;
    pass_in_valid = 1'b0;
    table_valid_o = 1'b0;
    error_o       = 1'b0;
    unique case (parser_q)
      StHeader: begin
        // Lists overwrite the half that the tile before the current one used: the reader must have taken all tiles.
        cmd_ready_o  = !(header.kind == ArrayListsKind && tiles_waiting_q != '0);
        words_left_d = header.words - 1'b1;
        if (cmd_fire) begin
          if (header.kind == ArrayListsKind && header.words != '0) begin
            parser_d     = StLists;
            list_half_d  = !list_half_q;
            list_index_d = '0;
          end else if (header.kind == ArrayTileKind && header.words == 16'(ArrayTileWords)) begin
            parser_d = StTile0;
          end else if (Tables && header.kind == ArrayTableKind &&
              header.words == 16'(TableWords)) begin
            parser_d = StTable;
          end else if (Sums && header.kind == ArraySumKind &&
              header.words == 16'(ArraySumWords)) begin
            parser_d = StSum0;
          end else if (Wide && header.kind == ArrayWideKind &&
              header.words == 16'(ArrayWideWords)) begin
            parser_d = StWide;
          end else if (Bends && header.kind == ArrayBendKind &&
              header.words == 16'(ArrayBendWords)) begin
            parser_d = StBend0;
          end else if (header.kind == ArrayPassesKind && header.words != '0) begin
            parser_d = StPasses;
          end else begin
            parser_d = StError;
          end
        end
      end
      StLists: begin
        cmd_ready_o = 1'b1;
        list_wr_en  = cmd_fire;
        if (cmd_fire) begin
          list_index_d = list_index_q + 1'b1;
          words_left_d = words_left_q - 1'b1;
          if (words_left_q == '0) parser_d = StHeader;
        end
      end
      StTile0: begin
        cmd_ready_o = 1'b1;
        if (cmd_fire) parser_d = StTile1;
      end
      StTile1: begin
        cmd_ready_o   = tile_in_ready;
        tile_in_valid = cmd_valid_i;
        if (cmd_fire) parser_d = StHeader;
      end
      StTable: begin
        cmd_ready_o   = table_ready_i;
        table_valid_o = cmd_valid_i;
        if (cmd_fire) begin
          words_left_d = words_left_q - 1'b1;
          if (words_left_q == '0) parser_d = StHeader;
        end
      end
      StSum0: begin
        cmd_ready_o = 1'b1;
        if (cmd_fire) parser_d = StSum1;
      end
      StSum1: begin
        cmd_ready_o = 1'b1;
        if (cmd_fire) parser_d = StHeader;
      end
      StWide: begin
        cmd_ready_o = 1'b1;
        if (cmd_fire) parser_d = StHeader;
      end
      StBend0: begin
        cmd_ready_o = 1'b1;
        if (cmd_fire) parser_d = StBend1;
      end
      StBend1: begin
        cmd_ready_o = 1'b1;
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
      StError: begin
        // The run is lost; swallow what follows so that the fetch unit can finish.
        cmd_ready_o = 1'b1;
        error_o     = 1'b1;
      end
      default: parser_d = StError;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      parser_q        <= StHeader;
      list_half_q     <= 1'b0;
      tiles_waiting_q <= '0;
    end else begin
      parser_q <= parser_d;
      list_half_q <= list_half_d;
      tiles_waiting_q <= tiles_waiting_q + 2'(tile_in_valid && tile_in_ready) -
          2'(tile_out_valid && tile_out_ready);
    end
  end

  always_ff @(posedge clk_i) begin
    words_left_q <= words_left_d;
    list_index_q <= list_index_d;
    if ((parser_q == StTile0 || parser_q == StSum0 || parser_q == StBend0) && cmd_fire) begin
      tile_word_q <= cmd_data_i;
    end
    if (Wide && parser_q == StWide) begin
      wide_q <= '{
          enable: 1'b1,
          zero_point: wide_in.zero_point,
          low: wide_in.low,
          high: wide_in.high
      };
    end
    if (parser_q == StBend1) begin
      bend_q <= '{
          enable: 1'b1,
          mult: bend_in.mult,
          shift: bend_in.shift,
          bias: bend_in.bias,
          zero_point: bend_in.zero_point,
          low: bend_in.low,
          high: bend_in.high
      };
    end
    if (parser_q == StSum1) begin
      sum_q <= '{
          enable: 1'b1,
          half: 1'b0,
          mult: sum_in.mult,
          skip_mult: sum_in.skip_mult,
          bias: sum_in.bias,
          shift: sum_in.shift,
          zero_point: sum_in.zero_point,
          low: sum_in.low,
          high: sum_in.high,
          bend: '0
      };
    end
  end

  logic [1:0] unused_tile_level;
  logic [4:0] unused_pass_level;

  flex_stream_fifo #(
    .Width($bits(array_tile_t) + $bits(sum_t) + $bits(wide_t) + 2),
    .Depth(2)
  ) u_tiles (
    .clk_i,
    .rst_ni,
    .in_data_i  ({Tables && table_half_i, list_half_q, tile_wide_in, tile_sum_in, tile_in}),
    .in_valid_i (tile_in_valid),
    .in_ready_o (tile_in_ready),
    .out_data_o ({tile_table_half, tile_half, tile_wide_out, tile_sum_out, tile_out}),
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

  ////////////////
  // List reads //
  ////////////////

  logic list_rd_en;
  logic [ListAddrWidth-1:0] list_rd_addr;
  list_entry_t list_rd_data;

  flex_ram_sdp #(
    .Width    (WordBits),
    .Depth    (2 * ListEntries),
    .LaneWidth(WordBits)
  ) u_lists (
    .clk_i,
    .wr_en_i  (list_wr_en),
    .wr_addr_i({list_half_q, list_index_q}),
    .wr_data_i(cmd_data_i),
    .rd_en_i  (list_rd_en),
    .rd_addr_i(list_rd_addr),
    .rd_data_o(list_rd_data)
  );

  pass_context_t pass_context;
  logic context_valid, context_ready;
  step_run_t run;
  logic run_valid, run_ready;

  flex_list_reader #(
    .ListEntries(ListEntries)
  ) u_reader (
    .clk_i,
    .rst_ni,
    .tile_data_i      (tile_out),
    .tile_sum_i       (tile_sum_out),
    .tile_wide_i      (tile_wide_out),
    .tile_half_i      (tile_half),
    .tile_table_half_i(tile_table_half),
    .tile_valid_i     (tile_out_valid),
    .tile_ready_o     (tile_out_ready),
    .pass_data_i      (pass_out),
    .pass_valid_i     (pass_out_valid),
    .pass_ready_o     (pass_out_ready),
    .list_rd_en_o     (list_rd_en),
    .list_rd_addr_o   (list_rd_addr),
    .list_rd_data_i   (list_rd_data),
    .context_data_o   (pass_context),
    .context_valid_o  (context_valid),
    .context_ready_i  (context_ready),
    .run_data_o       (run),
    .run_valid_o      (run_valid),
    .run_ready_i      (run_ready)
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

  logic unused_header;
  assign unused_header = ^{
      header.engine, header.unused_0, sum_in.unused_1, wide_in.unused_0,
      bend_in.unused_0, bend_in.unused_1};

  if (!Tables) begin : gen_no_tables
    logic unused_table;
    assign unused_table = ^{table_ready_i, table_half_i};
  end

  // A rotation names a bank.
  `FLEX_ASSERT(RotationInRange, step_valid_o |-> 32'(act_rotation_o) < P)

endmodule
