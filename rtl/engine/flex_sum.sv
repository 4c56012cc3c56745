// SPDX-License-Identifier: Apache-2.0
//
// Sums the requantiser's bytes with those of a second tensor on their way into the output buffer:
//   y = clamp(round_half_even((byte * mult + skip * skip_mult + bias) / 2^shift) + zero_point, low, high).
//
// The skip buffer holds the second tensor word for word where the output buffer is to have the sum,
// so that the address of a write is also that of its operands. A write of `wr_en_i` lanes takes the
// bytes of the lowest of them. Bytes without a sum pass unchanged: see flex_pkg::SumNone.
// Latency 14 cycles, one write per cycle, free running. Two multipliers of 27x18 a byte, in cascade.

`include "flex_assert.svh"

module flex_sum
  import flex_pkg::*;
#(
  // Pixels of a write: banks of the buffers.
  parameter  int unsigned P             = 4,
  // Bytes of a buffer word.
  parameter  int unsigned N             = 8,
  // Channels of a write; divides N.
  parameter  int unsigned Q             = 2,
  // Address bits of both buffers; the highest one is the half.
  parameter  int unsigned OutAddrWidth  = 10,
  // Multipliers of the part take 18x18 bits, see flex_product.
  parameter  bit          SplitProducts = 1'b0,
  // Derived
  localparam int unsigned Lanes         = N / Q
) (
  input  logic                             clk_i,
  input  logic                             rst_ni,
  // Writes of the requantiser, and the cycle after the last write of a half
  input  logic [       Lanes-1:0]          wr_en_i,
  input  logic [OutAddrWidth-1:0]          wr_addr_i,
  input  logic [           P-1:0][Q*8-1:0] wr_data_i,
  input  sum_t                             wr_sum_i,
  input  logic                             group_full_i,
  // Skip buffer: data come flex_pkg::ColumnReadLatency cycles later; a half has been read
  output logic                             rd_en_o,
  output logic [OutAddrWidth-1:0]          rd_addr_o,
  input  logic [           P-1:0][N*8-1:0] rd_data_i,
  output logic                             skip_freed_o,
  // Output buffer
  output logic [       Lanes-1:0]          wr_en_o,
  output logic [OutAddrWidth-1:0]          wr_addr_o,
  output logic [           P-1:0][Q*8-1:0] wr_data_o,
  output logic                             group_full_o
);

  `FLEX_ASSERT_INIT(LanesDivide, Q > 0 && N % Q == 0)
  `FLEX_ASSERT_INIT(LatencyAsPublished,
                    SumLatency == ColumnReadLatency + ProductStages + RoundStages)

  localparam int unsigned ProductStages = 4;
  localparam int unsigned RoundStages = 6;
  localparam int unsigned Values = P * Q;

  ///////////
  // Reads //
  ///////////

  assign rd_en_o   = wr_en_i != '0 && wr_sum_i.enable;
  assign rd_addr_o = {wr_sum_i.half, wr_addr_i[OutAddrWidth-2:0]};

  // The half of the writes before this cycle has been read.
  logic summed_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) summed_q <= 1'b0;
    else if (wr_en_i != '0) summed_q <= wr_sum_i.enable;
  end

  flex_delay #(
    .Width (1),
    .Cycles(ColumnReadLatency),
    .Reset (1'b1)
  ) u_freed (
    .clk_i,
    .rst_ni,
    .data_i(group_full_i && summed_q),
    .data_o(skip_freed_o)
  );

  // What waits for the data.
  sum_t sum;
  logic valid;
  logic [Lanes-1:0] lane;  // one-hot
  logic [Values-1:0][7:0] first;

  flex_delay #(
    .Width (1),
    .Cycles(ColumnReadLatency),
    .Reset (1'b1)
  ) u_valid (
    .clk_i,
    .rst_ni,
    .data_i(wr_en_i != '0),
    .data_o(valid)
  );

  flex_delay #(
    .Width ($bits(sum_t) + Lanes + Values * 8),
    .Cycles(ColumnReadLatency)
  ) u_operands (
    .clk_i,
    .rst_ni,
    .data_i({wr_sum_i, wr_en_i & ~(wr_en_i - 1'b1), wr_data_i}),
    .data_o({sum, lane, first})
  );

  //////////////
  // Products //
  //////////////

  logic [ProductStages-1:0] valid_q;
  logic signed [24:0] mult0_q, mult1_q, skip_mult0_q;
  logic signed [33:0] bias0_q, bias1_q;
  logic [Values-1:0][34:0] total;
  logic [5:0] shift3;
  logic signed [7:0] zero_point3, low3, high3;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[ProductStages-2:0], valid};
  end

  always_ff @(posedge clk_i) begin
    if (valid) begin
      mult0_q      <= sum.mult;
      skip_mult0_q <= sum.skip_mult;
      bias0_q      <= sum.bias;
    end
    if (valid_q[0]) begin
      mult1_q <= mult0_q;
      bias1_q <= bias0_q;
    end
  end

  flex_delay #(
    .Width (30),
    .Cycles(ProductStages)
  ) u_rounding (
    .clk_i,
    .rst_ni,
    .data_i({sum.shift, sum.zero_point, sum.low, sum.high}),
    .data_o({shift3, zero_point3, low3, high3})
  );

  for (genvar p = 0; p < P; p++) begin : gen_pixel
    logic [Lanes-1:0][Q*8-1:0] word;
    logic [Q*8-1:0] skip;

    assign word = rd_data_i[p];

    always_comb begin
      skip = '0;
      for (int unsigned l = 0; l < Lanes; l++) begin
        if (lane[l]) skip |= word[l];
      end
    end

    for (genvar q = 0; q < Q; q++) begin : gen_value
      localparam int unsigned Value = p * Q + q;

      // |bytes| <= 2^7, |multipliers| <= 2^24, |bias| <= 2^33: the total fits 35 bits.
      logic signed [7:0] first0_q, first1_q, skip0_q;
      logic [1:0][32:0] skip_product1, product2;  // parts of products
      logic signed [34:0] skip_sum2_q, total3_q;

      assign total[Value] = total3_q;

      flex_product #(
        .A    (25),
        .B    (8),
        .Split(SplitProducts)
      ) u_skip (
        .clk_i,
        .en_i  (valid_q[0]),
        .a_i   (skip_mult0_q),
        .b_i   (skip0_q),
        .part_o(skip_product1)
      );

      flex_product #(
        .A    (25),
        .B    (8),
        .Split(SplitProducts)
      ) u_first (
        .clk_i,
        .en_i  (valid_q[1]),
        .a_i   (mult1_q),
        .b_i   (first1_q),
        .part_o(product2)
      );

      always_ff @(posedge clk_i) begin
        if (valid) begin
          first0_q <= first[Value];
          skip0_q  <= skip[q*8+:8];
        end
        if (valid_q[0]) first1_q <= first0_q;
        if (valid_q[1]) begin
          skip_sum2_q <= 35'(signed'(skip_product1[0])) + 35'(signed'(skip_product1[1])) +
              35'(bias1_q);
        end
        if (valid_q[2]) begin
          total3_q <= 35'(signed'(product2[0])) + 35'(signed'(product2[1])) + skip_sum2_q;
        end
      end
    end
  end

  logic out_valid;

  flex_round #(
    .Values(Values),
    .Width (35)
  ) u_round (
    .clk_i,
    .rst_ni,
    .valid_i     (valid_q[ProductStages-1]),
    .total_i     (total),
    .shift_i     (shift3),
    .zero_point_i(zero_point3),
    .low_i       (low3),
    .high_i      (high3),
    .valid_o     (out_valid),
    .data_o      (wr_data_o)
  );

  ////////////
  // Writes //
  ////////////

  flex_delay #(
    .Width (Lanes + 1),
    .Cycles(SumLatency),
    .Reset (1'b1)
  ) u_wr_en (
    .clk_i,
    .rst_ni,
    .data_i({wr_en_i, group_full_i}),
    .data_o({wr_en_o, group_full_o})
  );

  flex_delay #(
    .Width (OutAddrWidth),
    .Cycles(SumLatency)
  ) u_wr_addr (
    .clk_i,
    .rst_ni,
    .data_i(wr_addr_i),
    .data_o(wr_addr_o)
  );

  logic unused_half;
  assign unused_half = ^{sum.half, sum.bend};

  // Bytes and addresses meet.
  `FLEX_ASSERT(BytesInStep, out_valid == (wr_en_o != '0))
  // Bytes that are no summand are not changed.
  `FLEX_ASSERT(NoneIsNone, valid && !sum.enable |-> sum.mult == 25'sd1 && sum.skip_mult == '0)

endmodule
