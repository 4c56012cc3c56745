// SPDX-License-Identifier: Apache-2.0
//
// Reads of the output buffer that the store engine's tiles need, in the order of memory.
//
// Plane by plane, row by row: without pooling RawPixels adjacent pixels per read; with pooling, for
// each window, its rows from the top, PoolPixels columns per read; windows of two columns, two
// apart, go in pairs of four columns. A read starts at any column, also left of the buffer: its
// word may then lie anywhere, and the mask tells what counts.
// With two or four column phases a window is a run of columns, its rows are the phases; a read
// brings U = min(RawPixels, BeatPixels / phases) pixels. Where U is 1, and with any other number of
// phases but one, a read brings one pixel, by way of the pool. Row phases cost no cycles.
// A half is freed with its last read, unless it is a tile's last one and the tile keeps it: then the
// next tile begins with the same half.
// One read per cycle, also across rows, planes, halves and tiles; 17 cycles to prepare a tile with
// pooling or phases, 1 for another, spent while the tile before is read. A tile that does not go by
// way of the pool waits until PoolLatency cycles after the last read of one that does, so that
// results keep their order.
// What belongs to a read comes with the buffer's data, 2 + ColumnReadLatency cycles after the
// decision to read.

`include "flex_assert.svh"

module flex_store_walk
  import flex_pkg::*;
  import flex_program_pkg::*;
  import flex_store_pkg::*;
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
  // Tiles may lie in output phases; a record's phases are 1 otherwise, and ignored.
  parameter  bit          OutputPhases  = 1'b1,
  // Derived
  localparam int unsigned AddrWidth     = $clog2(2 * OutWords),
  localparam int unsigned RotationWidth = (P > 1) ? $clog2(P) : 1,
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
  // What the data are: which pixels of memory (SourceSingle also when there are no data); for the
  // pool the columns that count, whether they are a pair of pixels, first and last read of a pixel;
  // the place of the (first) pixel in its beat, the last pixels of a beat, and the place of the last
  // one that its row has
  output logic                            data_valid_o,
  output source_e                         data_source_o,
  output logic                            data_pair_o,
  output logic                            data_first_o,
  output logic                            data_last_o,
  output logic        [   PoolPixels-1:0] data_mask_o,
  output logic        [    SlotWidth-1:0] data_slot_o,
  output logic                            data_beat_last_o,
  output logic        [    SlotWidth-1:0] data_end_o,
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
  `FLEX_ASSERT_INIT(PoolLatencyNonZero, PoolLatency > 0)
  `FLEX_ASSERT_INIT(WordsInRange, OutWords >= 2 && OutWords <= 65536 && PlanesPerHalf >= 1)

  // Coordinates: a window's edge may lie left of the buffer, its right end beyond the valid part.
  localparam int unsigned CoordWidth = 18;
  localparam int unsigned HalfWidth = $clog2(PlanesPerHalf + 1);
  // From the decision to read to the data.
  localparam int unsigned DataLatency = 2 + ColumnReadLatency;
  localparam int unsigned MaskLatency = 4;
  localparam int unsigned HoldWidth = $clog2(PoolLatency + 1);

  // Words and banks that a column step moves.
  typedef struct packed {
    logic [AddrWidth-1:0]     word;
    logic [RotationWidth-1:0] bank;
  } column_t;

  // Column `position` moved to the right by `step`.
  function automatic column_t moved(column_t position, column_t step);
    column_t result;
    logic [RotationWidth:0] bank;
    logic wrap;
    bank        = {1'b0, position.bank} + {1'b0, step.bank};
    wrap        = bank >= (RotationWidth + 1)'(P);
    result.word = position.word + step.word + AddrWidth'(wrap);
    if (wrap) bank = bank - (RotationWidth + 1)'(P);
    result.bank = bank[RotationWidth-1:0];
    return result;
  endfunction

  // Columns of a read with two and with four phases.
  localparam int unsigned Columns2 = phase_columns(RawPixels, BeatPixels, 2);
  localparam int unsigned Columns4 = phase_columns(RawPixels, BeatPixels, 4);

  // Place of the last read in a full beat of pairs.
  localparam bit Pairs = store_pairs(PoolPixels, BeatPixels);
  localparam logic [SlotWidth-1:0] PairFull = SlotWidth'(Pairs ? BeatPixels - 2 : BeatPixels - 1);

  localparam column_t PoolStep = '{
      word: AddrWidth'(PoolPixels / P),
      bank: RotationWidth'(PoolPixels % P)
  };

  //////////
  // Walk //
  //////////

  // The next tile.
  store_tile_t next;
  source_e next_source;
  logic [AddrWidth-1:0] next_origin_row, next_step_row, next_step_phase;
  column_t next_origin, next_step;
  logic next_valid, next_pair, load;

  // The tile that is walked, its steps in words and banks.
  store_tile_t tile_q;
  source_e source_q;
  logic active_q, pair_q;
  column_t origin_column_q, step_column_q;
  logic [AddrWidth-1:0] origin_row_q, step_row_q, step_phase_q, row_words_q, plane_words_q;
  // A read is a pixel; place of a row's last pixel in its beat.
  logic each_q;
  logic [SlotWidth-1:0] end_q;
  logic signed [CoordWidth-1:0] origin_x, origin_y;

  assign origin_x = CoordWidth'(tile_q.origin_x);
  assign origin_y = CoordWidth'(tile_q.origin_y);

  // What is left of each loop, the current turn included, and whether this is its last turn: read
  // in a window's row, row in a window, window (or pixel) in a row, row phase, row, plane, plane in
  // a half.
  logic [7:0] reads_left_q, kernel_left_q, phases_left_q;
  logic [15:0] windows_left_q, rows_left_q, planes_left_q;
  logic [HalfWidth-1:0] half_left_q;
  logic read_last_q, kernel_last_q, window_last_q, phase_last_q, row_last_q, plane_last_q;
  logic half_last_q, phase_last;
  logic one_read_q, one_kernel_row_q;

  // Where the walk is: word of the plane, word of the row in it, column; the window's first ones;
  // word of the row in row phase 0.
  logic half_q, half_open_q, window_first_q;
  logic [AddrWidth-1:0] plane_word_q, phase_row_q, window_row_q, row_q;
  column_t window_q, column_q, next_window;
  logic signed [CoordWidth-1:0] window_x_q, x_q, window_y_q, y_q, next_x, next_y;
  logic [AddrWidth-1:0] next_row;
  logic [SlotWidth-1:0] slot_q, slot_step, slot_full;

  // Full halves that are not begun; whether there is one to read; how long results of the pool are
  // still to come.
  logic [1:0] full_q, full_d;
  logic [HoldWidth-1:0] hold_q;
  logic held_q, half_open_d, half_there_q;
  logic issue, take_half;
  logic window_end, pixel_end, row_end, plane_end, half_end, half_done, tile_end, beat_end;

  assign issue       = active_q && half_there_q && room_i && !held_q;
  assign take_half   = issue && !half_open_q;
  assign half_open_d = issue ? !half_done : half_open_q;
  assign full_d      = full_q + 2'(group_full_i) - 2'(take_half);
  assign load        = next_valid && (!active_q || (issue && tile_end));

  assign window_end  = read_last_q && kernel_last_q;
  assign pixel_end   = window_end || each_q;
  assign row_end     = pixel_end && window_last_q;
  assign plane_end   = row_end && row_last_q;
  assign half_end    = plane_end && half_last_q;
  assign half_done   = half_end && !(plane_last_q && tile_q.keep);
  assign tile_end    = plane_end && plane_last_q;
  assign beat_end    = pixel_end && (window_last_q || slot_q == slot_full);
  assign beat_o      = issue && beat_end;

  // From the place of a read to the next read's in the same beat, and a full beat's last place.
  always_comb begin
    slot_step = SlotWidth'(pixel_end);
    unique case (source_q)
      SourceAdjacent: begin
        slot_step = SlotWidth'(RawPixels);
        slot_full = SlotWidth'(BeatPixels - RawPixels);
      end
      SourceSecond: begin
        slot_step = window_end ? SlotWidth'(2 * Columns2 - 1) : SlotWidth'(1);
        slot_full = SlotWidth'(BeatPixels + 1 - 2 * Columns2);
      end
      SourceFourth: begin
        slot_step = window_end ? SlotWidth'(4 * Columns4 - 3) : SlotWidth'(1);
        slot_full = SlotWidth'(BeatPixels + 3 - 4 * Columns4);
      end
      default: begin
        if (Pairs && pair_q) slot_step = SlotWidth'({pixel_end, 1'b0});
        slot_full = pair_q ? PairFull : SlotWidth'(BeatPixels - 1);
      end
    endcase
  end

  assign busy_o    = issue;
  assign starved_o = active_q && !held_q && !half_there_q;
  assign blocked_o = active_q && !held_q && half_there_q && !room_i;

  flex_store_prepare #(
    .P           (P),
    .AddrWidth   (AddrWidth),
    .RawPixels   (RawPixels),
    .BeatPixels  (BeatPixels),
    .PoolPixels  (PoolPixels),
    .OutputPhases(OutputPhases)
  ) u_prepare (
    .clk_i,
    .rst_ni,
    .tile_data_i,
    .tile_valid_i,
    .tile_ready_o,
    .out_tile_o       (next),
    .out_source_o     (next_source),
    .out_pair_o       (next_pair),
    .out_origin_word_o(next_origin.word),
    .out_origin_bank_o(next_origin.bank),
    .out_step_word_o  (next_step.word),
    .out_step_bank_o  (next_step.bank),
    .out_origin_row_o (next_origin_row),
    .out_step_row_o   (next_step_row),
    .out_step_phase_o (next_step_phase),
    .out_valid_o      (next_valid),
    .out_ready_i      (!active_q || (issue && tile_end))
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      active_q     <= 1'b0;
      half_q       <= 1'b0;
      half_open_q  <= 1'b0;
      half_there_q <= 1'b0;
      full_q       <= '0;
      hold_q       <= '0;
      held_q       <= 1'b0;
    end else begin
      if (load) active_q <= 1'b1;
      else if (issue && tile_end) active_q <= 1'b0;
      if (issue && half_done) half_q <= !half_q;
      half_open_q  <= half_open_d;
      half_there_q <= half_open_d || full_d != '0;
      full_q       <= full_d;
      if (load && source_q == SourceSingle && next_source != SourceSingle) begin
        hold_q <= HoldWidth'(PoolLatency);
        held_q <= 1'b1;
      end else begin
        if (hold_q != '0) hold_q <= hold_q - 1'b1;
        held_q <= hold_q > HoldWidth'(1);
      end
    end
  end

  // Next turns of the loops.
  always_ff @(posedge clk_i) begin
    if (load) begin
      reads_left_q     <= next.kernel_w;
      read_last_q      <= next.kernel_w <= 8'(PoolPixels);
      one_read_q       <= next.kernel_w <= 8'(PoolPixels);
      kernel_left_q    <= next.kernel_h;
      kernel_last_q    <= next.kernel_h == 8'd1;
      one_kernel_row_q <= next.kernel_h == 8'd1;
      windows_left_q   <= next.cols;
      window_last_q    <= next.cols == 16'd1;
      phases_left_q    <= next.phases_y;
      phase_last_q     <= next.phases_y == 8'd1;
      rows_left_q      <= next.rows;
      row_last_q       <= next.rows == 16'd1;
      planes_left_q    <= next.planes;
      plane_last_q     <= next.planes == 16'd1;
      half_left_q      <= HalfWidth'(PlanesPerHalf);
      half_last_q      <= PlanesPerHalf == 1 || next.planes == 16'd1;
      slot_q           <= '0;
      window_first_q   <= 1'b1;
    end else if (issue) begin
      reads_left_q   <= reads_left_q - 8'(PoolPixels);
      read_last_q    <= reads_left_q <= 8'(2 * PoolPixels);
      window_first_q <= pixel_end;
      slot_q         <= beat_end ? '0 : slot_q + slot_step;
      if (read_last_q) begin
        reads_left_q  <= tile_q.kernel_w;
        read_last_q   <= one_read_q;
        kernel_left_q <= kernel_left_q - 1'b1;
        kernel_last_q <= kernel_left_q == 8'd2;
      end
      if (pixel_end) begin
        windows_left_q <= windows_left_q - 1'b1;
        window_last_q  <= windows_left_q == 16'd2;
      end
      // A row may end before its last window does.
      if (window_end || row_end) begin
        kernel_left_q <= tile_q.kernel_h;
        kernel_last_q <= one_kernel_row_q;
      end
      if (row_end) begin
        windows_left_q <= tile_q.cols;
        window_last_q  <= tile_q.cols == 16'd1;
        phases_left_q  <= phases_left_q - 1'b1;
        phase_last_q   <= phases_left_q == 8'd2;
        rows_left_q    <= rows_left_q - 1'b1;
        row_last_q     <= rows_left_q == 16'd2;
      end
      if (plane_end || (row_end && phase_last)) begin
        phases_left_q <= tile_q.phases_y;
        phase_last_q  <= tile_q.phases_y == 8'd1;
      end
      if (plane_end) begin
        rows_left_q   <= tile_q.rows;
        row_last_q    <= tile_q.rows == 16'd1;
        planes_left_q <= planes_left_q - 1'b1;
        plane_last_q  <= planes_left_q == 16'd2;
        half_left_q   <= half_left_q - 1'b1;
        half_last_q   <= planes_left_q == 16'd2 || half_left_q == HalfWidth'(2);
        if (half_last_q) begin
          half_left_q <= HalfWidth'(PlanesPerHalf);
          half_last_q <= planes_left_q == 16'd2 || PlanesPerHalf == 1;
        end
      end
    end
  end

  // Next places. Without output phases every row phase is the last.
  assign phase_last = phase_last_q || !OutputPhases;
  assign next_row    = (OutputPhases && phase_last ? phase_row_q : window_row_q) +
      (phase_last ? step_row_q : step_phase_q);
  assign next_window = moved(window_q, step_column_q);
  assign next_x = window_x_q + CoordWidth'({1'b0, tile_q.stride_w});
  assign next_y = window_y_q + CoordWidth'({1'b0, tile_q.stride_h});

  always_ff @(posedge clk_i) begin
    if (load) begin
      tile_q          <= next;
      source_q        <= next_source;
      pair_q          <= next_pair;
      each_q          <= OutputPhases && !next.pool && next_source == SourceSingle;
      end_q           <= SlotWidth'((32'(tile_data_i.cols) - 1) % BeatPixels);
      row_words_q     <= AddrWidth'(next.row_words);
      plane_words_q   <= AddrWidth'(next.plane_words);
      step_column_q   <= next_step;
      step_row_q      <= next_step_row;
      step_phase_q    <= next_step_phase;
      origin_column_q <= next_origin;
      origin_row_q    <= next_origin_row;
      // A tile ends with its half, which is the next one's if it is kept.
      plane_word_q    <= {half_q ^ (active_q && !tile_q.keep), {(AddrWidth - 1) {1'b0}}};
      phase_row_q     <= next_origin_row;
      window_row_q    <= next_origin_row;
      row_q           <= next_origin_row;
      window_q        <= next_origin;
      column_q        <= next_origin;
      window_x_q      <= CoordWidth'(next.origin_x);
      x_q             <= CoordWidth'(next.origin_x);
      window_y_q      <= CoordWidth'(next.origin_y);
      y_q             <= CoordWidth'(next.origin_y);
    end else if (issue) begin
      column_q <= moved(column_q, PoolStep);
      x_q      <= x_q + CoordWidth'(PoolPixels);
      if (read_last_q) begin
        column_q <= window_q;
        x_q      <= window_x_q;
        row_q    <= row_q + row_words_q;
        y_q      <= y_q + CoordWidth'(1);
      end
      if (window_end) begin
        {window_q, column_q} <= {2{next_window}};
        {window_x_q, x_q}    <= {2{next_x}};
        row_q                <= window_row_q;
        y_q                  <= window_y_q;
      end
      if (row_end) begin
        {window_q, column_q}  <= {2{origin_column_q}};
        {window_x_q, x_q}     <= {2{origin_x}};
        {window_row_q, row_q} <= {2{next_row}};
        {window_y_q, y_q}     <= {2{next_y}};
        if (phase_last) phase_row_q <= next_row;
      end
      if (plane_end) begin
        {window_row_q, row_q} <= {2{origin_row_q}};
        {window_y_q, y_q}     <= {2{origin_y}};
        phase_row_q           <= origin_row_q;
        plane_word_q          <= plane_word_q + plane_words_q;
        if (half_last_q) plane_word_q <= {!half_q, {(AddrWidth - 1) {1'b0}}};
      end
    end
  end

  logic unused_tile;
  assign unused_tile = ^tile_q;

  ///////////
  // Reads //
  ///////////

  logic read1_q, read2_q;
  logic [AddrWidth-1:0] plane1_q, offset1_q;
  logic [RotationWidth-1:0] bank1_q;

  assign rd_en_o = read2_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      read1_q <= 1'b0;
      read2_q <= 1'b0;
    end else begin
      read1_q <= issue;
      read2_q <= read1_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (issue) begin
      plane1_q  <= plane_word_q;
      offset1_q <= row_q + column_q.word;
      bank1_q   <= column_q.bank;
    end
    if (read1_q) begin
      rd_addr_o     <= plane1_q + offset1_q;
      rd_rotation_o <= bank1_q;
    end
  end

  ////////////////////
  // What data mean //
  ////////////////////

  logic [PoolPixels-1:0] mask;
  source_e source;
  logic [1:0] data_source;
  logic [SlotWidth-1:0] row_end_slot;

  assign source        = issue ? source_q : SourceSingle;
  assign data_source_o = source_e'(data_source);
  assign row_end_slot  = window_last_q ? end_q : SlotWidth'(BeatPixels - 1);

  flex_store_mask #(
    .Pixels    (PoolPixels),
    .CoordWidth(CoordWidth)
  ) u_mask (
    .clk_i,
    .valid_i     (issue),
    .y_i         (y_q),
    .x_i         (x_q),
    .columns_i   (reads_left_q),
    .valid_rows_i(tile_q.valid_rows),
    .valid_cols_i(tile_q.valid_cols),
    .mask_o      (mask)
  );

  flex_delay #(
    .Width (PoolPixels),
    .Cycles(DataLatency - MaskLatency)
  ) u_mask_delay (
    .clk_i,
    .rst_ni,
    .data_i(mask),
    .data_o(data_mask_o)
  );

  flex_delay #(
    .Width (2),
    .Cycles(DataLatency),
    .Reset (1'b1)
  ) u_valid (
    .clk_i,
    .rst_ni,
    .data_i({issue, issue && half_done}),
    .data_o({data_valid_o, group_freed_o})
  );

  flex_delay #(
    .Width (6 + 2 * SlotWidth),
    .Cycles(DataLatency)
  ) u_meaning (
    .clk_i,
    .rst_ni,
    .data_i({source, pair_q, window_first_q, pixel_end, beat_end, slot_q, row_end_slot}),
    .data_o({
      data_source, data_pair_o, data_first_o, data_last_o, data_beat_last_o, data_slot_o, data_end_o
    })
  );

  // At most two halves are full.
  `FLEX_ASSERT(HalvesFull, full_q <= 2'd2 && !(full_q == 2'd2 && group_full_i && !take_half))
  // A first pixel that counts lies in the half that is read.
  logic half1_q, half2_q, in_half, data_in_half, data_counts;
  assign data_counts = (data_source_o == SourceSingle) ? data_mask_o[0] : data_slot_o <= data_end_o;
  always_ff @(posedge clk_i) {half2_q, half1_q} <= {half1_q, half_q};
  assign in_half = rd_addr_o[AddrWidth-1] == half2_q;
  flex_delay #(
    .Width (1),
    .Cycles(ColumnReadLatency)
  ) u_in_half (
    .clk_i,
    .rst_ni,
    .data_i(in_half),
    .data_o(data_in_half)
  );
  `FLEX_ASSERT(ReadInHalf, data_valid_o && data_counts |-> data_in_half)

endmodule
