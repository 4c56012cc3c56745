// SPDX-License-Identifier: Apache-2.0
//
// Weight ring: M RAMs of N bytes, written a word (all rows) at a time, read row by row as a systolic wave.
//
// A read at cycle t gives row m's bytes at t + flex_pkg::WeightReadLatency + m: the address travels from row to row,
// which costs address bits instead of data bits. Throughput: one write and one read per cycle.

`include "flex_assert.svh"

module flex_weight_buffer #(
  // Rows.
  parameter  int unsigned M         = 8,
  // Bytes of a row's word.
  parameter  int unsigned N         = 8,
  // Words; a power of two.
  parameter  int unsigned Depth     = 512,
  // Derived
  localparam int unsigned AddrWidth = (Depth > 1) ? $clog2(Depth) : 1
) (
  input  logic                          clk_i,
  input  logic                          rst_ni,
  // Write: row m at byte m*N
  input  logic                          wr_en_i,
  input  logic [AddrWidth-1:0]          wr_addr_i,
  input  logic [    M*N*8-1:0]          wr_data_i,
  // Read
  input  logic                          rd_en_i,
  input  logic [AddrWidth-1:0]          rd_addr_i,
  output logic [        M-1:0][N*8-1:0] w_o
);

  `FLEX_ASSERT_INIT(HasRows, M >= 1)
  `FLEX_ASSERT_INIT(DepthPowerOfTwo, Depth > 1 && (Depth & (Depth - 1)) == 0)
  `FLEX_ASSERT_INIT(LatencyIsTwo, flex_pkg::WeightReadLatency == 2)

  // Element m is the read as row m sees it.
  logic [M-1:0] en;
  logic [M-1:0][AddrWidth-1:0] addr;

  assign en[0]   = rd_en_i;
  assign addr[0] = rd_addr_i;

  for (genvar m = 0; m < M; m++) begin : gen_row
    if (m > 0) begin : gen_hop
      always_ff @(posedge clk_i) begin
        if (!rst_ni) en[m] <= 1'b0;
        else en[m] <= en[m-1];
      end
      always_ff @(posedge clk_i) addr[m] <= addr[m-1];
    end

    flex_ram_sdp #(
      .Width(N * 8),
      .Depth(Depth)
    ) u_ram (
      .clk_i,
      .wr_en_i  (wr_en_i),
      .wr_addr_i(wr_addr_i),
      .wr_data_i(wr_data_i[m*N*8+:N*8]),
      .rd_en_i  (en[m]),
      .rd_addr_i(addr[m]),
      .rd_data_o(w_o[m])
    );
  end

endmodule
