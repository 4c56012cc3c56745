// SPDX-License-Identifier: Apache-2.0
//
// Divides by a power of two, rounds and clamps:
//   y = clamp(round_half_even(total / 2^shift) + zero_point, low, high), exactly.
//
// Latency 6 cycles, one total per value and cycle, free running. Registers move only with valid data.

`include "flex_assert.svh"

module flex_round #(
  // Values that share the parameters.
  parameter int unsigned Values = 4,
  // Bits of a total, 27..64.
  parameter int unsigned Width  = 35
) (
  input  logic                                clk_i,
  input  logic                                rst_ni,
  input  logic                                valid_i,
  // Totals, signed
  input  logic        [Values-1:0][Width-1:0] total_i,
  // Parameters
  input  logic        [       5:0]            shift_i,
  input  logic signed [       7:0]            zero_point_i,
  input  logic signed [       7:0]            low_i,
  input  logic signed [       7:0]            high_i,
  // Bytes
  output logic                                valid_o,
  output logic        [Values-1:0][      7:0] data_o
);

  `FLEX_ASSERT_INIT(ValuesNonZero, Values > 0)
  `FLEX_ASSERT_INIT(WidthInRange, Width >= 27 && Width <= 64)

  // valid_q[k] holds k + 1 cycles after valid_i; registers of stage k are named *<k>_q.
  localparam int unsigned Stages = 6;
  logic [Stages-1:0] valid_q;

  assign valid_o = valid_q[Stages-1];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[Stages-2:0], valid_i};
  end

  logic [1:0] steps0_q;
  logic [3:0] shift0_q;
  logic [1:0] shift1_q;
  logic signed [7:0] zero_point3, low4, high4;

  always_ff @(posedge clk_i) begin
    if (valid_i) {steps0_q, shift0_q} <= shift_i;
    if (valid_q[0]) shift1_q <= shift0_q[1:0];
  end

  flex_delay #(
    .Width (8),
    .Cycles(4)
  ) u_zero_point (
    .clk_i,
    .rst_ni,
    .data_i(zero_point_i),
    .data_o(zero_point3)
  );

  flex_delay #(
    .Width (16),
    .Cycles(5)
  ) u_limits (
    .clk_i,
    .rst_ni,
    .data_i({low_i, high_i}),
    .data_o({low4, high4})
  );

  for (genvar v = 0; v < Values; v++) begin : gen_value

    // Shift by multiples of 16. Of the bits shifted out the highest is the guard (worth a half),
    // the rest together are sticky (whether more than nothing remains).
    logic signed [63:0] total;
    logic signed [63:0] coarse0_q;
    logic [2:0] half0_q, rest0_q;

    assign total = 64'(signed'(total_i[v]));

    always_ff @(posedge clk_i) begin
      if (valid_i) begin
        coarse0_q <= total >>> {shift_i[5:4], 4'd0};
        half0_q   <= {total[47], total[31], total[15]};
        rest0_q   <= {|total[46:32], |total[30:16], |total[14:0]};
      end
    end

    // Shift by multiples of 4. What does not fit 26 bits now stays outside the 10 bits that
    // decide the result, however far it is shifted yet (at most 15).
    logic guard0, sticky0, lost0;
    logic signed [26:0] wide0;  // value, guard
    logic over1_q, sign1_q, sticky1_q;
    logic signed [26:0] wide1_q;

    always_comb begin
      guard0  = 1'b0;
      sticky0 = 1'b0;
      unique case (steps0_q)
        2'd0: ;
        2'd1: {guard0, sticky0} = {half0_q[0], rest0_q[0]};
        2'd2: {guard0, sticky0} = {half0_q[1], |{rest0_q[1:0], half0_q[0]}};
        2'd3: {guard0, sticky0} = {half0_q[2], |{rest0_q[2:0], half0_q[1:0]}};
      endcase
      wide0 = {coarse0_q[25:0], guard0};
      lost0 = 1'b0;
      unique case (shift0_q[3:2])
        2'd0: ;
        2'd1: lost0 = |wide0[3:0];
        2'd2: lost0 = |wide0[7:0];
        2'd3: lost0 = |wide0[11:0];
      endcase
    end

    always_ff @(posedge clk_i) begin
      if (valid_q[0]) begin
        over1_q   <= !(&coarse0_q[63:25]) && |coarse0_q[63:25];
        sign1_q   <= coarse0_q[63];
        wide1_q   <= wide0 >>> {shift0_q[3:2], 2'd0};
        sticky1_q <= sticky0 || lost0;
      end
    end

    // Shift by 0 to 3.
    logic lost1;
    logic over2_q, sign2_q, sticky2_q;
    logic signed [26:0] wide2_q;

    always_comb begin
      lost1 = 1'b0;
      unique case (shift1_q)
        2'd0: ;
        2'd1: lost1 = wide1_q[0];
        2'd2: lost1 = |wide1_q[1:0];
        2'd3: lost1 = |wide1_q[2:0];
      endcase
    end

    always_ff @(posedge clk_i) begin
      if (valid_q[1]) begin
        over2_q   <= over1_q;
        sign2_q   <= sign1_q;
        wide2_q   <= wide1_q >>> shift1_q;
        sticky2_q <= sticky1_q || lost1;
      end
    end

    // Round half to even; beyond 10 bits any value gives the same byte.
    logic over2, round2;
    logic signed [10:0] rounded3_q;
    logic signed [11:0] offset4_q;
    logic [7:0] data5_q;

    assign over2     = over2_q || (!(&wide2_q[26:10]) && |wide2_q[26:10]);
    assign round2    = wide2_q[0] && (sticky2_q || wide2_q[1]);
    assign data_o[v] = data5_q;

    always_ff @(posedge clk_i) begin
      if (valid_q[2]) begin
        if (over2) rounded3_q <= sign2_q ? -11'sd512 : 11'sd511;
        else rounded3_q <= 11'(signed'(wide2_q[10:1])) + signed'({10'd0, round2});
      end
      if (valid_q[3]) offset4_q <= rounded3_q + 12'(zero_point3);
      if (valid_q[4]) begin
        if (offset4_q < 12'(low4)) data5_q <= low4;
        else if (offset4_q > 12'(high4)) data5_q <= high4;
        else data5_q <= offset4_q[7:0];
      end
    end

  end

  // The limits are in order.
  `FLEX_ASSERT(LimitsInOrder, valid_i |-> low_i <= high_i)

endmodule
