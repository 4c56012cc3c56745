// SPDX-License-Identifier: Apache-2.0
//
// What `flex_gearbox` promises, whatever its two sides do. Every byte of a word that enters leaves
// once, in order; a widened word that ends early is filled up with zeros; an offer stays.

module flex_gearbox_proof #(
  parameter int unsigned InBytes  = 4,
  parameter int unsigned OutBytes = 2
) (
  input logic                 clk_i,
  // Anything at any time
  input logic [InBytes*8-1:0] in_data_i,
  input logic                 in_last_i,
  input logic                 in_valid_i,
  input logic                 out_ready_i
);

  logic rst_ni;
  initial rst_ni = 1'b0;
  always_ff @(posedge clk_i) rst_ni <= 1'b1;

  logic in_ready, out_valid, push, pop, held_q;
  logic [OutBytes*8-1:0] out_data, held_data_q;

  assign push = in_valid_i && in_ready;
  assign pop  = out_valid && out_ready_i;

  flex_gearbox #(
    .InBytes (InBytes),
    .OutBytes(OutBytes)
  ) u_dut (
    .clk_i,
    .rst_ni,
    .in_data_i,
    .in_last_i,
    .in_valid_i,
    .in_ready_o (in_ready),
    .out_data_o (out_data),
    .out_valid_o(out_valid),
    .out_ready_i
  );

  always_ff @(posedge clk_i) begin
    held_q      <= rst_ni && out_valid && !out_ready_i;
    held_data_q <= out_data;
    if (rst_ni && held_q) assert (out_valid && out_data == held_data_q);
  end

  if (InBytes > OutBytes) begin : gen_narrow

    // Words inside: the one in work, `index` of its parts gone, and at most two behind it.
    localparam int unsigned Ratio = InBytes / OutBytes;
    logic [$clog2(Ratio)-1:0] index_q;
    logic [1:0] level_q;
    logic [2:0][InBytes*8-1:0] words_q;
    logic end_of_word;

    assign end_of_word = pop && index_q == '1;

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        index_q <= '0;
        level_q <= '0;
      end else begin
        if (pop) index_q <= index_q + 1'b1;
        level_q <= level_q + 2'(push) - 2'(end_of_word);
        if (end_of_word) words_q <= words_q >> (InBytes * 8);
        if (push) words_q[level_q-2'(end_of_word)] <= in_data_i;
      end
    end

    always_ff @(posedge clk_i) begin
      if (rst_ni) begin
        if (out_valid) begin
          assert (level_q != 2'd0);
          assert (out_data == words_q[0][index_q*OutBytes*8+:OutBytes*8]);
        end
        assert (in_ready || level_q >= 2'd2);
      end
    end

    // The words as they lie in the module.
    logic work, front, back;
    assign work  = u_dut.gen_narrow.valid_q;
    assign front = u_dut.gen_narrow.u_in.valid_q;
    assign back  = !u_dut.gen_narrow.u_in.ready_q;
    always_ff @(posedge clk_i) begin
      if (rst_ni) begin
        assert (level_q == 2'(work) + 2'(front) + 2'(back));
        assert (front || !back);
        assert (work || index_q == '0);
        assert (u_dut.gen_narrow.index_q == index_q);
        if (work)
          for (int unsigned i = 0; i < Ratio; i++)
          if (i + 32'(index_q) < Ratio)
            assert (u_dut.gen_narrow.word_q[i*OutBytes*8+:OutBytes*8] ==
                      words_q[0][(i+32'(index_q))*OutBytes*8+:OutBytes*8]);
        if (front) assert (u_dut.gen_narrow.u_in.data_q == words_q[work]);
        if (back) assert (u_dut.gen_narrow.u_in.skid_q == words_q[2'(work)+2'd1]);
      end
    end

  end else begin : gen_widen

    // The word being filled, and at most two that are complete.
    localparam int unsigned Ratio = OutBytes / InBytes;
    logic [$clog2(Ratio)-1:0] index_q;
    logic [OutBytes*8-1:0] part_q, part_d;
    logic [1:0] level_q;
    logic [1:0][OutBytes*8-1:0] words_q;
    logic complete;

    assign complete = push && (in_last_i || index_q == '1);

    always_comb begin
      part_d                               = part_q;
      part_d[index_q*InBytes*8+:InBytes*8] = in_data_i;
    end

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        index_q <= '0;
        part_q  <= '0;
        level_q <= '0;
      end else begin
        if (push) index_q <= complete ? '0 : index_q + 1'b1;
        if (push) part_q <= complete ? '0 : part_d;
        level_q <= level_q + 2'(complete) - 2'(pop);
        if (pop) words_q[0] <= words_q[1];
        if (complete) words_q[(level_q-2'(pop))!=2'd0] <= part_d;
      end
    end

    always_ff @(posedge clk_i) begin
      if (rst_ni) begin
        assert (level_q <= 2'd2 && out_valid == (level_q != 2'd0));
        if (out_valid) assert (out_data == words_q[0]);
        assert (in_ready == (level_q != 2'd2));
        // As it lies in the module.
        assert (u_dut.gen_widen.index_q == index_q);
        if (index_q != '0)
          assert (u_dut.gen_widen.word_q == part_q);
          else assert (part_q == '0);
        if (level_q == 2'd2) assert (u_dut.gen_widen.u_out.skid_q == words_q[1]);
      end
    end

  end

endmodule
