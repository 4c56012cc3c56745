// SPDX-License-Identifier: Apache-2.0
//
// A bank of on-chip memory: in every cycle one of several readers and one of several writers are served, round robin.
//
// The chosen word goes to registers, then to the RAM; data come four cycles after the grant, registered on both sides.
// A read granted after a write to the same word finds what was written; in the same cycle, either.

`include "flex_assert.svh"

module flex_on_chip_bank #(
  // Bytes of a word.
  parameter  int unsigned DataBytes = 64,
  // Words.
  parameter  int unsigned Words     = 4096,
  parameter  int unsigned Readers   = 2,
  parameter  int unsigned Writers   = 1,
  // Derived
  localparam int unsigned AddrWidth = (Words > 1) ? $clog2(Words) : 1
) (
  input  logic                                    clk_i,
  input  logic                                    rst_ni,
  // Reads
  input  logic [    Readers-1:0][  AddrWidth-1:0] read_addr_i,
  input  logic [    Readers-1:0]                  read_valid_i,
  output logic [    Readers-1:0]                  read_grant_o,
  output logic [DataBytes*8-1:0]                  read_data_o,
  // Writes
  input  logic [    Writers-1:0][  AddrWidth-1:0] write_addr_i,
  input  logic [    Writers-1:0][DataBytes*8-1:0] write_data_i,
  input  logic [    Writers-1:0][  DataBytes-1:0] write_strb_i,
  input  logic [    Writers-1:0]                  write_valid_i,
  output logic [    Writers-1:0]                  write_grant_o
);

  `FLEX_ASSERT_INIT(PortsNonZero, Readers >= 1 && Writers >= 1)
  `FLEX_ASSERT_INIT(WordsNonZero, Words >= 1)

  // `above` marks those that come before the one served last gets its next turn.
  logic [Readers-1:0] read_above_q, read_later, read_waiting;
  logic [Writers-1:0] write_above_q, write_later, write_waiting;

  // The lowest that waits above the last one, else the lowest of all.
  assign read_later    = read_valid_i & read_above_q;
  assign read_waiting  = (read_later != '0) ? read_later : read_valid_i;
  assign read_grant_o  = read_waiting & (~read_waiting + 1'b1);
  assign write_later   = write_valid_i & write_above_q;
  assign write_waiting = (write_later != '0) ? write_later : write_valid_i;
  assign write_grant_o = write_waiting & (~write_waiting + 1'b1);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      read_above_q  <= '0;
      write_above_q <= '0;
    end else begin
      if (read_valid_i != '0) read_above_q <= ~(read_grant_o | (read_grant_o - 1'b1));
      if (write_valid_i != '0) write_above_q <= ~(write_grant_o | (write_grant_o - 1'b1));
    end
  end

  //////////////////////
  // Chosen requests //
  //////////////////////

  logic [AddrWidth-1:0] read_addr_d, read_addr_q, write_addr_d, write_addr_q;
  logic [DataBytes*8-1:0] write_data_d, write_data_q;
  logic [DataBytes-1:0] write_strb_d, write_strb_q;
  logic read_q;

  always_comb begin
    read_addr_d = '0;
    for (int unsigned r = 0; r < Readers; r++) begin
      if (read_grant_o[r]) read_addr_d = read_addr_i[r];
    end
  end

  always_comb begin
    write_addr_d = '0;
    write_data_d = '0;
    write_strb_d = '0;
    for (int unsigned w = 0; w < Writers; w++) begin
      if (write_grant_o[w]) begin
        write_addr_d = write_addr_i[w];
        write_data_d = write_data_i[w];
        write_strb_d = write_strb_i[w];
      end
    end
  end

  always_ff @(posedge clk_i) begin
    read_q       <= read_valid_i != '0;
    read_addr_q  <= read_addr_d;
    write_addr_q <= write_addr_d;
    write_data_q <= write_data_d;
    write_strb_q <= write_strb_d;
  end

  /////////
  // RAM //
  /////////

  // Nobody counts on what a read of a word finds that is being written.
  (* ram_style = "ultra", no_rw_check *)
  logic [DataBytes*8-1:0] mem[Words];
  logic [DataBytes*8-1:0] ram_q, out_q, data_q;

  always_ff @(posedge clk_i) begin
    for (int unsigned b = 0; b < DataBytes; b++) begin
      if (write_strb_q[b]) mem[write_addr_q][b*8+:8] <= write_data_q[b*8+:8];
    end
  end

  // Cascaded RAMs take up both registers behind them.
  always_ff @(posedge clk_i) begin
    if (read_q) ram_q <= mem[read_addr_q];
    out_q  <= ram_q;
    data_q <= out_q;
  end

  assign read_data_o = data_q;

  // At most one is served on either side, and only one that asks.
  `FLEX_ASSERT(ReadGrant, $onehot0(read_grant_o) && (read_grant_o & ~read_valid_i) == '0)
  `FLEX_ASSERT(WriteGrant, $onehot0(write_grant_o) && (write_grant_o & ~write_valid_i) == '0)
  // A bank with work serves someone.
  `FLEX_ASSERT(ReadsGoOn, read_valid_i != '0 |-> read_grant_o != '0)
  `FLEX_ASSERT(WritesGoOn, write_valid_i != '0 |-> write_grant_o != '0)
  // Words lie in the bank.
  `FLEX_ASSERT(ReadInRange, read_q |-> 32'(read_addr_q) < Words)
  `FLEX_ASSERT(WriteInRange, write_strb_q != '0 |-> 32'(write_addr_q) < Words)

endmodule
