// SPDX-License-Identifier: Apache-2.0
//
// Counts through the passes of a tile: pass outside, then rows, pixel groups, kernel rows, kernel columns.
//
// The counterpart of flex_list_reader in a core for plain convolutions of stride 1 or 2: the same contexts and the same
// runs of steps, from nested counters with fixed steps. Throughput: one run per cycle, without a bubble between pixel
// groups, passes and tiles. Latency: 1 cycle from a pass to its first run.

`include "flex_assert.svh"

module flex_plain_reader
  import flex_plain_pkg::*;
  import flex_program_pkg::*;
#(
  // Banks of the activation buffer.
  parameter int unsigned P = 8
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,
  // Tiles
  input  plain_tile_t             tile_data_i,
  input  logic                    tile_valid_i,
  output logic                    tile_ready_o,
  // Passes
  input  pass_t                   pass_data_i,
  input  logic                    pass_valid_i,
  output logic                    pass_ready_o,
  // One context per pass
  output flex_pkg::pass_context_t context_data_o,
  output logic                    context_valid_o,
  input  logic                    context_ready_i,
  // Runs, a kernel element each
  output flex_pkg::step_run_t     run_data_o,
  output logic                    run_valid_o,
  input  logic                    run_ready_i
);

  `FLEX_ASSERT_INIT(BanksInRange, P >= 1 && P <= 16)

  ///////////////////////////
  // Pass and tile in work //
  ///////////////////////////

  logic active_q, tile_open_q;
  plain_tile_t tile_q, tile_now;
  logic tile_last_q;  // of the pass in work

  // Elements, groups and rows left after the current one; words at which each of them starts.
  logic [3:0] columns_left_q, kernel_rows_left_q;
  logic [15:0] groups_left_q, rows_left_q;
  logic [15:0] word_q, kernel_word_q, pixel_word_q, row_word_q;
  logic [3:0] rotation_q;
  logic odd_q;  // kernel column
  logic list_first_q, pass_first_q;

  logic advance, column_end, list_end, row_end, pass_end, load_pass, load_tile;
  assign advance    = active_q && run_ready_i;
  assign column_end = columns_left_q == '0;
  assign list_end   = column_end && kernel_rows_left_q == '0;
  assign row_end    = list_end && groups_left_q == '0;
  assign pass_end   = row_end && rows_left_q == '0;

  // The next pass is loaded in the cycle in which the current one ends.
  logic tile_closing;
  assign tile_closing = active_q ? tile_last_q : !tile_open_q;
  assign load_pass = (!active_q || (advance && pass_end)) && pass_valid_i && context_ready_i &&
      (!tile_closing || tile_valid_i);
  assign load_tile = load_pass && tile_closing;
  assign pass_ready_o = load_pass;
  assign tile_ready_o = load_tile;
  assign tile_now = tile_closing ? tile_data_i : tile_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      active_q    <= 1'b0;
      tile_open_q <= 1'b0;
    end else if (load_pass) begin
      active_q    <= 1'b1;
      tile_open_q <= 1'b1;
    end else if (advance && pass_end) begin
      active_q <= 1'b0;
      if (tile_last_q) tile_open_q <= 1'b0;
    end
  end

  // The next kernel column, with the carry from the last bank to the next word.
  logic [4:0] rotation_sum;
  logic wrap;
  assign rotation_sum = 5'(rotation_q) + 5'(tile_q.step_rotation[odd_q]);
  assign wrap         = 32'(rotation_sum) >= P;

  logic [15:0] kernel_word_d, pixel_word_d, row_word_d;
  assign kernel_word_d = kernel_word_q + tile_q.kernel_row_words;
  assign row_word_d    = row_word_q + tile_q.row_step;
  assign pixel_word_d  = row_end ? row_word_d : pixel_word_q + 16'd1;

  always_ff @(posedge clk_i) begin
    if (load_tile) tile_q <= tile_data_i;
    if (load_pass) begin
      tile_last_q        <= pass_data_i.tile_last;
      columns_left_q     <= tile_now.last_column;
      kernel_rows_left_q <= tile_now.last_row;
      groups_left_q      <= tile_now.groups - 16'd1;
      rows_left_q        <= tile_now.rows - 16'd1;
      word_q             <= '0;
      kernel_word_q      <= '0;
      pixel_word_q       <= '0;
      row_word_q         <= '0;
      rotation_q         <= '0;
      odd_q              <= 1'b0;
      list_first_q       <= 1'b1;
      pass_first_q       <= 1'b1;
    end else if (advance) begin
      list_first_q <= list_end;
      pass_first_q <= 1'b0;
      if (column_end) begin
        columns_left_q <= tile_q.last_column;
        rotation_q     <= '0;
        odd_q          <= 1'b0;
      end else begin
        columns_left_q <= columns_left_q - 4'd1;
        rotation_q     <= 4'(rotation_sum - (wrap ? 5'(P) : 5'd0));
        odd_q          <= !odd_q;
      end
      if (list_end) begin
        kernel_rows_left_q <= tile_q.last_row;
        groups_left_q      <= row_end ? tile_q.groups - 16'd1 : groups_left_q - 16'd1;
        pixel_word_q       <= pixel_word_d;
        kernel_word_q      <= pixel_word_d;
        word_q             <= pixel_word_d;
      end else if (column_end) begin
        kernel_rows_left_q <= kernel_rows_left_q - 4'd1;
        kernel_word_q      <= kernel_word_d;
        word_q             <= kernel_word_d;
      end else begin
        word_q <= word_q + tile_q.step_word[odd_q] + 16'(wrap);
      end
      if (row_end) begin
        rows_left_q <= rows_left_q - 16'd1;
        row_word_q  <= row_word_d;
      end
    end
  end

  assign context_valid_o = load_pass;
  assign context_data_o = '{
          wide: '0,  // nothing has 16 bits
          plane: flex_pkg::PlaneWhole,
          add: flex_pkg::SumNone,
          plane_words: tile_now.plane_words,
          out_base: pass_data_i.out_base,
          out_plane_words: tile_now.out_plane_words,
          out_byte: pass_data_i.out_byte,
          word_channels: '1,  // a constant: words are whole
          zero_point: tile_now.zero_point,
          low: tile_now.low,
          high: tile_now.high,
          look_up: 1'b0,  // there are no tables
          table_half: 1'b0,
          keep: tile_now.keep,
          stream: tile_now.stream,
          take: pass_data_i.take,
          hand_over: pass_data_i.hand_over,
          tile_last: pass_data_i.tile_last
      };

  assign run_valid_o = active_q;
  assign run_data_o = '{
          shift: 1'b0,
          word: word_q,
          rotation: 8'(rotation_q),
          steps_left: tile_q.last_block,
          list_first: list_first_q,
          list_last: list_end,
          pass_first: pass_first_q,
          pass_last: pass_end
      };

  logic unused_bits;
  assign unused_bits = ^{tile_q, tile_now, tile_data_i, pass_data_i};

  // Counts in the records are at least one.
  `FLEX_ASSERT(TileHasPixels, load_tile |-> tile_data_i.rows != 0 && tile_data_i.groups != 0)
  // A kernel column is a bank.
  `FLEX_ASSERT(RotationInRange, run_valid_o |-> 32'(rotation_q) < P)

endmodule
