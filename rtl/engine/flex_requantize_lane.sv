// SPDX-License-Identifier: Apache-2.0
//
// Requantises one output channel of `Pixels` pixels:
//   y = clamp(round_half_even((acc * mult + bias) / 2^shift) + zero_point, low, high), exactly.
//
// With `Slopes` a second set of mult, bias and shift serves the accumulators up to `below_last_i`;
// a multiplier of that set may be negative. `Wide` lanes take accumulators of 38 bits and biases of
// 60, and put out up to 16 bits.
//
// Latency 10 cycles, 11 with slopes; one accumulator per pixel and cycle, free running. Two
// multipliers of 27x18 per pixel: bits 16:0 of the multiplier, then the rest; the bias is split at
// the same place, so that on a DSP48E2 the second sum takes the first shifted by 17 through the
// cascade. A wide lane has a third one for what an accumulator has above 26 bits.
// Registers move only with valid data.

`include "flex_assert.svh"

module flex_requantize_lane #(
  // Pixels that share the parameters.
  parameter  int unsigned Pixels        = 4,
  // There is a second set of parameters.
  parameter  bit          Slopes        = 1'b0,
  // Accumulators and outputs of 16-bit activations.
  parameter  bit          Wide          = 1'b0,
  // Multipliers of the part take 18x18 bits, see flex_product.
  parameter  bit          SplitProducts = 1'b0,
  // Derived
  localparam int unsigned AccBits       = Wide ? 38 : 27,
  localparam int unsigned BiasBits      = Wide ? 60 : 48,
  localparam int unsigned DataBits      = Wide ? 16 : 8
) (
  input  logic                                     clk_i,
  input  logic                                     rst_ni,
  input  logic                                     valid_i,
  // Accumulators, signed
  input  logic        [  Pixels-1:0][ AccBits-1:0] acc_i,
  // Parameters of the channel
  input  logic        [        23:0]               mult_i,
  input  logic        [         5:0]               shift_i,
  input  logic signed [BiasBits-1:0]               bias_i,
  // Those of accumulators up to below_last_i; not read without slopes
  input  logic signed [ AccBits-1:0]               below_last_i,
  input  logic signed [        24:0]               below_mult_i,
  input  logic        [         5:0]               below_shift_i,
  input  logic signed [BiasBits-1:0]               below_bias_i,
  input  logic signed [DataBits-1:0]               zero_point_i,
  input  logic signed [DataBits-1:0]               low_i,
  input  logic signed [DataBits-1:0]               high_i,
  // Outputs
  output logic                                     valid_o,
  output logic        [  Pixels-1:0][DataBits-1:0] data_o
);

  `FLEX_ASSERT_INIT(PixelsNonZero, Pixels > 0)

  // Bits of acc * mult + bias; of what is added above its lowest 17; of a result that decides the
  // output whatever zero point and limits are; of what is kept when 15 bits are yet to be shifted.
  localparam int unsigned TotalBits = Wide ? 64 : 52;
  localparam int unsigned HighBits = TotalBits - 17;
  localparam int unsigned ResultBits = DataBits + 2;
  localparam int unsigned KeepBits = ResultBits + 16;

  // Parameters go with the accumulators: one set for all pixels, or with slopes one for each.
  localparam int unsigned Sets = Slopes ? Pixels : 1;
  localparam int unsigned SelectCycles = Slopes ? 1 : 0;

  logic valid;
  logic [Pixels-1:0][AccBits-1:0] acc;
  logic [Sets-1:0][24:0] mult;
  logic [Sets-1:0][5:0] shift;
  logic [Sets-1:0][BiasBits-1:0] bias;

  if (Slopes) begin : gen_slopes

    logic valid_in_q;
    logic [Pixels-1:0][AccBits-1:0] acc_in_q;
    logic [Pixels-1:0] below_q;
    logic [23:0] mult_q;
    logic [24:0] below_mult_q;
    logic [5:0] shift_q, below_shift_q;
    logic [BiasBits-1:0] bias_q, below_bias_q;

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
  logic [Sets-1:0][BiasBits-1:0] bias0_q, bias1_q;
  logic [Sets-1:0][5:0] shift0_q, shift1_q, shift2_q, shift3_q;
  logic [Sets-1:0][3:0] shift4_q;
  logic [Sets-1:0][1:0] shift5_q;
  logic signed [DataBits-1:0] zero_point7, low8, high8;

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
        shift2_q[s] <= shift1_q[s];
      end
      if (valid_q[2]) shift3_q[s] <= shift2_q[s];
      if (valid_q[3]) shift4_q[s] <= shift3_q[s][3:0];
      if (valid_q[4]) shift5_q[s] <= shift4_q[s][1:0];
    end
  end

  flex_delay #(
    .Width (DataBits),
    .Cycles(8 + SelectCycles)
  ) u_zero_point (
    .clk_i,
    .rst_ni,
    .data_i(zero_point_i),
    .data_o(zero_point7)
  );

  flex_delay #(
    .Width (2 * DataBits),
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

    // Product and bias: |acc| <= 2^26 (or 2^37) and |mult| < 2^24, so that the total fits.
    logic signed [AccBits-1:0] acc0_q;
    logic signed [26:0] low0, low1_q;  // the accumulator, or its 26 lowest bits
    logic signed [HighBits-1:0] addend2_q;
    logic [1:0][44:0] low1;  // parts of products
    logic [1:0][34:0] high2;
    logic signed [43:0] sum_low2_q;
    logic signed [HighBits-1:0] sum_high3_q;
    logic [16:0] low3_q;
    logic signed [TotalBits-1:0] total;

    assign total = {sum_high3_q, low3_q};

    if (Wide) begin : gen_wide
      // What the accumulator has above, times 2^26.
      localparam int unsigned TopBits = AccBits - 26;
      logic [1:0][25+TopBits-1:0] top1;
      assign low0 = {1'b0, acc0_q[25:0]};
      flex_product #(
        .A    (25),
        .B    (TopBits),
        .Split(SplitProducts)
      ) u_top (
        .clk_i,
        .en_i  (valid_q[0]),
        .a_i   (signed'({mult_high0_q[S], mult_low0_q[S]})),
        .b_i   (signed'(acc0_q[AccBits-1:26])),
        .part_o(top1)
      );
      always_ff @(posedge clk_i) begin
        if (valid_q[1]) begin
          addend2_q <= HighBits'(signed'(bias1_q[S][BiasBits-1:17])) +
              (HighBits'(signed'(top1[0])) <<< 9) + (HighBits'(signed'(top1[1])) <<< 9);
        end
      end
    end else begin : gen_narrow
      assign low0 = acc0_q[26:0];
      always_ff @(posedge clk_i) begin
        if (valid_q[1]) addend2_q <= HighBits'(signed'(bias1_q[S][BiasBits-1:17]));
      end
    end

    flex_product #(
      .A    (27),
      .B    (18),
      .Split(SplitProducts)
    ) u_low (
      .clk_i,
      .en_i  (valid_q[0]),
      .a_i   (low0),
      .b_i   (signed'({1'b0, mult_low0_q[S]})),
      .part_o(low1)
    );

    flex_product #(
      .A    (27),
      .B    (8),
      .Split(SplitProducts)
    ) u_high (
      .clk_i,
      .en_i  (valid_q[1]),
      .a_i   (low1_q),
      .b_i   (signed'(mult_high1_q[S])),
      .part_o(high2)
    );

    always_ff @(posedge clk_i) begin
      if (valid) acc0_q <= acc[p];
      if (valid_q[0]) low1_q <= low0;
      if (valid_q[1]) begin
        sum_low2_q <= 44'(signed'(low1[0])) + 44'(signed'(low1[1])) +
            44'(signed'({1'b0, bias1_q[S][16:0]}));
      end
      if (valid_q[2]) begin
        sum_high3_q <= HighBits'(signed'(high2[0])) + HighBits'(signed'(high2[1])) + addend2_q +
            HighBits'(sum_low2_q >>> 17);
        low3_q <= sum_low2_q[16:0];
      end
    end

    // Shift by multiples of 16. Of the bits shifted out the highest is the guard (worth a half),
    // the rest together are sticky (whether more than nothing remains).
    logic signed [TotalBits-1:0] coarse4_q;
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

    // Shift by multiples of 4. What does not fit KeepBits now stays outside the ResultBits that
    // decide the output, however far it is shifted yet (at most 15).
    logic guard4, sticky4;
    logic signed [KeepBits:0] wide4;  // value, guard
    logic lost4;
    logic over5_q, sign5_q, sticky5_q;
    logic signed [KeepBits:0] wide5_q;

    always_comb begin
      guard4  = 1'b0;
      sticky4 = 1'b0;
      unique case (steps4_q)
        2'd0: ;
        2'd1: {guard4, sticky4} = {half4_q[0], rest4_q[0]};
        2'd2: {guard4, sticky4} = {half4_q[1], |{rest4_q[1:0], half4_q[0]}};
        2'd3: {guard4, sticky4} = {half4_q[2], |{rest4_q[2:0], half4_q[1:0]}};
      endcase
      wide4 = {coarse4_q[KeepBits-1:0], guard4};
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
        over5_q   <= !(&coarse4_q[TotalBits-1:KeepBits-1]) && |coarse4_q[TotalBits-1:KeepBits-1];
        sign5_q   <= coarse4_q[TotalBits-1];
        wide5_q   <= wide4 >>> {shift4_q[S][3:2], 2'd0};
        sticky5_q <= sticky4 || lost4;
      end
    end

    // Shift by 0 to 3.
    logic lost5;
    logic over6_q, sign6_q, sticky6_q;
    logic signed [KeepBits:0] wide6_q;

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

    // Round half to even; beyond ResultBits any value gives the same output.
    logic over6, round6;
    logic signed [ResultBits:0] rounded7_q;
    logic signed [ResultBits+1:0] offset8_q;
    logic [DataBits-1:0] data9_q;

    assign over6 = over6_q || (!(&wide6_q[KeepBits:ResultBits]) && |wide6_q[KeepBits:ResultBits]);
    assign round6 = wide6_q[0] && (sticky6_q || wide6_q[1]);
    assign data_o[p] = data9_q;

    always_ff @(posedge clk_i) begin
      if (valid_q[6]) begin
        if (over6) rounded7_q <= {{2{sign6_q}}, {(ResultBits - 1) {!sign6_q}}};
        else begin
          rounded7_q <= (ResultBits + 1)'(signed'(wide6_q[ResultBits:1])) +
              signed'({{ResultBits{1'b0}}, round6});
        end
      end
      if (valid_q[7]) offset8_q <= (ResultBits + 2)'(rounded7_q) + (ResultBits + 2)'(zero_point7);
      if (valid_q[8]) begin
        if (offset8_q < (ResultBits + 2)'(low8)) data9_q <= low8;
        else if (offset8_q > (ResultBits + 2)'(high8)) data9_q <= high8;
        else data9_q <= offset8_q[DataBits-1:0];
      end
    end

  end

  // The limits are in order.
  `FLEX_ASSERT(LimitsInOrder, valid_i |-> low_i <= high_i)

endmodule
