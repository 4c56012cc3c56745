// SPDX-License-Identifier: Apache-2.0
//
// Weight memory of the array: words of M rows of N bytes, one RAM per row. The read address travels
// down the rows, one per cycle, as the array works.
//
// A read at cycle t gives row m of its word at t + flex_pkg::WeightReadLatency + m. One read and one
// write per cycle; a write at one edge is seen by reads from the next cycle on. A word must stay for
// M cycles from its read on: the last row is read that late.

`include "flex_assert.svh"

module flex_weight_buffer
  import flex_pkg::*;
#(
  // Rows.
  parameter  int unsigned M         = 8,
  // Bytes of a row.
  parameter  int unsigned N         = 8,
  // Words.
  parameter  int unsigned Depth     = 512,
  // Derived
  localparam int unsigned AddrWidth = (Depth > 1) ? $clog2(Depth) : 1
) (
  input  logic                          clk_i,
  input  logic                          rst_ni,
  // Write: row m at byte m*N
  input  logic                          wr_en_i,
  input  logic [AddrWidth-1:0]          wr_addr_i,
  input  logic [        M-1:0][N*8-1:0] wr_data_i,
  // Read
  input  logic                          rd_en_i,
  input  logic [AddrWidth-1:0]          rd_addr_i,
  output logic [        M-1:0][N*8-1:0] w_o
);

  `FLEX_ASSERT_INIT(RowsNonZero, M > 0)
  // The RAM's own latency is all there is.
  `FLEX_ASSERT_INIT(LatencyAsPublished, WeightReadLatency == 2)

  for (genvar m = 0; m < M; m++) begin : gen_row
    logic rd_en;
    logic [AddrWidth-1:0] rd_addr;

    if (m == 0) begin : gen_first
      assign rd_en   = rd_en_i;
      assign rd_addr = rd_addr_i;
    end else begin : gen_next
      logic rd_en_q;
      logic [AddrWidth-1:0] rd_addr_q;

      always_ff @(posedge clk_i) begin
        if (!rst_ni) rd_en_q <= 1'b0;
        else rd_en_q <= gen_row[m-1].rd_en;
      end

      always_ff @(posedge clk_i) rd_addr_q <= gen_row[m-1].rd_addr;

      assign rd_en   = rd_en_q;
      assign rd_addr = rd_addr_q;
    end

    flex_ram_sdp #(
      .Width(N * 8),
      .Depth(Depth)
    ) u_ram (
      .clk_i,
      .wr_en_i  (wr_en_i),
      .wr_addr_i(wr_addr_i),
      .wr_data_i(wr_data_i[m]),
      .rd_en_i  (rd_en),
      .rd_addr_i(rd_addr),
      .rd_data_o(w_o[m])
    );
  end

endmodule
