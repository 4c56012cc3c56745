// SPDX-License-Identifier: Apache-2.0
//
// Requantises one output channel of `Pixels` pixels:
//   y = clamp(round_half_even((acc * mult + bias) / 2^shift) + zero_point, low, high), exactly.
//
// With `Slopes` a second set of mult, bias and shift serves the accumulators up to `below_last_i`;
// a multiplier of that set may be negative.
//
// Latency 10 cycles, 11 with slopes; one accumulator per pixel and cycle, free running. Two
// multipliers of 27x18 per pixel: bits 16:0 of the multiplier, then the rest; the bias is split at
// the same place, so that on a DSP48E2 the second sum takes the first shifted by 17 through the
// cascade. Registers move only with valid data.

`include "flex_assert.svh"

module flex_requantize_lane #(
  // Pixels that share the parameters.
  parameter int unsigned Pixels = 4,
  // There is a second set of parameters.
  parameter bit          Slopes = 1'b0
) (
  input  logic                           clk_i,
  input  logic                           rst_ni,
  input  logic                           valid_i,
  // Accumulators, signed
  input  logic        [Pixels-1:0][26:0] acc_i,
  // Parameters of the channel
  input  logic        [      23:0]       mult_i,
  input  logic        [       5:0]       shift_i,
  input  logic signed [      47:0]       bias_i,
  // Those of accumulators up to below_last_i; not read without slopes
  input  logic signed [      26:0]       below_last_i,
  input  logic signed [      24:0]       below_mult_i,
  input  logic        [       5:0]       below_shift_i,
  input  logic signed [      47:0]       below_bias_i,
  input  logic signed [       7:0]       zero_point_i,
  input  logic signed [       7:0]       low_i,
  input  logic signed [       7:0]       high_i,
  // Bytes
  output logic                           valid_o,
  output logic        [Pixels-1:0][ 7:0] data_o
);

  `FLEX_ASSERT_INIT(PixelsNonZero, Pixels > 0)

  // Parameters go with the accumulators: one set for all pixels, or with slopes one for each.
  localparam int unsigned Sets = Slopes ? Pixels : 1;
  localparam int unsigned SelectCycles = Slopes ? 1 : 0;

  logic valid;
  logic [Pixels-1:0][26:0] acc;
  logic [Sets-1:0][24:0] mult;
  logic [Sets-1:0][5:0] shift;
  logic [Sets-1:0][47:0] bias;

  if (Slopes) begin : gen_slopes

    logic valid_in_q;
    logic [Pixels-1:0][26:0] acc_in_q;
    logic [Pixels-1:0] below_q;
    logic [23:0] mult_q;
    logic [24:0] below_mult_q;
    logic [5:0] shift_q, below_shift_q;
    logic [47:0] bias_q, below_bias_q;

    always_ff @(posedge clk_i) begin
      if (!rst_ni) valid_in_q <= 1'b0;
      else valid_in_q <= valid_i;
    end

    always_ff @(posedge clk_i) begin
      if (valid_i) begin
        acc_in_q      <= acc_i;
        mult_q        <= mult_i;
        shift_q       <= shift_i;
        bias_q        <= bias_i;
        below_mult_q  <= below_mult_i;
        below_shift_q <= below_shift_i;
        below_bias_q  <= below_bias_i;
      end
    end

    assign valid = valid_in_q;
    assign acc   = acc_in_q;

    for (genvar p = 0; p < Pixels; p++) begin : gen_select
      always_ff @(posedge clk_i) begin
        if (valid_i) below_q[p] <= signed'(acc_i[p]) <= below_last_i;
      end
      assign mult[p]  = below_q[p] ? below_mult_q : {1'b0, mult_q};
      assign shift[p] = below_q[p] ? below_shift_q : shift_q;
      assign bias[p]  = below_q[p] ? below_bias_q : bias_q;
    end

  end else begin : gen_plain

    assign valid = valid_i;
    assign acc   = acc_i;
    assign mult  = {1'b0, mult_i};
    assign shift = shift_i;
    assign bias  = bias_i;

    logic unused_below;
    assign unused_below = ^{below_last_i, below_mult_i, below_shift_i, below_bias_i};

  end

  // valid_q[k] holds k + 1 cycles after valid; registers of stage k are named *<k>_q.
  localparam int unsigned Stages = 10;
  logic [Stages-1:0] valid_q;

  assign valid_o = valid_q[Stages-1];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[Stages-2:0], valid};
  end

  ////////////////
  // Parameters //
  ////////////////

  logic [Sets-1:0][16:0] mult_low0_q;
  logic [Sets-1:0][7:0] mult_high0_q, mult_high1_q;  // signed
  logic [Sets-1:0][47:0] bias0_q, bias1_q;
  logic [Sets-1:0][30:0] bias_high2_q;  // signed
  logic [Sets-1:0][5:0] shift0_q, shift1_q, shift2_q, shift3_q;
  logic [Sets-1:0][3:0] shift4_q;
  logic [Sets-1:0][1:0] shift5_q;
  logic signed [7:0] zero_point7, low8, high8;

  for (genvar s = 0; s < Sets; s++) begin : gen_set
    always_ff @(posedge clk_i) begin
      if (valid) begin
        mult_low0_q[s]  <= mult[s][16:0];
        mult_high0_q[s] <= mult[s][24:17];
        bias0_q[s]      <= bias[s];
        shift0_q[s]     <= shift[s];
      end
      if (valid_q[0]) begin
        mult_high1_q[s] <= mult_high0_q[s];
        bias1_q[s]      <= bias0_q[s];
        shift1_q[s]     <= shift0_q[s];
      end
      if (valid_q[1]) begin
        bias_high2_q[s] <= bias1_q[s][47:17];
        shift2_q[s]     <= shift1_q[s];
      end
      if (valid_q[2]) shift3_q[s] <= shift2_q[s];
      if (valid_q[3]) shift4_q[s] <= shift3_q[s][3:0];
      if (valid_q[4]) shift5_q[s] <= shift4_q[s][1:0];
    end
  end

  flex_delay #(
    .Width (8),
    .Cycles(8 + SelectCycles)
  ) u_zero_point (
    .clk_i,
    .rst_ni,
    .data_i(zero_point_i),
    .data_o(zero_point7)
  );

  flex_delay #(
    .Width (16),
    .Cycles(9 + SelectCycles)
  ) u_limits (
    .clk_i,
    .rst_ni,
    .data_i({low_i, high_i}),
    .data_o({low8, high8})
  );

  ////////////
  // Pixels //
  ////////////

  for (genvar p = 0; p < Pixels; p++) begin : gen_pixel

    localparam int unsigned S = Slopes ? p : 0;

    // Product and bias: |acc| <= 2^26 and |mult| < 2^24, so that the total fits 52 bits.
    logic signed [26:0] acc0_q, acc1_q;
    logic signed [43:0] product_low1_q, sum_low2_q;
    logic signed [34:0] product_high2_q;
    logic signed [34:0] sum_high3_q;
    logic [16:0] low3_q;
    logic signed [51:0] total;

    assign total = {sum_high3_q, low3_q};

    always_ff @(posedge clk_i) begin
      if (valid) acc0_q <= acc[p];
      if (valid_q[0]) begin
        product_low1_q <= acc0_q * signed'({1'b0, mult_low0_q[S]});
        acc1_q         <= acc0_q;
      end
      if (valid_q[1]) begin
        sum_low2_q      <= product_low1_q + 44'(signed'({1'b0, bias1_q[S][16:0]}));
        product_high2_q <= acc1_q * signed'(mult_high1_q[S]);
      end
      if (valid_q[2]) begin
        sum_high3_q <= product_high2_q + 35'(signed'(bias_high2_q[S])) + 35'(sum_low2_q >>> 17);
        low3_q      <= sum_low2_q[16:0];
      end
    end

    // Shift by multiples of 16. Of the bits shifted out the highest is the guard (worth a half),
    // the rest together are sticky (whether more than nothing remains).
    logic signed [51:0] coarse4_q;
    logic [2:0] half4_q, rest4_q;
    logic [1:0] steps4_q;

    always_ff @(posedge clk_i) begin
      if (valid_q[3]) begin
        coarse4_q <= total >>> {shift3_q[S][5:4], 4'd0};
        half4_q   <= {total[47], total[31], total[15]};
        rest4_q   <= {|total[46:32], |total[30:16], |total[14:0]};
        steps4_q  <= shift3_q[S][5:4];
      end
    end

    // Shift by multiples of 4. What does not fit 26 bits now stays outside the 10 bits that
    // decide the result, however far it is shifted yet (at most 15).
    logic guard4, sticky4;
    logic signed [26:0] wide4;  // value, guard
    logic lost4;
    logic over5_q, sign5_q, sticky5_q;
    logic signed [26:0] wide5_q;

    always_comb begin
      guard4  = 1'b0;
      sticky4 = 1'b0;
      unique case (steps4_q)
        2'd0: ;
        2'd1: {guard4, sticky4} = {half4_q[0], rest4_q[0]};
        2'd2: {guard4, sticky4} = {half4_q[1], |{rest4_q[1:0], half4_q[0]}};
        2'd3: {guard4, sticky4} = {half4_q[2], |{rest4_q[2:0], half4_q[1:0]}};
      endcase
      wide4 = {coarse4_q[25:0], guard4};
      lost4 = 1'b0;
      unique case (shift4_q[S][3:2])
        2'd0: ;
        2'd1: lost4 = |wide4[3:0];
        2'd2: lost4 = |wide4[7:0];
        2'd3: lost4 = |wide4[11:0];
      endcase
    end

    always_ff @(posedge clk_i) begin
      if (valid_q[4]) begin
        over5_q   <= !(&coarse4_q[51:25]) && |coarse4_q[51:25];
        sign5_q   <= coarse4_q[51];
        wide5_q   <= wide4 >>> {shift4_q[S][3:2], 2'd0};
        sticky5_q <= sticky4 || lost4;
      end
    end

    // Shift by 0 to 3.
    logic lost5;
    logic over6_q, sign6_q, sticky6_q;
    logic signed [26:0] wide6_q;

    always_comb begin
      lost5 = 1'b0;
      unique case (shift5_q[S])
        2'd0: ;
        2'd1: lost5 = wide5_q[0];
        2'd2: lost5 = |wide5_q[1:0];
        2'd3: lost5 = |wide5_q[2:0];
      endcase
    end

    always_ff @(posedge clk_i) begin
      if (valid_q[5]) begin
        over6_q   <= over5_q;
        sign6_q   <= sign5_q;
        wide6_q   <= wide5_q >>> shift5_q[S];
        sticky6_q <= sticky5_q || lost5;
      end
    end

    // Round half to even; beyond 10 bits any value gives the same byte.
    logic over6, round6;
    logic signed [10:0] rounded7_q;
    logic signed [11:0] offset8_q;
    logic [7:0] data9_q;

    assign over6     = over6_q || (!(&wide6_q[26:10]) && |wide6_q[26:10]);
    assign round6    = wide6_q[0] && (sticky6_q || wide6_q[1]);
    assign data_o[p] = data9_q;

    always_ff @(posedge clk_i) begin
      if (valid_q[6]) begin
        if (over6) rounded7_q <= sign6_q ? -11'sd512 : 11'sd511;
        else rounded7_q <= 11'(signed'(wide6_q[10:1])) + signed'({10'd0, round6});
      end
      if (valid_q[7]) offset8_q <= rounded7_q + 12'(zero_point7);
      if (valid_q[8]) begin
        if (offset8_q < 12'(low8)) data9_q <= low8;
        else if (offset8_q > 12'(high8)) data9_q <= high8;
        else data9_q <= offset8_q[7:0];
      end
    end

  end

  // The limits are in order.
  `FLEX_ASSERT(LimitsInOrder, valid_i |-> low_i <= high_i)

endmodule
