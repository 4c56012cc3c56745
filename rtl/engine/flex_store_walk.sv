// SPDX-License-Identifier: Apache-2.0
//
// Reads of the output buffer that the store engine's tiles need, in the order of memory.
//
// Plane by plane, row by row: without pooling RawPixels adjacent pixels per read; with pooling, for
// each window, its rows from the top, PoolPixels columns per read. A read starts at any column,
// also left of the buffer: its word may then lie anywhere, and the mask tells what counts.
// One read per cycle, also across rows, planes, halves and tiles; 18 cycles to prepare a pooled
// tile, 1 for another, spent while the tile before is read. A tile without pooling waits until
// PoolLatency cycles after the last read of a pooled one, so that results keep their order.
// What belongs to a read comes with the buffer's data, 1 + ColumnReadLatency cycles after the
// decision to read.

`include "flex_assert.svh"

module flex_store_walk
  import flex_pkg::*;
  import flex_program_pkg::*;
#(
  // Banks of the output buffer.
  parameter  int unsigned P             = 4,
  // Pixels of a memory beat; a power of two.
  parameter  int unsigned BeatPixels    = 8,
  // Planes of a full half of the output buffer.
  parameter  int unsigned PlanesPerHalf = 1,
  // Words per bank and half of the output buffer; a power of two.
  parameter  int unsigned OutWords      = 512,
  // Pixels per read without pooling; a power of two, at most P and BeatPixels.
  parameter  int unsigned RawPixels     = 4,
  // Columns per read with pooling; at most P.
  parameter  int unsigned PoolPixels    = 4,
  // Cycles from the data of a pooled tile's last read to its result.
  parameter  int unsigned PoolLatency   = 3,
  // Derived
  localparam int unsigned AddrWidth     = $clog2(2 * OutWords),
  localparam int unsigned RotationWidth = (P > 1) ? $clog2(P) : 1,
  localparam int unsigned Pixels        = (RawPixels > PoolPixels) ? RawPixels : PoolPixels,
  localparam int unsigned SlotWidth     = (BeatPixels > 1) ? $clog2(BeatPixels) : 1
) (
  input  logic                            clk_i,
  input  logic                            rst_ni,
  // Tiles
  input  store_tile_t                     tile_data_i,
  input  logic                            tile_valid_i,
  output logic                            tile_ready_o,
  // Halves of the output buffer
  input  logic                            group_full_i,
  output logic                            group_freed_o,
  // Whether there is room for one more beat, and whether this cycle's read completes a beat
  input  logic                            room_i,
  output logic                            beat_o,
  // Output buffer
  output logic                            rd_en_o,
  output logic        [    AddrWidth-1:0] rd_addr_o,
  output logic        [RotationWidth-1:0] rd_rotation_o,
  // What the data are: pixels that count, first and last read of a window (or of RawPixels), the
  // place of the (first) pixel in its beat, the last pixels of a beat
  output logic                            data_valid_o,
  output logic                            data_pool_o,
  output logic                            data_first_o,
  output logic                            data_last_o,
  output logic        [       Pixels-1:0] data_mask_o,
  output logic        [    SlotWidth-1:0] data_slot_o,
  output logic                            data_beat_last_o,
  // Performance counters
  output logic                            busy_o,
  output logic                            starved_o,
  output logic                            blocked_o
);

  `FLEX_ASSERT_INIT(ColumnsInRange, P >= 1 && P <= 16)
  `FLEX_ASSERT_INIT(OutWordsPowerOfTwo, (OutWords & (OutWords - 1)) == 0)
  `FLEX_ASSERT_INIT(BeatPixelsPowerOfTwo, (BeatPixels & (BeatPixels - 1)) == 0)
  `FLEX_ASSERT_INIT(RawPixelsPowerOfTwo, (RawPixels & (RawPixels - 1)) == 0)
  `FLEX_ASSERT_INIT(ReadsFit, RawPixels <= P && RawPixels <= BeatPixels && PoolPixels <= P)
  `FLEX_ASSERT_INIT(WordsInRange, OutWords >= 2 && OutWords <= 65536 && PlanesPerHalf >= 1)

  // Coordinates: a window's edge may lie left of the buffer, its right end beyond the valid part.
  localparam int unsigned CoordWidth = 18;
  localparam int unsigned CountBits = $clog2(Pixels + 1);
  localparam logic signed [CoordWidth-1:0] AllPixels = signed'(CoordWidth'(Pixels));

  // Words and banks that a column step moves.
  typedef struct packed {
    logic [AddrWidth-1:0]     word;
    logic [RotationWidth-1:0] bank;
  } column_t;

  // Column `position` moved to the right by `step`.
  function automatic column_t moved(column_t position, column_t step);
    column_t result;
    logic [RotationWidth:0] bank;
    bank        = {1'b0, position.bank} + {1'b0, step.bank};
    result.word = position.word + step.word;
    if (bank >= (RotationWidth + 1)'(P)) begin
      bank        = bank - (RotationWidth + 1)'(P);
      result.word = result.word + 1'b1;
    end
    result.bank = bank[RotationWidth-1:0];
    return result;
  endfunction

  localparam column_t RawStep = '{
      word: AddrWidth'(RawPixels / P),
      bank: RotationWidth'(RawPixels % P)
  };
  localparam column_t PoolStep = '{
      word: AddrWidth'(PoolPixels / P),
      bank: RotationWidth'(PoolPixels % P)
  };

  /////////////////
  // Preparation //
  /////////////////

  // A pooled tile needs origin_x and stride_w in words and banks, origin_y and stride_h in words:
  // divisions by P and multiplications by row_words, one bit per cycle from the highest.
  typedef enum logic [1:0] {
    StIdle,
    StDivide,
    StReady
  } prepare_e;

  prepare_e prepare_q, prepare_d;
  logic [3:0] bit_q;
  logic [15:0] origin_x_q, origin_y_q, stride_w_q, stride_h_q;
  logic [AddrWidth-1:0] origin_words_q, step_words_q;
  column_t origin_q, step_q;
  logic left_q;
  logic load;

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

  // One step of a multiplication by row_words.
  function automatic logic [AddrWidth-1:0] multiplied(logic [AddrWidth-1:0] partial, logic next_bit,
                                                      logic [AddrWidth-1:0] row_words);
    return (partial << 1) + (next_bit ? row_words : '0);
  endfunction

  always_comb begin
    prepare_d = prepare_q;
    unique case (prepare_q)
      StIdle:   if (tile_valid_i) prepare_d = tile_data_i.pool ? StDivide : StReady;
      StDivide: if (bit_q == '1) prepare_d = StReady;
      StReady:  if (load) prepare_d = StIdle;
      default:  prepare_d = StIdle;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) prepare_q <= StIdle;
    else prepare_q <= prepare_d;
  end

  always_ff @(posedge clk_i) begin
    unique case (prepare_q)
      StIdle: begin
        bit_q          <= '0;
        // A column left of the buffer: -x div P and mod P follow from those of x - 1.
        left_q         <= tile_data_i.origin_x[15];
        origin_x_q     <= tile_data_i.origin_x ^ {16{tile_data_i.origin_x[15]}};
        origin_y_q     <= tile_data_i.origin_y;
        stride_w_q     <= 16'(tile_data_i.stride_w);
        stride_h_q     <= 16'(tile_data_i.stride_h);
        origin_q       <= '0;
        step_q         <= '0;
        origin_words_q <= '0;
        step_words_q   <= '0;
        if (!tile_data_i.pool) begin
          left_q       <= 1'b0;
          step_q       <= RawStep;
          step_words_q <= AddrWidth'(tile_data_i.row_words);
        end
      end
      StDivide: begin
        bit_q <= bit_q + 1'b1;
        origin_x_q <= origin_x_q << 1;
        origin_y_q <= origin_y_q << 1;
        stride_w_q <= stride_w_q << 1;
        stride_h_q <= stride_h_q << 1;
        origin_q <= divided(origin_q, origin_x_q[15]);
        step_q <= divided(step_q, stride_w_q[15]);
        step_words_q <= multiplied(step_words_q, stride_h_q[15], AddrWidth'(tile_data_i.row_words));
        // The highest bit of a signed number counts negative.
        if (bit_q == '0) begin
          origin_words_q <= origin_y_q[15] ? -AddrWidth'(tile_data_i.row_words) : '0;
        end else begin
          origin_words_q <=
              multiplied(origin_words_q, origin_y_q[15], AddrWidth'(tile_data_i.row_words));
        end
      end
      default: ;
    endcase
  end

  column_t origin;
  assign origin.word = left_q ? ~origin_q.word : origin_q.word;
  assign origin.bank = left_q ? RotationWidth'(P - 1) - origin_q.bank : origin_q.bank;

  //////////
  // Walk //
  //////////

  // What stays for a tile.
  logic active_q, pool_q;
  logic [15:0] wins_q, rows_q;
  logic [AddrWidth-1:0] row_words_q, plane_words_q;
  logic [7:0] kernel_h_q, kernel_w_q;
  column_t origin_column_q, step_column_q;
  logic [AddrWidth-1:0] origin_row_q, step_row_q;
  logic signed [CoordWidth-1:0] first_x_q, first_y_q, step_x_q, step_y_q;
  logic [15:0] valid_rows_q, valid_cols_q;

  // Where the walk is. "Left" counts what follows the current one.
  logic half_q, half_open_q;
  logic [15:0] planes_left_q, wins_left_q, rows_left_q, in_half_q;
  logic [7:0] kernel_rows_left_q, kernel_cols_left_q;
  logic window_first_q;
  logic [SlotWidth-1:0] slot_q;
  logic [AddrWidth-1:0] plane_word_q, window_row_q, row_q;
  column_t window_q, column_q;
  logic signed [CoordWidth-1:0] window_x_q, x_q, window_y_q, y_q;

  logic [1:0] full_q;
  logic [2:0] order_q;
  logic issue, take_half, half_ok;
  logic chunk_last, win_last, row_last, plane_last, half_last, tile_last, beat_last;

  assign half_ok = half_open_q || full_q != '0;
  assign issue = active_q && half_ok && room_i && order_q == '0;
  assign take_half = issue && !half_open_q;
  assign load = prepare_q == StReady && (!active_q || (issue && tile_last));
  assign tile_ready_o = load;

  // kernel_cols_left_q counts the columns of this read as well.
  assign chunk_last = !pool_q || kernel_cols_left_q <= 8'(PoolPixels);
  assign win_last = chunk_last && kernel_rows_left_q == '0;
  assign row_last = win_last && wins_left_q == '0;
  assign plane_last = row_last && rows_left_q == '0;
  assign tile_last = plane_last && planes_left_q == '0;
  assign half_last = plane_last && (planes_left_q == '0 || in_half_q == 16'(PlanesPerHalf - 1));
  assign beat_last    = win_last && (wins_left_q == '0 ||
      slot_q == (pool_q ? SlotWidth'(BeatPixels - 1) : SlotWidth'(BeatPixels - RawPixels)));
  assign beat_o = issue && beat_last;

  assign busy_o = issue;
  assign starved_o = active_q && order_q == '0 && !half_ok;
  assign blocked_o = active_q && order_q == '0 && half_ok && !room_i;

  // Words at which the next plane begins, and the one after a new tile's first.
  logic [AddrWidth-1:0] next_plane_word, tile_word;
  logic next_half;
  assign next_half = half_q ^ (issue && half_last);
  assign next_plane_word = half_last ? {!half_q, {(AddrWidth - 1) {1'b0}}} :
      plane_word_q + plane_words_q;
  assign tile_word = {next_half, {(AddrWidth - 1) {1'b0}}};

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      active_q    <= 1'b0;
      half_q      <= 1'b0;
      half_open_q <= 1'b0;
      full_q      <= '0;
      order_q     <= '0;
    end else begin
      if (load) active_q <= 1'b1;
      else if (issue && tile_last) active_q <= 1'b0;
      half_q <= next_half;
      if (issue) half_open_q <= !half_last;
      full_q <= full_q + 2'(group_full_i) - 2'(take_half);
      if (load && pool_q && !tile_data_i.pool) order_q <= 3'(PoolLatency);
      else if (order_q != '0) order_q <= order_q - 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (load) begin
      pool_q          <= tile_data_i.pool;
      row_words_q     <= AddrWidth'(tile_data_i.row_words);
      plane_words_q   <= AddrWidth'(tile_data_i.plane_words);
      rows_q          <= tile_data_i.rows - 1'b1;
      rows_left_q     <= tile_data_i.rows - 1'b1;
      planes_left_q   <= tile_data_i.planes - 1'b1;
      in_half_q       <= '0;
      step_column_q   <= step_q;
      step_row_q      <= step_words_q;
      origin_column_q <= origin;
      origin_row_q    <= origin_words_q;
      window_first_q  <= 1'b1;
      slot_q          <= '0;
      plane_word_q    <= tile_word;
      window_row_q    <= tile_word + origin_words_q;
      row_q           <= tile_word + origin_words_q;
      window_q        <= origin;
      column_q        <= origin;
      if (tile_data_i.pool) begin
        wins_q             <= tile_data_i.cols - 1'b1;
        wins_left_q        <= tile_data_i.cols - 1'b1;
        kernel_h_q         <= tile_data_i.kernel_h - 1'b1;
        kernel_rows_left_q <= tile_data_i.kernel_h - 1'b1;
        kernel_w_q         <= tile_data_i.kernel_w;
        kernel_cols_left_q <= tile_data_i.kernel_w;
        first_x_q          <= CoordWidth'(tile_data_i.origin_x);
        window_x_q         <= CoordWidth'(tile_data_i.origin_x);
        x_q                <= CoordWidth'(tile_data_i.origin_x);
        first_y_q          <= CoordWidth'(tile_data_i.origin_y);
        window_y_q         <= CoordWidth'(tile_data_i.origin_y);
        y_q                <= CoordWidth'(tile_data_i.origin_y);
        step_x_q           <= CoordWidth'({1'b0, tile_data_i.stride_w});
        step_y_q           <= CoordWidth'({1'b0, tile_data_i.stride_h});
        valid_rows_q       <= tile_data_i.valid_rows;
        valid_cols_q       <= tile_data_i.valid_cols;
      end else begin
        // A window of one row and RawPixels columns, next to each other.
        wins_q             <= (tile_data_i.cols - 1'b1) >> $clog2(RawPixels);
        wins_left_q        <= (tile_data_i.cols - 1'b1) >> $clog2(RawPixels);
        kernel_h_q         <= '0;
        kernel_rows_left_q <= '0;
        kernel_w_q         <= 8'(Pixels);
        kernel_cols_left_q <= 8'(Pixels);
        first_x_q          <= '0;
        window_x_q         <= '0;
        x_q                <= '0;
        first_y_q          <= '0;
        window_y_q         <= '0;
        y_q                <= '0;
        step_x_q           <= CoordWidth'(RawPixels);
        step_y_q           <= CoordWidth'(1);
        valid_rows_q       <= tile_data_i.rows;
        valid_cols_q       <= tile_data_i.cols;
      end
    end else if (issue) begin
      window_first_q <= win_last;
      if (!chunk_last) begin
        kernel_cols_left_q <= kernel_cols_left_q - 8'(PoolPixels);
        column_q           <= moved(column_q, PoolStep);
        x_q                <= x_q + CoordWidth'(PoolPixels);
      end else begin
        kernel_cols_left_q <= kernel_w_q;
        if (!win_last) begin
          kernel_rows_left_q <= kernel_rows_left_q - 1'b1;
          row_q              <= row_q + row_words_q;
          column_q           <= window_q;
          x_q                <= window_x_q;
          y_q                <= y_q + CoordWidth'(1);
        end else begin
          kernel_rows_left_q <= kernel_h_q;
          slot_q <= beat_last ? '0 : slot_q + (pool_q ? SlotWidth'(1) : SlotWidth'(RawPixels));
          if (!row_last) begin
            wins_left_q <= wins_left_q - 1'b1;
            row_q       <= window_row_q;
            window_q    <= moved(window_q, step_column_q);
            column_q    <= moved(window_q, step_column_q);
            window_x_q  <= window_x_q + step_x_q;
            x_q         <= window_x_q + step_x_q;
            y_q         <= window_y_q;
          end else begin
            wins_left_q <= wins_q;
            window_q    <= origin_column_q;
            column_q    <= origin_column_q;
            window_x_q  <= first_x_q;
            x_q         <= first_x_q;
            if (!plane_last) begin
              rows_left_q  <= rows_left_q - 1'b1;
              window_row_q <= window_row_q + step_row_q;
              row_q        <= window_row_q + step_row_q;
              window_y_q   <= window_y_q + step_y_q;
              y_q          <= window_y_q + step_y_q;
            end else begin
              rows_left_q   <= rows_q;
              planes_left_q <= planes_left_q - 1'b1;
              in_half_q     <= half_last ? '0 : in_half_q + 1'b1;
              plane_word_q  <= next_plane_word;
              window_row_q  <= next_plane_word + origin_row_q;
              row_q         <= next_plane_word + origin_row_q;
              window_y_q    <= first_y_q;
              y_q           <= first_y_q;
            end
          end
        end
      end
    end
  end

  ///////////
  // Reads //
  ///////////

  logic read_q;

  assign rd_en_o = read_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) read_q <= 1'b0;
    else read_q <= issue;
  end

  always_ff @(posedge clk_i) begin
    if (issue) begin
      rd_addr_o     <= row_q + column_q.word;
      rd_rotation_o <= column_q.bank;
    end
  end

  ////////////////////
  // What data mean //
  ////////////////////

  // Stage 1 holds the coordinates, stage 2 the first and the number of pixels that count, stage 3
  // the mask, which then waits for the data.
  localparam int unsigned MaskDelay = ColumnReadLatency - 2;

  logic signed [CoordWidth-1:0] x1_q, y1_q;
  logic [7:0] kernel_cols1_q;
  logic [15:0] valid_rows1_q, valid_cols1_q;
  logic signed [CoordWidth:0] cols_left1;
  logic row_ok1, row_ok2_q;
  logic [CountBits-1:0] end1, skip1, end2_q, skip2_q;
  logic [Pixels-1:0] mask3_q;

  assign cols_left1 = (CoordWidth + 1)'(signed'({1'b0, valid_cols1_q})) - (CoordWidth + 1)'(x1_q);

  assign row_ok1    = y1_q >= 0 && y1_q < signed'(CoordWidth'(valid_rows1_q));

  always_comb begin
    end1 = CountBits'(Pixels);
    if (cols_left1 < 0) end1 = '0;
    else if (cols_left1 < (CoordWidth + 1)'(AllPixels)) end1 = cols_left1[CountBits-1:0];
    if (kernel_cols1_q < 8'(end1)) end1 = kernel_cols1_q[CountBits-1:0];
    skip1 = '0;
    if (x1_q <= -AllPixels) skip1 = CountBits'(Pixels);
    else if (x1_q < 0) skip1 = -x1_q[CountBits-1:0];
  end

  always_ff @(posedge clk_i) begin
    if (issue) begin
      x1_q           <= x_q;
      y1_q           <= y_q;
      kernel_cols1_q <= kernel_cols_left_q;
      valid_rows1_q  <= valid_rows_q;
      valid_cols1_q  <= valid_cols_q;
    end
    if (read_q) begin
      end2_q    <= end1;
      skip2_q   <= skip1;
      row_ok2_q <= row_ok1;
    end
    for (int unsigned p = 0; p < Pixels; p++) begin
      mask3_q[p] <= row_ok2_q && CountBits'(p) >= skip2_q && CountBits'(p) < end2_q;
    end
  end

  flex_delay #(
    .Width (Pixels),
    .Cycles(MaskDelay)
  ) u_mask (
    .clk_i,
    .rst_ni,
    .data_i(mask3_q),
    .data_o(data_mask_o)
  );

  flex_delay #(
    .Width (2),
    .Cycles(1 + ColumnReadLatency),
    .Reset (1'b1)
  ) u_valid (
    .clk_i,
    .rst_ni,
    .data_i({issue, issue && half_last}),
    .data_o({data_valid_o, group_freed_o})
  );

  flex_delay #(
    .Width (4 + SlotWidth),
    .Cycles(1 + ColumnReadLatency)
  ) u_meaning (
    .clk_i,
    .rst_ni,
    .data_i({pool_q, window_first_q, win_last, beat_last, slot_q}),
    .data_o({data_pool_o, data_first_o, data_last_o, data_beat_last_o, data_slot_o})
  );

  // At most two halves are full.
  `FLEX_ASSERT(HalvesFull, full_q <= 2'd2 && !(full_q == 2'd2 && group_full_i && !take_half))
  // A tile offered stays put until it is taken.
  `FLEX_ASSERT(TileStable, tile_valid_i && !tile_ready_o |=> tile_valid_i && $stable(tile_data_i))
  // A tile has something to store, and its windows advance.
  logic not_empty, advances;
  assign not_empty = tile_data_i.rows != '0 && tile_data_i.cols != '0 && tile_data_i.planes != '0;
  assign advances  = tile_data_i.stride_h != '0 && tile_data_i.stride_w != '0;
  `FLEX_ASSERT(TileNotEmpty, tile_valid_i |-> not_empty)
  `FLEX_ASSERT(
      KernelNotEmpty,
      tile_valid_i && tile_data_i.pool |-> tile_data_i.kernel_h != '0 && tile_data_i.kernel_w != '0)
  `FLEX_ASSERT(WindowsAdvance, tile_valid_i && tile_data_i.pool |-> advances)
  // A read whose first pixel counts stays in its half.
  logic half1_q, counts1;
  always_ff @(posedge clk_i) half1_q <= half_q;
  assign counts1 = read_q && row_ok1 && skip1 == '0 && end1 != '0;
  `FLEX_ASSERT(ReadInHalf, counts1 |-> rd_addr_o[AddrWidth-1] == half1_q)

endmodule
