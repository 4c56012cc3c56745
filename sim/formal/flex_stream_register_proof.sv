// SPDX-License-Identifier: Apache-2.0
//
// What `flex_stream_register` promises, whatever its two sides do: words leave in order and
// unchanged, none is lost or doubled, an offer stays, one word enters and leaves per cycle.

module flex_stream_register_proof #(
  parameter int unsigned Width = 2
) (
  input logic             clk_i,
  // Anything at any time
  input logic [Width-1:0] in_data_i,
  input logic             in_valid_i,
  input logic             out_ready_i
);

  logic rst_ni;
  initial rst_ni = 1'b0;
  always_ff @(posedge clk_i) rst_ni <= 1'b1;

  logic in_ready, out_valid, push, pop;
  logic [Width-1:0] out_data;

  assign push = in_valid_i && in_ready;
  assign pop  = out_valid && out_ready_i;

  flex_stream_register #(
    .Width(Width)
  ) u_dut (
    .clk_i,
    .rst_ni,
    .in_data_i,
    .in_valid_i,
    .in_ready_o (in_ready),
    .out_data_o (out_data),
    .out_valid_o(out_valid),
    .out_ready_i
  );

  // The words inside, as a queue of two.
  logic [1:0] level_q;
  logic [Width-1:0] first_q, second_q;
  logic held_q;

  always_ff @(posedge clk_i) begin
    held_q <= rst_ni && out_valid && !out_ready_i;
    if (!rst_ni) begin
      level_q <= '0;
    end else begin
      level_q <= level_q + 2'(push) - 2'(pop);
      if (pop) first_q <= (level_q == 2'd1) ? in_data_i : second_q;
      else if (level_q == 2'd0) first_q <= in_data_i;
      if (level_q == 2'd1) second_q <= in_data_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (out_valid == (level_q != 2'd0));
      assert (in_ready == (level_q != 2'd2));
      if (out_valid) assert (out_data == first_q);
      if (level_q == 2'd2) assert (u_dut.skid_q == second_q);
      if (held_q) assert (out_valid);
      assert (level_q <= 2'd2);
    end
  end

endmodule
