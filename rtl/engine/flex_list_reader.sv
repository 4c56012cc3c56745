// SPDX-License-Identifier: Apache-2.0
//
// Walks the passes of a tile and reads their reduction lists: pass outside, then rows, pixel groups, list entries.
//
// For every pass it sends one context word, and for every pixel group the entries of the pass's list, each with the
// pixel group's buffer word added. Throughput: one entry per cycle, without a bubble between pixel groups, passes and
// tiles. Latency: 3 cycles from a pass to its first entry.

`include "flex_assert.svh"

module flex_list_reader
  import flex_program_pkg::*;
#(
  // Entries in one half of the list memory; a power of two.
  parameter  int unsigned ListEntries   = 512,
  localparam int unsigned ListAddrWidth = $clog2(2 * ListEntries)
) (
  input  logic                                        clk_i,
  input  logic                                        rst_ni,
  // Tiles, each with the half of the list memory that holds its lists and that of its table
  input  array_tile_t                                 tile_data_i,
  input  flex_pkg::sum_t                              tile_sum_i,
  input  flex_pkg::wide_t                             tile_wide_i,
  input  logic                                        tile_half_i,
  input  logic                                        tile_table_half_i,
  input  logic                                        tile_valid_i,
  output logic                                        tile_ready_o,
  // Passes
  input  pass_t                                       pass_data_i,
  input  logic                                        pass_valid_i,
  output logic                                        pass_ready_o,
  // List memory: data two cycles after the read
  output logic                                        list_rd_en_o,
  output logic                    [ListAddrWidth-1:0] list_rd_addr_o,
  input  list_entry_t                                 list_rd_data_i,
  // One context per pass
  output flex_pkg::pass_context_t                     context_data_o,
  output logic                                        context_valid_o,
  input  logic                                        context_ready_i,
  // Entries
  output flex_pkg::step_run_t                         run_data_o,
  output logic                                        run_valid_o,
  input  logic                                        run_ready_i
);

  `FLEX_ASSERT_INIT(ListEntriesPowerOfTwo, (ListEntries & (ListEntries - 1)) == 0)
  `FLEX_ASSERT_INIT(ListEntriesFit, ListEntries > 1 && ListEntries <= 4096)

  localparam int unsigned ReadLatency = 2;
  localparam int unsigned FifoDepth = 8;

  typedef struct packed {
    logic [15:0] pixel_word;
    logic        list_first;
    logic        list_last;
    logic        pass_first;
    logic        pass_last;
  } tag_t;

  ////////////////////////////
  // Pass and tile in work  //
  ////////////////////////////

  // `active_q`: a pass is being walked; `tile_open_q`: tile_q belongs to the passes that follow.
  logic active_q, tile_open_q;
  array_tile_t tile_q;
  flex_pkg::sum_t sum_q;
  flex_pkg::wide_t wide_q;
  logic half_q, table_half_q;
  pass_t pass_q;

  // Position: entries, groups and rows left after the current one.
  logic [ListAddrWidth-1:0] addr_q;
  logic [11:0] entries_left_q;
  logic [15:0] groups_left_q;
  logic [15:0] rows_left_q;
  logic [15:0] row_word_q;
  logic [15:0] pixel_word_q;
  logic list_first_q, pass_first_q;

  logic credit;
  logic advance, list_end, row_end, pass_end, load_pass, load_tile;
  array_tile_t tile_now;
  logic half_now;

  assign advance  = active_q && credit;
  assign list_end = entries_left_q == '0;
  assign row_end  = list_end && groups_left_q == '0;
  assign pass_end = row_end && rows_left_q == '0;

  // The next pass is loaded in the cycle in which the current one ends.
  logic slot_free, tile_closing;
  assign slot_free = !active_q || (advance && pass_end);
  assign tile_closing = active_q ? pass_q.tile_last : !tile_open_q;
  assign load_pass = slot_free && pass_valid_i && context_ready_i &&
      (!tile_closing || tile_valid_i);
  assign load_tile = load_pass && tile_closing;
  assign pass_ready_o = load_pass;
  assign tile_ready_o = load_tile;
  assign tile_now = tile_closing ? tile_data_i : tile_q;
  assign half_now = tile_closing ? tile_half_i : half_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      active_q    <= 1'b0;
      tile_open_q <= 1'b0;
    end else begin
      if (load_pass) begin
        active_q    <= 1'b1;
        tile_open_q <= 1'b1;
      end else if (advance && pass_end) begin
        active_q <= 1'b0;
        if (pass_q.tile_last) tile_open_q <= 1'b0;
      end
    end
  end

  logic [ListAddrWidth-1:0] list_base;
  assign list_base = {half_q, {(ListAddrWidth - 1) {1'b0}}} | ListAddrWidth'(pass_q.list_start);

  always_ff @(posedge clk_i) begin
    if (load_tile) begin
      tile_q       <= tile_data_i;
      half_q       <= tile_half_i;
      table_half_q <= tile_table_half_i;
      sum_q        <= tile_sum_i;
      wide_q       <= tile_wide_i;
    end
    if (load_pass) begin
      pass_q <= pass_data_i;
      addr_q <= {half_now, {(ListAddrWidth - 1) {1'b0}}} | ListAddrWidth'(pass_data_i.list_start);
      entries_left_q <= pass_data_i.list_entries - 1'b1;
      groups_left_q <= tile_now.groups - 1'b1;
      rows_left_q <= tile_now.rows - 1'b1;
      row_word_q <= '0;
      pixel_word_q <= '0;
      list_first_q <= 1'b1;
      pass_first_q <= 1'b1;
    end else if (advance) begin
      pass_first_q <= 1'b0;
      list_first_q <= list_end;
      if (list_end) begin
        addr_q         <= list_base;
        entries_left_q <= pass_q.list_entries - 1'b1;
        if (row_end) begin
          groups_left_q <= tile_q.groups - 1'b1;
          rows_left_q   <= rows_left_q - 1'b1;
          row_word_q    <= row_word_q + tile_q.row_step;
          pixel_word_q  <= row_word_q + tile_q.row_step;
        end else begin
          groups_left_q <= groups_left_q - 1'b1;
          pixel_word_q  <= pixel_word_q + 1'b1;
        end
      end else begin
        addr_q         <= addr_q + 1'b1;
        entries_left_q <= entries_left_q - 1'b1;
      end
    end
  end

  assign context_valid_o = load_pass;
  assign context_data_o = '{
          add: tile_closing ? tile_sum_i : sum_q,
          plane_words: tile_now.plane_words,
          out_base: pass_data_i.out_base,
          out_plane_words: tile_now.out_plane_words,
          out_byte: pass_data_i.out_byte,
          word_channels: tile_now.word_channels,
          zero_point: tile_now.zero_point,
          low: tile_now.low,
          high: tile_now.high,
          wide: tile_closing ? tile_wide_i : wide_q,
          plane: flex_pkg::plane_e'(pass_data_i.plane),
          look_up: tile_now.lookup,
          table_half: tile_closing ? tile_table_half_i : table_half_q,
          keep: tile_now.keep,
          stream: tile_now.stream,
          take: pass_data_i.take,
          hand_over: pass_data_i.hand_over,
          tile_last: pass_data_i.tile_last
      };

  ////////////////////
  // List memory    //
  ////////////////////

  assign list_rd_en_o = advance;
  assign list_rd_addr_o = addr_q;

  tag_t tag_in, tag_out;
  logic tag_valid;
  assign tag_in = '{
          pixel_word: pixel_word_q,
          list_first: list_first_q,
          list_last: list_end,
          pass_first: pass_first_q,
          pass_last: pass_end
      };

  flex_delay #(
    .Width ($bits(tag_t)),
    .Cycles(ReadLatency),
    .Reset (1'b0)
  ) u_tag (
    .clk_i,
    .rst_ni,
    .data_i(tag_in),
    .data_o(tag_out)
  );

  flex_delay #(
    .Width (1),
    .Cycles(ReadLatency),
    .Reset (1'b1)
  ) u_tag_valid (
    .clk_i,
    .rst_ni,
    .data_i(advance),
    .data_o(tag_valid)
  );

  // A read is issued only when the FIFO has a place for its entry.
  logic [$clog2(FifoDepth+1)-1:0] used_q;
  assign credit = used_q != ($clog2(FifoDepth + 1))'(FifoDepth);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      used_q <= '0;
    end else begin
      used_q <= used_q + ($clog2(FifoDepth + 1))'(advance) -
          ($clog2(FifoDepth + 1))'(run_valid_o && run_ready_i);
    end
  end

  flex_pkg::step_run_t run_in;
  assign run_in = '{
          word: list_rd_data_i.base + tag_out.pixel_word,
          rotation: list_rd_data_i.rotation,
          steps_left: list_rd_data_i.run - 1'b1,
          shift: list_rd_data_i.shift,
          list_first: tag_out.list_first,
          list_last: tag_out.list_last,
          pass_first: tag_out.pass_first,
          pass_last: tag_out.pass_last
      };

  logic fifo_ready;
  logic [$clog2(FifoDepth+1)-1:0] unused_level;

  flex_stream_fifo #(
    .Width($bits(flex_pkg::step_run_t)),
    .Depth(FifoDepth)
  ) u_runs (
    .clk_i,
    .rst_ni,
    .in_data_i  (run_in),
    .in_valid_i (tag_valid),
    .in_ready_o (fifo_ready),
    .out_data_o (run_data_o),
    .out_valid_o(run_valid_o),
    .out_ready_i(run_ready_i),
    .level_o    (unused_level)
  );

  logic unused_bits;
  assign unused_bits = ^{pass_q, tile_q, tile_now, list_rd_data_i, tile_data_i, pass_data_i};

  // The credits cover every read in flight.
  `FLEX_ASSERT(FifoHasRoom, tag_valid |-> fifo_ready)
  // Counts in the records are at least one.
  `FLEX_ASSERT(PassHasEntries, load_pass |-> pass_data_i.list_entries != 0)
  `FLEX_ASSERT(TileHasPixels, load_tile |-> tile_data_i.rows != 0 && tile_data_i.groups != 0)
  `FLEX_ASSERT(RunNotEmpty, tag_valid |-> list_rd_data_i.run != 0)
  // A list lies within its half.
  `FLEX_ASSERT(
      ListInRange,
      load_pass |-> 32'(pass_data_i.list_start) + 32'(pass_data_i.list_entries) <= ListEntries)

endmodule
