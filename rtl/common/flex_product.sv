// SPDX-License-Identifier: Apache-2.0
//
// Product of two signed factors, registered as the sum of two parts.
//
// With Split bits 16:0 of the first factor have a product of their own, and those above: for parts
// whose multipliers take 18x18 bits, so that no sum stands between a multiplier and its register.
// Otherwise part 0 is the product and part 1 is 0. Latency 1 cycle; registers move only with `en_i`.

`include "flex_assert.svh"

module flex_product #(
  // Bits of the first factor, up to 27; 18 or more with Split.
  parameter int unsigned A     = 27,
  // Bits of the second factor, up to 18.
  parameter int unsigned B     = 18,
  parameter bit          Split = 1'b0
) (
  input  logic                         clk_i,
  input  logic                         en_i,
  input  logic signed [A-1:0]          a_i,
  input  logic signed [B-1:0]          b_i,
  // Signed; their sum is the product
  output logic        [  1:0][A+B-1:0] part_o
);

  `FLEX_ASSERT_INIT(FactorsFit, A <= 27 && B <= 18 && (!Split || A >= 18))

  if (Split) begin : gen_split
    logic signed [  18+B-1:0] low_q;
    logic signed [A-17+B-1:0] high_q;
    always_ff @(posedge clk_i) begin
      if (en_i) begin
        low_q  <= signed'({1'b0, a_i[16:0]}) * b_i;
        high_q <= signed'(a_i[A-1:17]) * b_i;
      end
    end
    assign part_o = {high_q, 17'd0, (A + B)'(low_q)};
  end else begin : gen_whole
    logic signed [A+B-1:0] product_q;
    always_ff @(posedge clk_i) begin
      if (en_i) product_q <= a_i * b_i;
    end
    assign part_o = {(A + B)'(0), product_q};
  end

endmodule
