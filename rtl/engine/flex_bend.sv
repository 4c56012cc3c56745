// SPDX-License-Identifier: Apache-2.0
//
// Requantises sums with two slopes (PReLU behind an addition) on their way into the output buffer:
//   y = clamp(round_half_even((sum * mult + bias) / 2^shift) + zero_point, low, high)
// with numbers of the tile's (`bend_t`) for sums above the channel's limit, and those of the
// channel's second record up to it. Other bytes pass unchanged through the same lanes.
//
// The second records stand in a RAM of its own, written with the parameter ring and read at the
// place that flex_requantize names. Latency flex_pkg::BendLatency, one write per cycle, free
// running. Two multipliers of 27x18 a byte.

`include "flex_assert.svh"

module flex_bend
  import flex_pkg::*;
  import flex_program_pkg::*;
#(
  // Pixels of a write: banks of the output buffer.
  parameter  int unsigned P              = 4,
  // Channels of a write.
  parameter  int unsigned Q              = 2,
  // Enables of a write.
  parameter  int unsigned Lanes          = 4,
  // Address bits of the output buffer.
  parameter  int unsigned OutAddrWidth   = 10,
  // Words of the parameter ring.
  parameter  int unsigned ParamDepth     = 32,
  // Cycles by which the bend and the parameters' place come ahead of their write.
  parameter  int unsigned Ahead          = SumLatency,
  // Multipliers of the part take 18x18 bits, see flex_product.
  parameter  bit          SplitProducts  = 1'b0,
  // Derived
  localparam int unsigned ParamAddrWidth = (ParamDepth > 1) ? $clog2(ParamDepth) : 1
) (
  input  logic                                 clk_i,
  input  logic                                 rst_ni,
  // Second records, written with the parameter ring
  input  logic                                 param_wr_en_i,
  input  logic   [ParamAddrWidth-1:0]          param_wr_addr_i,
  input  logic   [             Q-1:0][  127:0] param_wr_data_i,
  // What becomes of the writes that come `Ahead` cycles later
  input  bend_t                                bend_i,
  input  logic   [ParamAddrWidth-1:0]          param_i,
  // Writes, and the cycle after the last one of a half
  input  logic   [         Lanes-1:0]          wr_en_i,
  input  logic   [  OutAddrWidth-1:0]          wr_addr_i,
  input  logic   [             P-1:0][Q*8-1:0] wr_data_i,
  input  table_t                               wr_table_i,
  input  logic                                 group_full_i,
  // Output buffer
  output logic   [         Lanes-1:0]          wr_en_o,
  output logic   [  OutAddrWidth-1:0]          wr_addr_o,
  output logic   [             P-1:0][Q*8-1:0] wr_data_o,
  output table_t                               wr_table_o,
  output logic                                 group_full_o
);

  localparam int unsigned RamLatency = 2;
  localparam int unsigned LaneLatency = 11;
  localparam int unsigned AccBits = 27;
  localparam int unsigned StoredWidth = 25 + 6 + AccBits + 48;

  `FLEX_ASSERT_INIT(LatencyAsPublished, BendLatency == RamLatency + LaneLatency)

  ////////////////////
  // Second records //
  ////////////////////

  bend_t bend, bend2;
  logic [ParamAddrWidth-1:0] param;
  logic valid, valid2;
  logic [P-1:0][Q*8-1:0] data2;
  logic [Q-1:0][StoredWidth-1:0] stored, record;

  assign valid = wr_en_i != '0;

  flex_delay #(
    .Width ($bits(bend_t) + ParamAddrWidth),
    .Cycles(Ahead)
  ) u_ahead (
    .clk_i,
    .rst_ni,
    .data_i({bend_i, param_i}),
    .data_o({bend, param})
  );

  flex_ram_sdp #(
    .Width(Q * StoredWidth),
    .Depth(ParamDepth)
  ) u_records (
    .clk_i,
    .wr_en_i  (param_wr_en_i),
    .wr_addr_i(param_wr_addr_i),
    .wr_data_i(stored),
    .rd_en_i  (valid && bend.enable),
    .rd_addr_i(param),
    .rd_data_o(record)
  );

  flex_delay #(
    .Width (1),
    .Cycles(RamLatency),
    .Reset (1'b1)
  ) u_valid (
    .clk_i,
    .rst_ni,
    .data_i(valid),
    .data_o(valid2)
  );

  flex_delay #(
    .Width ($bits(bend_t) + P * Q * 8),
    .Cycles(RamLatency)
  ) u_data (
    .clk_i,
    .rst_ni,
    .data_i({bend, wr_data_i}),
    .data_o({bend2, data2})
  );

  ///////////
  // Lanes //
  ///////////

  // What passes is one times itself.
  logic [23:0] mult;
  logic [5:0] shift;
  logic signed [47:0] bias;
  logic signed [7:0] zero_point, low, high;
  logic [Q-1:0] lane_valid;

  assign mult       = bend2.enable ? bend2.mult : 24'd1;
  assign shift      = bend2.enable ? bend2.shift : '0;
  assign bias       = bend2.enable ? bend2.bias : '0;
  assign zero_point = bend2.enable ? bend2.zero_point : '0;
  assign low        = bend2.enable ? bend2.low : -8'sd128;
  assign high       = bend2.enable ? bend2.high : 8'sd127;

  for (genvar q = 0; q < Q; q++) begin : gen_lane

    slope_t slope;
    logic signed [AccBits-1:0] last;
    logic signed [24:0] below_mult;
    logic [5:0] below_shift;
    logic signed [47:0] below_bias;
    logic [P-1:0][AccBits-1:0] acc;
    logic [P-1:0][7:0] bent;

    assign slope     = param_wr_data_i[q];
    assign stored[q] = {slope.mult, slope.shift, slope.last, slope.bias};

    logic unused_slope;
    assign unused_slope = ^{slope.unused_0, slope.unused_1};

    // No byte lies as low as the limit of what passes.
    always_comb begin
      {below_mult, below_shift, last, below_bias} = record[q];
      if (!bend2.enable) last = {1'b1, {(AccBits - 1) {1'b0}}};
    end

    for (genvar p = 0; p < P; p++) begin : gen_pixel
      assign acc[p]               = AccBits'(signed'(data2[p][q*8+:8]));
      assign wr_data_o[p][q*8+:8] = bent[p];
    end

    flex_requantize_lane #(
      .Pixels       (P),
      .Slopes       (1'b1),
      .SplitProducts(SplitProducts)
    ) u_lane (
      .clk_i,
      .rst_ni,
      .valid_i      (valid2),
      .acc_i        (acc),
      .mult_i       (mult),
      .shift_i      (shift),
      .bias_i       (bias),
      .below_last_i (last),
      .below_mult_i (below_mult),
      .below_shift_i(below_shift),
      .below_bias_i (below_bias),
      .zero_point_i (zero_point),
      .low_i        (low),
      .high_i       (high),
      .valid_o      (lane_valid[q]),
      .data_o       (bent)
    );

  end

  ////////////
  // Writes //
  ////////////

  flex_delay #(
    .Width (Lanes + 1),
    .Cycles(BendLatency),
    .Reset (1'b1)
  ) u_wr_en (
    .clk_i,
    .rst_ni,
    .data_i({wr_en_i, group_full_i}),
    .data_o({wr_en_o, group_full_o})
  );

  flex_delay #(
    .Width (OutAddrWidth + $bits(table_t)),
    .Cycles(BendLatency)
  ) u_wr_addr (
    .clk_i,
    .rst_ni,
    .data_i({wr_addr_i, wr_table_i}),
    .data_o({wr_addr_o, wr_table_o})
  );

  // Bytes and addresses meet.
  `FLEX_ASSERT(LanesInStep, lane_valid == {Q{|wr_en_o}})

endmodule
