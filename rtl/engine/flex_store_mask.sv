// SPDX-License-Identifier: Apache-2.0
//
// Which pixels of a read count: adjacent columns from x on, row y, of a buffer that holds
// valid_rows x valid_cols pixels from (0, 0) on. Latency 4 cycles, one read per cycle.

`include "flex_assert.svh"

module flex_store_mask #(
  // Pixels of a read.
  parameter int unsigned Pixels     = 4,
  // Bits of a coordinate.
  parameter int unsigned CoordWidth = 18
) (
  input  logic                         clk_i,
  input  logic                         valid_i,
  // Row and first column of the read
  input  logic signed [CoordWidth-1:0] y_i,
  input  logic signed [CoordWidth-1:0] x_i,
  // Columns that it wants; more than Pixels are as many as Pixels
  input  logic        [           7:0] columns_i,
  // Pixels that there are
  input  logic        [          15:0] valid_rows_i,
  input  logic        [          15:0] valid_cols_i,
  output logic        [    Pixels-1:0] mask_o
);

  `FLEX_ASSERT_INIT(PixelsInRange, Pixels >= 1 && Pixels <= 128)
  `FLEX_ASSERT_INIT(CoordinatesFit, CoordWidth >= 17)

  localparam int unsigned CountWidth = $clog2(Pixels + 1);
  localparam logic signed [CoordWidth-1:0] AllPixels = signed'(CoordWidth'(Pixels));

  logic signed [CoordWidth-1:0] y0_q, x0_q;
  logic [7:0] columns0_q;
  logic [15:0] rows0_q, cols0_q;

  always_ff @(posedge clk_i) begin
    if (valid_i) begin
      y0_q       <= y_i;
      x0_q       <= x_i;
      columns0_q <= columns_i;
      rows0_q    <= valid_rows_i;
      cols0_q    <= valid_cols_i;
    end
  end

  // Pixels from the first column to the end of the row, the first pixel that counts, and how many
  // the read wants.
  logic signed [CoordWidth:0] cols_left1_q;
  logic [CountWidth-1:0] begin1_q, wanted1_q;
  logic row_ok1_q;

  always_ff @(posedge clk_i) begin
    cols_left1_q <= (CoordWidth + 1)'(signed'({1'b0, cols0_q})) - (CoordWidth + 1)'(x0_q);
    begin1_q     <= '0;
    if (x0_q <= -AllPixels) begin1_q <= CountWidth'(Pixels);
    else if (x0_q < 0) begin1_q <= -x0_q[CountWidth-1:0];
    wanted1_q <= (columns0_q < 8'(Pixels)) ? columns0_q[CountWidth-1:0] : CountWidth'(Pixels);
    row_ok1_q <= y0_q >= 0 && y0_q < CoordWidth'(signed'({1'b0, rows0_q}));
  end

  // The pixel after the last one of the row.
  logic [CountWidth-1:0] begin2_q, wanted2_q, end2_q;
  logic row_ok2_q;

  always_ff @(posedge clk_i) begin
    begin2_q  <= begin1_q;
    wanted2_q <= wanted1_q;
    row_ok2_q <= row_ok1_q;
    end2_q    <= CountWidth'(Pixels);
    if (cols_left1_q < 0) end2_q <= '0;
    else if (cols_left1_q < (CoordWidth + 1)'(AllPixels)) end2_q <= cols_left1_q[CountWidth-1:0];
  end

  logic [Pixels-1:0] mask3_q;

  always_ff @(posedge clk_i) begin
    for (int unsigned p = 0; p < Pixels; p++) begin
      mask3_q[p] <= row_ok2_q && CountWidth'(p) >= begin2_q && CountWidth'(p) < end2_q &&
          CountWidth'(p) < wanted2_q;
    end
  end

  assign mask_o = mask3_q;

endmodule
