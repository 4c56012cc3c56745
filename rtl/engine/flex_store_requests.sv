// SPDX-License-Identifier: Apache-2.0
//
// Write requests of the store engine's tiles, and the count of tiles that are in memory.
//
// A record takes one request per plane when its rows follow each other in memory without gaps, else
// one per row. One request per cycle, 3 cycles between records. A tile is a record, and those marked
// `part` before it. It counts when the write engine has acknowledged all its requests, in order, 3
// cycles after the last acknowledgement; about TilesAhead tiles may be unacknowledged.

`include "flex_assert.svh"

module flex_store_requests
  import flex_pkg::*;
  import flex_program_pkg::*;
#(
  // Bytes of a pixel; a power of two.
  parameter int unsigned N         = 8,
  // Bytes of a memory beat; a power of two, at least N.
  parameter int unsigned DataBytes = 64
) (
  input  logic                          clk_i,
  input  logic                          rst_ni,
  // Tiles
  input  store_tile_t                   tile_data_i,
  input  logic                          tile_valid_i,
  output logic                          tile_ready_o,
  // Requests to the write engine, and its acknowledgements
  output logic        [OffsetWidth-1:0] req_addr_o,
  output logic        [ BeatsWidth-1:0] req_beats_o,
  output logic                          req_valid_o,
  input  logic                          req_ready_i,
  input  logic                          done_i,
  // Tiles in memory, and a pulse in the cycle before one more is
  output logic        [           31:0] tiles_done_o,
  output logic                          tile_done_o
);

  `FLEX_ASSERT_INIT(PowersOfTwo, (N & (N - 1)) == 0 && (DataBytes & (DataBytes - 1)) == 0)
  `FLEX_ASSERT_INIT(BeatHoldsPixel, N > 0 && DataBytes >= N)

  localparam int unsigned TilesAhead = 16;
  localparam int unsigned PixelsLog2 = $clog2(DataBytes / N);
  localparam int unsigned BytesLog2 = $clog2(DataBytes);

  typedef enum logic [1:0] {
    StIdle,
    StPrepare,
    StMultiply,
    StRequest
  } state_e;

  state_e state_q, state_d;
  logic [OffsetWidth-1:0] plane_addr_q, addr_q;
  logic [31:0] plane_pitch_q, row_pitch_q;
  logic [15:0] rows_q, rows_left_q, planes_left_q;
  logic [15:0] row_beats_q;
  logic [BeatsWidth-1:0] product_q, beats_q;
  logic merged_q, part_q;
  logic load, fire, row_last, tile_last;
  logic [15:0] row_beats;

  assign tile_ready_o = state_q == StIdle;
  assign load         = tile_valid_i && tile_ready_o;
  assign row_beats    = 16'((17'(tile_data_i.cols) + 17'(DataBytes / N - 1)) >> PixelsLog2);

  assign req_addr_o   = addr_q;
  assign req_beats_o  = beats_q;
  assign fire         = req_valid_o && req_ready_i;
  assign row_last     = merged_q || rows_left_q == '0;
  assign tile_last    = row_last && planes_left_q == '0;

  logic totals_ready, totals_push;

  always_comb begin
    state_d     = state_q;
    req_valid_o = 1'b0;
    unique case (state_q)
      StIdle:     if (tile_valid_i) state_d = StPrepare;
      StPrepare:  state_d = StMultiply;
      StMultiply: if (totals_ready) state_d = StRequest;
      StRequest: begin
        req_valid_o = 1'b1;
        if (req_ready_i && tile_last) state_d = StIdle;
      end
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) state_q <= StIdle;
    else state_q <= state_d;
  end

  always_ff @(posedge clk_i) begin
    if (load) begin
      plane_addr_q  <= tile_data_i.address;
      addr_q        <= tile_data_i.address;
      plane_pitch_q <= tile_data_i.plane_pitch;
      row_pitch_q   <= tile_data_i.row_pitch;
      part_q        <= tile_data_i.part;
      rows_q        <= tile_data_i.rows;
      rows_left_q   <= tile_data_i.rows - 1'b1;
      planes_left_q <= tile_data_i.planes - 1'b1;
      row_beats_q   <= row_beats;
    end
    if (state_q == StPrepare) begin
      product_q <= BeatsWidth'(row_beats_q) * BeatsWidth'(rows_q);
      merged_q  <= rows_q == 16'd1 || row_pitch_q == 32'(row_beats_q) << BytesLog2;
    end
    if (state_q == StMultiply) beats_q <= merged_q ? product_q : BeatsWidth'(row_beats_q);
    if (fire) begin
      if (row_last) begin
        plane_addr_q  <= plane_addr_q + OffsetWidth'(plane_pitch_q);
        addr_q        <= plane_addr_q + OffsetWidth'(plane_pitch_q);
        rows_left_q   <= rows_q - 1'b1;
        planes_left_q <= planes_left_q - 1'b1;
      end else begin
        addr_q      <= addr_q + OffsetWidth'(row_pitch_q);
        rows_left_q <= rows_left_q - 1'b1;
      end
    end
  end

  //////////////////////
  // Acknowledgements //
  //////////////////////

  // Running numbers of requests: issued, acknowledged, and issued at the end of each tile. The
  // oldest tile's number is held and compared on its own, one tile in four cycles at most.
  logic [CountWidth-1:0] issued_q, issued_next, done_q, total, total_q, behind;
  logic total_valid, total_ready, total_valid_q, tile_done_q;
  logic [$clog2(TilesAhead+1)-1:0] unused_level;

  assign issued_next = issued_q + 1'b1;
  assign totals_push = fire && tile_last && !part_q;
  assign total_ready = !total_valid_q;
  assign behind      = done_q - total_q;

  flex_stream_fifo #(
    .Width(CountWidth),
    .Depth(TilesAhead)
  ) u_totals (
    .clk_i,
    .rst_ni,
    .in_data_i  (issued_next),
    .in_valid_i (totals_push),
    .in_ready_o (totals_ready),
    .out_data_o (total),
    .out_valid_o(total_valid),
    .out_ready_i(total_ready),
    .level_o    (unused_level)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      issued_q      <= '0;
      done_q        <= '0;
      total_valid_q <= 1'b0;
      tile_done_q   <= 1'b0;
      tiles_done_o  <= '0;
    end else begin
      if (fire) issued_q <= issued_next;
      if (done_i) done_q <= done_q + 1'b1;
      if (total_ready) total_valid_q <= total_valid;
      else if (tile_done_q) total_valid_q <= 1'b0;
      tile_done_q <= total_valid_q && !tile_done_q && !behind[CountWidth-1];
      if (tile_done_q) tiles_done_o <= tiles_done_o + 1'b1;
    end
  end

  assign tile_done_o = tile_done_q;

  always_ff @(posedge clk_i) begin
    if (total_ready) total_q <= total;
  end

  logic unused_tile;
  assign unused_tile = ^{tile_data_i};

  // A request offered stays put until it is taken.
  `FLEX_ASSERT(RequestStable, req_valid_o && !req_ready_i |=> req_valid_o && $stable(req_addr_o)
                              && $stable(req_beats_o))
  // A plane's beats are countable.
  `FLEX_ASSERT(BeatsFit,
               state_q == StPrepare |-> 32'(row_beats_q) * 32'(rows_q) < 32'd2 ** BeatsWidth)
  // There is room for the tile's total.
  `FLEX_ASSERT(TotalFits, totals_push |-> totals_ready)
  // Only what was requested is acknowledged, and the count of what is under way is unambiguous.
  `FLEX_ASSERT(DoneAfterIssue, done_i |-> issued_q != done_q)
  logic [CountWidth-1:0] under_way;
  assign under_way = issued_q - done_q;
  `FLEX_ASSERT(CountsUnambiguous, !under_way[CountWidth-1])

endmodule
