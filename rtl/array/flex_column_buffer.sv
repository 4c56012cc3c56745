// SPDX-License-Identifier: Apache-2.0
//
// Column-interleaved buffer: P banks of N-byte words, read P adjacent pixels at a time from any bank on.
//
// A read of word `addr` with rotation r puts bank (p + r) mod P at output p: word addr where p + r < P, else
// the next one. Throughput: one write per bank and one read per cycle. Latency: flex_pkg::ColumnReadLatency cycles
// (address, RAM, RAM output, rotator).

`include "flex_assert.svh"

module flex_column_buffer #(
  // Banks.
  parameter  int unsigned P             = 8,
  // Bytes of a word.
  parameter  int unsigned N             = 8,
  // Words per bank; a power of two.
  parameter  int unsigned Depth         = 2048,
  // Bytes under one write enable; divides N.
  parameter  int unsigned LaneBytes     = N,
  // Derived
  localparam int unsigned AddrWidth     = (Depth > 1) ? $clog2(Depth) : 1,
  localparam int unsigned RotationWidth = (P > 1) ? $clog2(P) : 1
) (
  input  logic                                      clk_i,
  input  logic                                      rst_ni,
  // Writes, bank by bank
  input  logic [            P-1:0][N/LaneBytes-1:0] wr_en_i,
  input  logic [            P-1:0][  AddrWidth-1:0] wr_addr_i,
  input  logic [            P-1:0][        N*8-1:0] wr_data_i,
  // Reads of all banks
  input  logic                                      rd_en_i,
  input  logic [    AddrWidth-1:0]                  rd_addr_i,
  input  logic [RotationWidth-1:0]                  rd_rotation_i,
  output logic [            P-1:0][        N*8-1:0] rd_data_o
);

  `FLEX_ASSERT_INIT(HasBanks, P >= 1)
  `FLEX_ASSERT_INIT(DepthPowerOfTwo, Depth > 1 && (Depth & (Depth - 1)) == 0)
  `FLEX_ASSERT_INIT(LatencyIsFour, flex_pkg::ColumnReadLatency == 4)

  // Address register: banks below the rotation read the next word.
  logic rd_en_q;
  logic [P-1:0][AddrWidth-1:0] bank_addr_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) rd_en_q <= 1'b0;
    else rd_en_q <= rd_en_i;
  end

  logic [P-1:0][N*8-1:0] bank_data;

  for (genvar b = 0; b < P; b++) begin : gen_bank
    always_ff @(posedge clk_i) begin
      bank_addr_q[b] <= rd_addr_i + AddrWidth'(32'(rd_rotation_i) > b);
    end

    // Columns beyond the tile may read a word of the other half while it is written; nobody uses them.
    flex_ram_sdp #(
      .Width         (N * 8),
      .Depth         (Depth),
      .LaneWidth     (LaneBytes * 8),
      .AllowCollision(1'b1)
    ) u_ram (
      .clk_i,
      .wr_en_i  (wr_en_i[b]),
      .wr_addr_i(wr_addr_i[b]),
      .wr_data_i(wr_data_i[b]),
      .rd_en_i  (rd_en_q),
      .rd_addr_i(bank_addr_q[b]),
      .rd_data_o(bank_data[b])
    );
  end

  // The rotation travels with the read.
  logic [RotationWidth-1:0] rotation;

  flex_delay #(
    .Width (RotationWidth),
    .Cycles(3),
    .Reset (1'b0)
  ) u_rotation (
    .clk_i,
    .rst_ni,
    .data_i(rd_rotation_i),
    .data_o(rotation)
  );

  // One stage of two-way multiplexers per bit of the rotation; rotations add up modulo P.
  logic [RotationWidth:0][P-1:0][N*8-1:0] rotated;
  assign rotated[0] = bank_data;
  for (genvar s = 0; s < RotationWidth; s++) begin : gen_stage
    for (genvar p = 0; p < P; p++) begin : gen_column
      assign rotated[s+1][p] = rotation[s] ? rotated[s][(p+2**s)%P] : rotated[s][p];
    end
  end

  always_ff @(posedge clk_i) rd_data_o <= rotated[RotationWidth];

  // A rotation names a bank.
  `FLEX_ASSERT(RotationInRange, rd_en_i |-> 32'(rd_rotation_i) < P)

endmodule
