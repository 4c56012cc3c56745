// SPDX-License-Identifier: Apache-2.0
//
// Column-interleaved buffer: column c of an image row stands in bank c mod P, so that P adjacent
// columns can be read at once, whatever the first one is.
//
// A read names a word and the bank of the first column: column p comes from bank (p + rotation) mod
// P, from the next word (modulo Depth) when that wraps. Latency flex_pkg::ColumnReadLatency, one
// read per cycle; data stay until those of the next read. Every bank has its own write port.
//
// A read sees the writes of its own cycle and of earlier ones. A word that is written in the cycle
// after its read comes out undefined, which is allowed: columns beyond those that the reader uses may
// lie in a half that is being filled. It is the user's duty that the others do not.

`include "flex_assert.svh"

module flex_column_buffer
  import flex_pkg::*;
#(
  // Banks: columns per read.
  parameter  int unsigned P             = 8,
  // Bytes of a word.
  parameter  int unsigned N             = 8,
  // Words of a bank; a power of two.
  parameter  int unsigned Depth         = 1024,
  // Bytes under one write enable; divides N.
  parameter  int unsigned LaneBytes     = N,
  // Derived
  localparam int unsigned AddrWidth     = $clog2(Depth),
  localparam int unsigned RotationWidth = (P > 1) ? $clog2(P) : 1
) (
  input  logic                                      clk_i,
  input  logic                                      rst_ni,
  // Writes, per bank
  input  logic [            P-1:0][N/LaneBytes-1:0] wr_en_i,
  input  logic [            P-1:0][  AddrWidth-1:0] wr_addr_i,
  input  logic [            P-1:0][        N*8-1:0] wr_data_i,
  // Read
  input  logic                                      rd_en_i,
  input  logic [    AddrWidth-1:0]                  rd_addr_i,
  input  logic [RotationWidth-1:0]                  rd_rotation_i,
  output logic [            P-1:0][        N*8-1:0] rd_data_o
);

  `FLEX_ASSERT_INIT(BanksNonZero, P > 0)
  `FLEX_ASSERT_INIT(DepthPowerOfTwo, Depth > 1 && (Depth & (Depth - 1)) == 0)
  `FLEX_ASSERT_INIT(LanesDivide, LaneBytes > 0 && N % LaneBytes == 0)

  // Cycles from the read to the data of the RAMs: address register, RAM, RAM output.
  localparam int unsigned BankLatency = 3;

  `FLEX_ASSERT_INIT(LatencyAsPublished, ColumnReadLatency == BankLatency + 1)

  ///////////
  // Banks //
  ///////////

  logic rd_en_q;
  logic [P-1:0][N*8-1:0] bank_data;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) rd_en_q <= 1'b0;
    else rd_en_q <= rd_en_i;
  end

  for (genvar b = 0; b < P; b++) begin : gen_bank
    logic [AddrWidth-1:0] rd_addr_q;

    // Banks below the first column's serve columns that have wrapped.
    always_ff @(posedge clk_i) begin
      if (rd_en_i) rd_addr_q <= rd_addr_i + AddrWidth'(32'(rd_rotation_i) > b);
    end

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
      .rd_addr_i(rd_addr_q),
      .rd_data_o(bank_data[b])
    );
  end

  /////////////
  // Rotator //
  /////////////

  logic rotate_en;
  logic [RotationWidth-1:0] rotation;
  logic [P-1:0][N*8-1:0] rd_data_q;

  flex_delay #(
    .Width (1),
    .Cycles(BankLatency),
    .Reset (1'b1)
  ) u_rotate_en (
    .clk_i,
    .rst_ni,
    .data_i(rd_en_i),
    .data_o(rotate_en)
  );

  flex_delay #(
    .Width (RotationWidth),
    .Cycles(BankLatency),
    .Reset (1'b0)
  ) u_rotation (
    .clk_i,
    .rst_ni,
    .data_i(rd_rotation_i),
    .data_o(rotation)
  );

  // Bit s of the rotation moves all columns by 2^s, modulo P.
  for (genvar s = 0; s < RotationWidth; s++) begin : gen_stage
    localparam int unsigned Step = 2 ** s;

    logic [P-1:0][N*8-1:0] data_in, data;

    if (s == 0) begin : gen_first
      assign data_in = bank_data;
    end else begin : gen_next
      assign data_in = gen_stage[s-1].data;
    end

    if (Step < P) begin : gen_rotate
      assign data = rotation[s] ? {data_in[Step-1:0], data_in[P-1:Step]} : data_in;
    end else begin : gen_one
      assign data = data_in;

      logic unused_rotation;
      assign unused_rotation = rotation[s];
    end
  end

  always_ff @(posedge clk_i) begin
    if (rotate_en) rd_data_q <= gen_stage[RotationWidth-1].data;
  end

  assign rd_data_o = rd_data_q;

  // A rotation names a bank.
  `FLEX_ASSERT(RotationInRange, rd_en_i |-> 32'(rd_rotation_i) < P)

endmodule
