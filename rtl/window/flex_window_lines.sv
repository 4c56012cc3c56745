// SPDX-License-Identifier: Apache-2.0
//
// Keeps the last two rows and the last two columns of an image that comes in beats, so that each
// beat leaves with all the pixels of the 3x3 windows that end in it. Pixels outside the image are
// replaced by the padding byte.
//
// Free running. Latency: 3 cycles, or 1 without lines (`Taps` 1, where windows are one pixel).
// Two RAMs take turns, so that the line written is the one that a row later is two rows old; a beat
// is written in the cycle after it has been read.

`include "flex_assert.svh"

module flex_window_lines #(
  // Bytes of a pixel.
  parameter  int unsigned N         = 8,
  // Pixels of a beat.
  parameter  int unsigned B         = 8,
  // Taps of a window: 9 or 1.
  parameter  int unsigned Taps      = 9,
  // Beats of a line at most.
  parameter  int unsigned LineBeats = 512,
  localparam int unsigned Side      = (Taps == 9) ? 3 : 1,
  localparam int unsigned AddrWidth = (LineBeats > 1) ? $clog2(LineBeats) : 1
) (
  input  logic                                      clk_i,
  input  logic                                      rst_ni,
  // A beat
  input  logic                                      step_i,
  input  logic [        B-1:0][   N*8-1:0]          data_i,
  input  logic                                      start_i,  // first beat of a row
  input  logic                                      write_i,
  input  logic [          1:0]                      read_i,
  input  logic [AddrWidth-1:0]                      addr_i,
  input  logic                                      line_i,
  input  logic [          2:0]                      rows_i,
  input  logic [        B-1:0]                      mask_i,
  input  logic                                      bank_i,
  // Padding byte of each bank of parameters
  input  logic [          1:0][       7:0]          pad_i,
  // Rows from the oldest, columns from the oldest; the last B are the beat's
  output logic [     Side-1:0][B+Side-2:0][N*8-1:0] pixels_o
);

  `FLEX_ASSERT_INIT(TapsKnown, Taps == 9 || Taps == 1)

  if (Taps == 1) begin : gen_pixel

    logic [B-1:0][N*8-1:0] data_q;
    logic unused_lines;

    always_ff @(posedge clk_i) begin
      if (step_i) data_q <= data_i;
    end

    assign pixels_o[0] = data_q;
    assign unused_lines = ^{
        rst_ni, start_i, write_i, read_i, addr_i, line_i, rows_i, mask_i, bank_i, pad_i
    };

  end else begin : gen_lines

    // What goes along; suffixes are cycles after the step.
    typedef struct packed {
      logic         start;
      logic         line;
      logic [2:0]   rows;
      logic [B-1:0] mask;
      logic         bank;
    } beat_t;

    logic step1_q, step2_q, step3_q;
    beat_t beat1_q, beat2_q;
    logic [B-1:0][N*8-1:0] data1_q, data2_q;
    logic write1_q;
    logic [AddrWidth-1:0] addr1_q;

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        step1_q  <= 1'b0;
        step2_q  <= 1'b0;
        step3_q  <= 1'b0;
        write1_q <= 1'b0;
      end else begin
        step1_q  <= step_i;
        step2_q  <= step1_q;
        step3_q  <= step2_q;
        write1_q <= step_i && write_i;
      end
    end

    always_ff @(posedge clk_i) begin
      if (step_i) begin
        beat1_q <= '{start: start_i, line: line_i, rows: rows_i, mask: mask_i, bank: bank_i};
        data1_q <= data_i;
        addr1_q <= addr_i;
      end
      if (step1_q) begin
        beat2_q <= beat1_q;
        data2_q <= data1_q;
      end
    end

    ////////////////////////////////////////////////////////////////
    // Lines: the one that is written is two rows old, the other one is a row old
    ////////////////////////////////////////////////////////////////

    logic [1:0][B-1:0][N*8-1:0] line2;

    for (genvar l = 0; l < 2; l++) begin : gen_line
      logic rd_en;
      assign rd_en = step_i && (line_i == 1'(l) ? read_i[1] : read_i[0]);

      flex_ram_sdp #(
        .Width(B * N * 8),
        .Depth(LineBeats)
      ) u_line (
        .clk_i,
        .wr_en_i  (write1_q && beat1_q.line == 1'(l)),
        .wr_addr_i(addr1_q),
        .wr_data_i(data1_q),
        .rd_en_i  (rd_en),
        .rd_addr_i(addr_i),
        .rd_data_o(line2[l])
      );
    end

    ////////////////////////////////////////////////////////////////
    // Padding
    ////////////////////////////////////////////////////////////////

    logic [2:0][B-1:0][N*8-1:0] rows2, rows3_q;
    logic [7:0] pad2, pad3_q;
    logic start3_q;

    assign rows2 = {data2_q, line2[!beat2_q.line], line2[beat2_q.line]};
    assign pad2  = pad_i[beat2_q.bank];

    always_ff @(posedge clk_i) begin
      if (step2_q) begin
        for (int unsigned r = 0; r < 3; r++) begin
          for (int unsigned i = 0; i < B; i++) begin
            rows3_q[r][i] <= beat2_q.rows[r] && beat2_q.mask[i] ? rows2[r][i] : {N{pad2}};
          end
        end
        pad3_q   <= pad2;
        start3_q <= beat2_q.start;
      end
    end

    ////////////////////////////////////////////////////////////////
    // Columns
    ////////////////////////////////////////////////////////////////

    logic [2:0][1:0][N*8-1:0] older_q;  // columns before the beat

    for (genvar r = 0; r < 3; r++) begin : gen_row
      assign pixels_o[r] = {rows3_q[r], start3_q ? {2 * N{pad3_q}} : older_q[r]};

      always_ff @(posedge clk_i) begin
        if (step3_q) older_q[r] <= pixels_o[r][B+1-:2];
      end
    end

  end

endmodule
