// SPDX-License-Identifier: Apache-2.0
//
// What `flex_stream_fifo` promises, whatever its two sides do: words leave in order and unchanged,
// none is lost or doubled, the level counts them, an offer stays, a word is offered in time.

module flex_stream_fifo_proof #(
  parameter  int unsigned Width      = 2,
  parameter  int unsigned Depth      = 4,
  // Derived
  localparam int unsigned LevelWidth = $clog2(Depth + 1)
) (
  input logic             clk_i,
  // Anything at any time
  input logic [Width-1:0] in_data_i,
  input logic             in_valid_i,
  input logic             out_ready_i,
  input logic             watch_i
);

  // As the module has them.
  localparam int unsigned LutDepth = 64;
  localparam int unsigned OutDepth = (Depth > LutDepth) ? 4 : Depth;

  logic rst_ni;
  initial rst_ni = 1'b0;
  always_ff @(posedge clk_i) rst_ni <= 1'b1;

  logic in_ready, out_valid, push, pop;
  logic [Width-1:0] out_data;
  logic [LevelWidth-1:0] level;

  assign push = in_valid_i && in_ready;
  assign pop  = out_valid && out_ready_i;

  flex_stream_fifo #(
    .Width(Width),
    .Depth(Depth)
  ) u_dut (
    .clk_i,
    .rst_ni,
    .in_data_i,
    .in_valid_i,
    .in_ready_o (in_ready),
    .out_data_o (out_data),
    .out_valid_o(out_valid),
    .out_ready_i,
    .level_o    (level)
  );

  // Any one word is watched from its entry on; `ahead` words leave before it.
  logic watching_q;
  logic [LevelWidth-1:0] ahead_q;
  logic [Width-1:0] word_q;
  // What was offered in the cycle before and not taken; cycles without an offer while words are there.
  logic held_q;
  logic [Width-1:0] held_data_q;
  logic [2:0] idle_q;

  always_ff @(posedge clk_i) begin
    held_q      <= rst_ni && out_valid && !out_ready_i;
    held_data_q <= out_data;
    idle_q      <= (rst_ni && level != '0 && !out_valid) ? idle_q + 1'b1 : '0;
    if (!rst_ni) begin
      watching_q <= 1'b0;
    end else if (!watching_q) begin
      watching_q <= push && watch_i;
      ahead_q    <= level - LevelWidth'(pop);
      word_q     <= in_data_i;
    end else if (pop) begin
      watching_q <= ahead_q != '0;
      ahead_q    <= ahead_q - 1'b1;
    end
  end

  ///////////
  // Claim //
  ///////////

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      if (watching_q && ahead_q == '0 && out_valid) assert (out_data == word_q);
      if (watching_q) assert (ahead_q < level);
      assert (32'(level) <= Depth);
      assert (in_ready == (32'(level) != Depth));
      if (out_valid) assert (level != '0);
      if (held_q) assert (out_valid && out_data == held_data_q);
      assert (32'(idle_q) <= ((Depth > LutDepth) ? 3 : 0));
    end
  end

  ///////////////////////////////////////////
  // Invariants that make the claim induct //
  ///////////////////////////////////////////

  function automatic int unsigned wrap(int unsigned address, int unsigned depth);
    return (address >= depth) ? address - depth : address;
  endfunction

  int unsigned rd_addr, wr_addr, out_level;
  assign rd_addr   = 32'(u_dut.out_rd_addr_q);
  assign wr_addr   = 32'(u_dut.out_wr_addr_q);
  assign out_level = 32'(u_dut.out_level_q);

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (rd_addr < OutDepth && wr_addr < OutDepth && out_level <= OutDepth);
      assert (wrap(rd_addr + out_level, OutDepth) == wr_addr || out_level == OutDepth);
      assert (out_level != OutDepth || rd_addr == wr_addr);
      assert (out_valid == (out_level != 0));
      if (watching_q && 32'(ahead_q) < out_level)
        assert (u_dut.out_mem[wrap(rd_addr+32'(ahead_q), OutDepth)] == word_q);
    end
  end

  if (Depth <= LutDepth) begin : gen_lut

    always_ff @(posedge clk_i) begin
      if (rst_ni) assert (32'(level) == out_level);
    end

  end else begin : gen_ram

    // Words on their way out of the RAM: [1] is the older one.
    logic [1:0] coming;
    int unsigned ram_rd, ram_wr, stored, ahead, read, behind;
    assign coming = u_dut.gen_ram.u_read.gen_shift.shift_q;
    assign ram_rd = 32'(u_dut.gen_ram.rd_addr_q);
    assign ram_wr = 32'(u_dut.gen_ram.wr_addr_q);
    assign stored = 32'(u_dut.gen_ram.stored_q);
    assign ahead  = 32'(u_dut.gen_ram.ahead_q);
    assign read   = out_level + 32'(coming[0]) + 32'(coming[1]);
    assign behind = 32'(ahead_q);

    always_ff @(posedge clk_i) begin
      if (rst_ni) begin
        assert (ram_rd < Depth && ram_wr < Depth && stored <= Depth && ahead <= OutDepth);
        assert (ahead == read && stored + ahead == 32'(level));
        assert (wrap(ram_rd + stored, Depth) == ram_wr);
        if (watching_q && behind >= out_level && behind < ahead) begin
          if (behind == out_level && coming[1])
            assert (u_dut.gen_ram.u_ram.out_q == word_q);
            else assert (u_dut.gen_ram.u_ram.ram_q == word_q);
        end
        if (watching_q && behind >= ahead)
          assert (u_dut.gen_ram.u_ram.mem[wrap(ram_rd+behind-ahead, Depth)] == word_q);
      end
    end

  end

endmodule
