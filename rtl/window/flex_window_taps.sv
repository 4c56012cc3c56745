// SPDX-License-Identifier: Apache-2.0
//
// Windows of one channel that end in the pixels of a beat: products of signed bytes, summed up
// exactly. A row of taps is a chain of flex_mac_cell, where two pixels may share a multiplier.
//
// Free running, one beat per cycle. Latency: 6 cycles with 9 taps, 4 with one.

`include "flex_assert.svh"

module flex_window_taps #(
  // Pixels of a beat.
  parameter  int unsigned Pixels = 8,
  // Taps of a window: 9 or 1.
  parameter  int unsigned Taps   = 9,
  // Two pixels per multiplier.
  parameter  bit          Packed = 1'b1,
  localparam int unsigned Side   = (Taps == 9) ? 3 : 1
) (
  input  logic                                    clk_i,
  // Rows and columns from the oldest
  input  logic [  Side-1:0][Pixels+Side-2:0][7:0] pixels_i,
  // Weights of both banks, row by row, and which of them the beat has
  input  logic [       1:0][       Taps-1:0][7:0] weights_i,
  input  logic                                    bank_i,
  // Signed sums
  output logic [Pixels-1:0][           26:0]      acc_o
);

  `FLEX_ASSERT_INIT(TapsKnown, Taps == 9 || Taps == 1)
  `FLEX_ASSERT_INIT(PixelsNonZero, Pixels > 0)

  // Pixels of a cell.
  localparam int unsigned CellPixels = Packed && Pixels % 2 == 0 ? 2 : 1;
  localparam bit CellPacked = CellPixels == 2;
  localparam int unsigned Cells = Pixels / CellPixels;
  localparam int unsigned SumWidth = CellPacked ? 18 : 16 + $clog2(Side);
  // What packed chains lack.
  localparam int unsigned Offset = CellPacked ? 1024 * Side : 0;

  // Lane i of a chain comes i cycles later; pixels[i] and bank[i] are as much later.
  logic [Side-1:0][Side-1:0][Pixels+Side-2:0][7:0] pixels;
  logic [Side-1:0] bank;

  assign pixels[0] = pixels_i;
  assign bank[0]   = bank_i;

  for (genvar i = 1; i < Side; i++) begin : gen_later
    always_ff @(posedge clk_i) begin
      pixels[i] <= pixels[i-1];
      bank[i]   <= bank[i-1];
    end
  end

  for (genvar c = 0; c < Cells; c++) begin : gen_cell

    logic [Side-1:0][CellPixels-1:0][SumWidth-1:0] sum;

    for (genvar r = 0; r < Side; r++) begin : gen_row

      logic [CellPixels-1:0][Side-1:0][7:0] x;
      logic [Side-1:0][7:0] w;

      for (genvar i = 0; i < Side; i++) begin : gen_tap
        assign w[i] = weights_i[bank[i]][r*Side+i];
        for (genvar p = 0; p < CellPixels; p++) begin : gen_pixel
          assign x[p][i] = pixels[i][r][c*CellPixels+p+i];
        end
      end

      flex_mac_cell #(
        .Lanes (Side),
        .Packed(CellPacked)
      ) u_cell (
        .clk_i,
        .x_i  (x),
        .w_i  (w),
        .sum_o(sum[r])
      );

    end

    for (genvar p = 0; p < CellPixels; p++) begin : gen_acc
      logic signed [26:0] acc_d, acc_q;

      always_comb begin
        acc_d = 27'(Offset);
        for (int unsigned r = 0; r < Side; r++) acc_d = acc_d + 27'(signed'(sum[r][p]));
      end

      always_ff @(posedge clk_i) acc_q <= acc_d;

      assign acc_o[c*CellPixels+p] = acc_q;
    end

  end

endmodule
