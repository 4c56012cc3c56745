// SPDX-License-Identifier: Apache-2.0
//
// Prepares a tile of the store engine: its windows, and their steps in words and banks of the
// output buffer.
//
// Without pooling a window is one row of RawPixels columns; `cols` of the tile put out counts
// windows in either case. A pooled tile needs divisions by P and multiplications by row_words, one
// bit per cycle. Latency 1 cycle, with pooling 17, from `tile_valid_i` to `out_valid_o`; the tile
// must stay until it is taken at the output.

`include "flex_assert.svh"

module flex_store_prepare
  import flex_program_pkg::*;
#(
  // Banks of the output buffer.
  parameter  int unsigned P             = 4,
  // Address bits of the output buffer.
  parameter  int unsigned AddrWidth     = 10,
  // Pixels per read without pooling; a power of two, at most P.
  parameter  int unsigned RawPixels     = 4,
  // Derived
  localparam int unsigned RotationWidth = (P > 1) ? $clog2(P) : 1
) (
  input  logic                            clk_i,
  input  logic                            rst_ni,
  // Tile as in its record
  input  store_tile_t                     tile_data_i,
  input  logic                            tile_valid_i,
  output logic                            tile_ready_o,
  // Tile as windows; words and bank from column 0 to the first window's, and between windows;
  // words from row 0 to the first window's, and between windows
  output store_tile_t                     out_tile_o,
  output logic        [    AddrWidth-1:0] out_origin_word_o,
  output logic        [RotationWidth-1:0] out_origin_bank_o,
  output logic        [    AddrWidth-1:0] out_step_word_o,
  output logic        [RotationWidth-1:0] out_step_bank_o,
  output logic        [    AddrWidth-1:0] out_origin_row_o,
  output logic        [    AddrWidth-1:0] out_step_row_o,
  output logic                            out_valid_o,
  input  logic                            out_ready_i
);

  `FLEX_ASSERT_INIT(ColumnsInRange, P >= 1 && P <= 16)
  `FLEX_ASSERT_INIT(RawPixelsFit, RawPixels <= P && (RawPixels & (RawPixels - 1)) == 0)

  typedef struct packed {
    logic [AddrWidth-1:0]     word;
    logic [RotationWidth-1:0] bank;
  } column_t;

  typedef enum logic [1:0] {
    StIdle,
    StDivide,
    StReady
  } state_e;

  // One step of a division by P: remainder and the next bit of the dividend, quotient so far.
  function automatic column_t divided(column_t partial, logic next_bit);
    column_t result;
    logic [RotationWidth:0] remainder;
    logic enough;
    remainder = {partial.bank, next_bit};
    enough    = remainder >= (RotationWidth + 1)'(P);
    if (enough) remainder = remainder - (RotationWidth + 1)'(P);
    result.word = {partial.word[AddrWidth-2:0], enough};
    result.bank = remainder[RotationWidth-1:0];
    return result;
  endfunction

  // The highest bits first.
  state_e state_q, state_d;
  logic [3:0] bit_q;
  logic [15:0] origin_x_q, origin_y_q, stride_w_q, stride_h_q;
  logic [AddrWidth-1:0] row_words, origin_row_q, step_row_q;
  column_t origin_q, step_q;
  logic left_q;

  assign row_words    = AddrWidth'(tile_data_i.row_words);
  assign out_valid_o  = state_q == StReady;
  assign tile_ready_o = out_valid_o && out_ready_i;

  always_comb begin
    state_d = state_q;
    unique case (state_q)
      StIdle:   if (tile_valid_i) state_d = tile_data_i.pool ? StDivide : StReady;
      StDivide: if (bit_q == '1) state_d = StReady;
      StReady:  if (out_ready_i) state_d = StIdle;
      default:  state_d = StIdle;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) state_q <= StIdle;
    else state_q <= state_d;
  end

  always_ff @(posedge clk_i) begin
    if (state_q == StIdle) begin
      bit_q        <= '0;
      // Left of the buffer, x div P and x mod P follow from those of -1 - x.
      left_q       <= tile_data_i.pool && tile_data_i.origin_x[15];
      origin_x_q   <= tile_data_i.origin_x ^ {16{tile_data_i.origin_x[15]}};
      origin_y_q   <= tile_data_i.origin_y;
      stride_w_q   <= 16'(tile_data_i.stride_w);
      stride_h_q   <= 16'(tile_data_i.stride_h);
      origin_q     <= '0;
      step_q       <= '0;
      origin_row_q <= '0;
      step_row_q   <= '0;
      if (!tile_data_i.pool) begin
        step_q.word <= AddrWidth'(RawPixels / P);
        step_q.bank <= RotationWidth'(RawPixels % P);
        step_row_q  <= row_words;
      end
    end
    if (state_q == StDivide) begin
      bit_q        <= bit_q + 1'b1;
      origin_x_q   <= origin_x_q << 1;
      origin_y_q   <= origin_y_q << 1;
      stride_w_q   <= stride_w_q << 1;
      stride_h_q   <= stride_h_q << 1;
      origin_q     <= divided(origin_q, origin_x_q[15]);
      step_q       <= divided(step_q, stride_w_q[15]);
      step_row_q   <= (step_row_q << 1) + (stride_h_q[15] ? row_words : '0);
      origin_row_q <= (origin_row_q << 1) + (origin_y_q[15] ? row_words : '0);
      // The highest bit of a signed number counts negative.
      if (bit_q == '0) origin_row_q <= origin_y_q[15] ? -row_words : '0;
    end
  end

  assign out_origin_word_o = left_q ? ~origin_q.word : origin_q.word;
  assign out_origin_bank_o = left_q ? RotationWidth'(P - 1) - origin_q.bank : origin_q.bank;
  assign out_step_word_o   = step_q.word;
  assign out_step_bank_o   = step_q.bank;
  assign out_origin_row_o  = origin_row_q;
  assign out_step_row_o    = step_row_q;

  always_comb begin
    out_tile_o = tile_data_i;
    if (!tile_data_i.pool) begin
      out_tile_o.cols = 16'((17'(tile_data_i.cols) + 17'(RawPixels - 1)) >> $clog2(RawPixels));
      out_tile_o.kernel_h = 8'd1;
      out_tile_o.kernel_w = 8'(RawPixels);
      out_tile_o.stride_h = 8'd1;
      out_tile_o.stride_w = 8'(RawPixels);
      out_tile_o.origin_y = '0;
      out_tile_o.origin_x = '0;
      out_tile_o.valid_rows = tile_data_i.rows;
      out_tile_o.valid_cols = tile_data_i.cols;
    end
  end

  // A tile offered stays put until it is taken.
  `FLEX_ASSERT(TileStable, tile_valid_i && !tile_ready_o |=> tile_valid_i && $stable(tile_data_i))
  // A tile has something to store, and its windows advance.
  logic not_empty, has_kernel, advances;
  assign not_empty  = tile_data_i.rows != '0 && tile_data_i.cols != '0 && tile_data_i.planes != '0;
  assign has_kernel = tile_data_i.kernel_h != '0 && tile_data_i.kernel_w != '0;
  assign advances   = tile_data_i.stride_h != '0 && tile_data_i.stride_w != '0;
  `FLEX_ASSERT(TileNotEmpty, tile_valid_i |-> not_empty)
  `FLEX_ASSERT(WindowsAdvance, tile_valid_i && tile_data_i.pool |-> has_kernel && advances)

endmodule
