// SPDX-License-Identifier: Apache-2.0
//
// Prepares a tile of the store engine: its windows, and their steps in words and banks of the
// output buffer.
//
// Without pooling a window is one row of RawPixels columns; with column phases it is a run of
// columns of every phase, the phases being its rows. `out_source_o` says how a read's pixels lie in
// memory; `cols` of the tile put out counts windows, or pixels where each is a read of its own.
// Pooled windows of two columns, two apart, go in pairs: one window of four columns, four apart.
// A pooled tile needs divisions by P and multiplications by row_words, one with phases a
// multiplication by phase_words, one bit per cycle. Latency 1 cycle, with pooling or phases 17, from
// `tile_valid_i` to `out_valid_o`; the tile must stay until it is taken at the output.

`include "flex_assert.svh"

module flex_store_prepare
  import flex_program_pkg::*;
  import flex_store_pkg::*;
#(
  // Banks of the output buffer.
  parameter  int unsigned P             = 4,
  // Address bits of the output buffer.
  parameter  int unsigned AddrWidth     = 10,
  // Pixels per read without pooling; a power of two, at most P and BeatPixels.
  parameter  int unsigned RawPixels     = 4,
  // Pixels of a memory beat; a power of two.
  parameter  int unsigned BeatPixels    = 4,
  // Columns per read with pooling; at most P.
  parameter  int unsigned PoolPixels    = 4,
  // Tiles may lie in output phases; a record's phases are 1 otherwise, and ignored.
  parameter  bit          OutputPhases  = 1'b1,
  // Derived
  localparam int unsigned RotationWidth = (P > 1) ? $clog2(P) : 1
) (
  input  logic                            clk_i,
  input  logic                            rst_ni,
  // Tile as in its record
  input  store_tile_t                     tile_data_i,
  input  logic                            tile_valid_i,
  output logic                            tile_ready_o,
  // Tile as windows, `row_words` between their rows; what a read brings, whether a window is two;
  // words and bank from
  // column 0 to the first window's, and between windows; words from row 0 to the first window's,
  // and between windows; words between row phases
  output store_tile_t                     out_tile_o,
  output source_e                         out_source_o,
  output logic                            out_pair_o,
  output logic        [    AddrWidth-1:0] out_origin_word_o,
  output logic        [RotationWidth-1:0] out_origin_bank_o,
  output logic        [    AddrWidth-1:0] out_step_word_o,
  output logic        [RotationWidth-1:0] out_step_bank_o,
  output logic        [    AddrWidth-1:0] out_origin_row_o,
  output logic        [    AddrWidth-1:0] out_step_row_o,
  output logic        [    AddrWidth-1:0] out_step_phase_o,
  output logic                            out_valid_o,
  input  logic                            out_ready_i
);

  `FLEX_ASSERT_INIT(ColumnsInRange, P >= 1 && P <= 16)
  `FLEX_ASSERT_INIT(RawPixelsFit, RawPixels <= P && (RawPixels & (RawPixels - 1)) == 0)
  `FLEX_ASSERT_INIT(BeatPixelsFit, RawPixels <= BeatPixels && (BeatPixels & (BeatPixels - 1)) == 0)

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

  // Columns of a read with two and with four phases, and pixels of such a window.
  localparam int unsigned Columns2 = phase_columns(RawPixels, BeatPixels, 2);
  localparam int unsigned Columns4 = phase_columns(RawPixels, BeatPixels, 4);
  localparam int unsigned Window2 = (Columns2 > 1) ? 2 * Columns2 : 1;
  localparam int unsigned Window4 = (Columns4 > 1) ? 4 * Columns4 : 1;

  // `count` divided by a power of two, rounded up.
  function automatic logic [15:0] parts(logic [15:0] count, int unsigned size);
    return 16'((17'(count) + 17'(size - 1)) >> $clog2(size));
  endfunction

  // `columns` columns as words and banks.
  function automatic column_t columns_step(int unsigned columns);
    column_t result;
    result.word = AddrWidth'(columns / P);
    result.bank = RotationWidth'(columns % P);
    return result;
  endfunction

  // Without output phases nothing remains of what is only theirs.
  logic [7:0] phases_y, phases_x;
  logic [15:0] phase_words;
  assign phases_y    = OutputPhases ? tile_data_i.phases_y : 8'd1;
  assign phases_x    = OutputPhases ? tile_data_i.phases_x : 8'd1;
  assign phase_words = OutputPhases ? tile_data_i.phase_words : tile_data_i.row_words;

  source_e source, source_q;
  logic phased, pair, pair_q;
  assign phased = phases_y != 8'd1 || phases_x != 8'd1;
  assign pair = store_pairs(
      PoolPixels, BeatPixels
  ) && tile_data_i.pool && tile_data_i.kernel_w == 8'd2 && tile_data_i.stride_w == 8'd2;

  // Reads of less than two columns go the way of single pixels.
  always_comb begin
    source = SourceSingle;
    if (!tile_data_i.pool) begin
      if (phases_x == 8'd1) source = SourceAdjacent;
      else if (Columns2 > 1 && phases_x == 8'd2) source = SourceSecond;
      else if (Columns4 > 1 && phases_x == 8'd4) source = SourceFourth;
    end
  end

  // The highest bits first. One product serves the first window's row with pooling, and the words
  // between row phases without.
  state_e state_q, state_d;
  logic [3:0] bit_q;
  logic [15:0] origin_x_q, factor_q, stride_w_q, stride_h_q;
  logic [AddrWidth-1:0] row_words, factor_words, product_q, step_row_q;
  column_t origin_q, step_q;
  logic left_q;

  assign row_words    = AddrWidth'(tile_data_i.row_words);
  assign factor_words = tile_data_i.pool ? row_words : AddrWidth'(phase_words);
  assign out_valid_o  = state_q == StReady;
  assign tile_ready_o = out_valid_o && out_ready_i;

  always_comb begin
    state_d = state_q;
    unique case (state_q)
      StIdle:   if (tile_valid_i) state_d = (tile_data_i.pool || phased) ? StDivide : StReady;
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
      bit_q      <= '0;
      source_q   <= source;
      pair_q     <= pair;
      // Left of the buffer, x div P and x mod P follow from those of -1 - x.
      left_q     <= tile_data_i.pool && tile_data_i.origin_x[15];
      origin_x_q <= tile_data_i.origin_x ^ {16{tile_data_i.origin_x[15]}};
      factor_q   <= (tile_data_i.pool || !OutputPhases) ? tile_data_i.origin_y : 16'(phases_x);
      stride_w_q <= pair ? 16'd4 : 16'(tile_data_i.stride_w);
      stride_h_q <= 16'(tile_data_i.stride_h);
      origin_q   <= '0;
      step_q     <= '0;
      product_q  <= '0;
      step_row_q <= '0;
      if (!tile_data_i.pool) begin
        step_row_q <= row_words;
        unique case (source)
          SourceAdjacent: step_q <= columns_step(RawPixels);
          SourceSecond:   step_q <= columns_step(Columns2);
          SourceFourth:   step_q <= columns_step(Columns4);
          default:        step_q <= columns_step(1);
        endcase
      end
    end
    if (state_q == StDivide) begin
      bit_q     <= bit_q + 1'b1;
      factor_q  <= factor_q << 1;
      product_q <= (product_q << 1) + (factor_q[15] ? factor_words : '0);
      // The highest bit of a signed number counts negative.
      if (bit_q == '0) product_q <= factor_q[15] ? -factor_words : '0;
      if (tile_data_i.pool) begin
        origin_x_q <= origin_x_q << 1;
        stride_w_q <= stride_w_q << 1;
        stride_h_q <= stride_h_q << 1;
        origin_q   <= divided(origin_q, origin_x_q[15]);
        step_q     <= divided(step_q, stride_w_q[15]);
        step_row_q <= (step_row_q << 1) + (stride_h_q[15] ? row_words : '0);
      end
    end
  end

  assign out_origin_word_o = left_q ? ~origin_q.word : origin_q.word;
  assign out_origin_bank_o = left_q ? RotationWidth'(P - 1) - origin_q.bank : origin_q.bank;
  assign out_step_word_o   = step_q.word;
  assign out_step_bank_o   = step_q.bank;
  assign out_origin_row_o  = tile_data_i.pool ? product_q : '0;
  assign out_step_row_o    = step_row_q;
  assign out_step_phase_o  = product_q;
  assign out_source_o      = source_q;
  assign out_pair_o        = pair_q;

  always_comb begin
    out_tile_o          = tile_data_i;
    out_tile_o.phases_y = phases_y;
    if (pair_q) begin
      out_tile_o.cols     = parts(tile_data_i.cols, 2);
      out_tile_o.kernel_w = 8'd4;
      out_tile_o.stride_w = 8'd4;
    end
    if (!tile_data_i.pool) begin
      unique case (source_q)
        SourceAdjacent: out_tile_o.cols = parts(tile_data_i.cols, RawPixels);
        SourceSecond:   out_tile_o.cols = parts(tile_data_i.cols, Window2);
        SourceFourth:   out_tile_o.cols = parts(tile_data_i.cols, Window4);
        default:        out_tile_o.cols = tile_data_i.cols;
      endcase
      out_tile_o.row_words  = phase_words;
      out_tile_o.kernel_h   = phases_x;
      out_tile_o.kernel_w   = 8'd1;
      // All windows of a tile that has none stand for the first, whose pixels all count.
      out_tile_o.stride_h   = '0;
      out_tile_o.stride_w   = '0;
      out_tile_o.origin_y   = '0;
      out_tile_o.origin_x   = '0;
      out_tile_o.valid_rows = '1;
      out_tile_o.valid_cols = '1;
    end
  end

  // A tile offered stays put until it is taken.
  `FLEX_ASSERT(TileStable, tile_valid_i && !tile_ready_o |=> tile_valid_i && $stable(tile_data_i))
  // A tile has something to store, its windows advance, and only what is not pooled has phases.
  logic not_empty, has_kernel, advances, has_phases;
  assign not_empty  = tile_data_i.rows != '0 && tile_data_i.cols != '0 && tile_data_i.planes != '0;
  assign has_kernel = tile_data_i.kernel_h != '0 && tile_data_i.kernel_w != '0;
  assign advances   = tile_data_i.stride_h != '0 && tile_data_i.stride_w != '0;
  assign has_phases = tile_data_i.phases_y != '0 && tile_data_i.phases_x != '0;
  `FLEX_ASSERT(TileNotEmpty, tile_valid_i |-> not_empty)
  `FLEX_ASSERT(PhasesFit, tile_valid_i |-> tile_data_i.pool ? !phased : has_phases)
  if (!OutputPhases) begin : gen_no_phases
    `FLEX_ASSERT(PhasesNone,
                 tile_valid_i |-> tile_data_i.phases_y == 8'd1 && tile_data_i.phases_x == 8'd1)
  end
  `FLEX_ASSERT(WindowsAdvance, tile_valid_i && tile_data_i.pool |-> has_kernel && advances)

endmodule
