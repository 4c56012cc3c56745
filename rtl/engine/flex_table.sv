// SPDX-License-Identifier: Apache-2.0
//
// Looks bytes up in a table of 256 entries on their way into the output buffer, or lets them pass.
//
// P*Q lanes, each with two halves of RAM: tiles on their way use one table while the next one is
// loaded. A table is 32 words of eight entries, the entry of -128 first; it goes to the half that
// the latest table is not in, as soon as no tile needs the table that is there. A tile uses the
// latest table of when it is announced.
// Latency 3 cycles, free running. A word of a table takes 8 cycles.

`include "flex_assert.svh"

module flex_table
  import flex_pkg::*;
#(
  // Pixels of a write.
  parameter int unsigned P            = 4,
  // Channels of a write.
  parameter int unsigned Q            = 2,
  // Write enables.
  parameter int unsigned Lanes        = 4,
  // Address bits of the output buffer.
  parameter int unsigned OutAddrWidth = 10
) (
  input  logic                               clk_i,
  input  logic                               rst_ni,
  // Tables
  input  logic   [            63:0]          word_data_i,
  input  logic                               word_valid_i,
  output logic                               word_ready_o,
  // A tile is announced; the half of the latest table
  input  logic                               tile_i,
  output logic                               half_o,
  // Writes, all banks alike
  input  logic   [       Lanes-1:0]          wr_en_i,
  input  logic   [OutAddrWidth-1:0]          wr_addr_i,
  input  logic   [           P-1:0][Q*8-1:0] wr_data_i,
  input  table_t                             wr_table_i,
  input  logic                               group_full_i,
  output logic   [       Lanes-1:0]          wr_en_o,
  output logic   [OutAddrWidth-1:0]          wr_addr_o,
  output logic   [           P-1:0][Q*8-1:0] wr_data_o,
  output logic                               group_full_o
);

  localparam int unsigned RamLatency = 2;
  localparam int unsigned TileWidth = 16;

  /////////////
  // Loading //
  /////////////

  // Tiles announced and not done that use the latest table and the one before.
  logic [TileWidth-1:0] new_tiles_q, old_tiles_q;
  logic half_q;
  logic [7:0] entry_q;  // next entry to be written
  logic first, take;
  logic tile_done_q, done_new, done_old;

  assign half_o       = half_q;
  assign first        = entry_q == '0;
  // The last byte of a word leaves with it; the first word waits for the older half.
  assign take         = word_valid_i && !(first && old_tiles_q != '0);
  assign word_ready_o = take && entry_q[2:0] == '1;
  assign done_old     = tile_done_q && old_tiles_q != '0;
  assign done_new     = tile_done_q && old_tiles_q == '0;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      entry_q     <= '0;
      half_q      <= 1'b0;
      new_tiles_q <= '0;
      old_tiles_q <= '0;
      tile_done_q <= 1'b0;
    end else begin
      tile_done_q <= |wr_en_i && wr_table_i.last;
      if (take) entry_q <= entry_q + 1'b1;
      if (take && first) begin
        half_q      <= !half_q;
        new_tiles_q <= '0;
        old_tiles_q <= new_tiles_q - TileWidth'(done_new);
      end else begin
        new_tiles_q <= new_tiles_q + TileWidth'(tile_i) - TileWidth'(done_new);
        old_tiles_q <= old_tiles_q - TileWidth'(done_old);
      end
    end
  end

  logic ram_wr_en_q;
  logic [8:0] ram_wr_addr_q;
  logic [7:0] ram_wr_data_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) ram_wr_en_q <= 1'b0;
    else ram_wr_en_q <= take;
  end

  always_ff @(posedge clk_i) begin
    ram_wr_addr_q <= {first ? !half_q : half_q, entry_q};
    ram_wr_data_q <= word_data_i[8*entry_q[2:0]+:8];
  end

  /////////////
  // Look-up //
  /////////////

  logic look_up, enable2;
  logic [P-1:0][Q*8-1:0] passed2, found2, data_q;

  assign look_up   = |wr_en_i && wr_table_i.enable;
  assign wr_data_o = data_q;

  for (genvar p = 0; p < P; p++) begin : gen_pixel
    for (genvar q = 0; q < Q; q++) begin : gen_lane
      flex_ram_sdp #(
        .Width(8),
        .Depth(512)
      ) u_table (
        .clk_i,
        .wr_en_i  (ram_wr_en_q),
        .wr_addr_i(ram_wr_addr_q),
        .wr_data_i(ram_wr_data_q),
        .rd_en_i  (look_up),
        // Entries count from -128.
        .rd_addr_i({wr_table_i.half, !wr_data_i[p][q*8+7], wr_data_i[p][q*8+:7]}),
        .rd_data_o(found2[p][q*8+:8])
      );
    end
  end

  flex_delay #(
    .Width (P * Q * 8 + 1),
    .Cycles(RamLatency)
  ) u_passed (
    .clk_i,
    .rst_ni,
    .data_i({wr_data_i, wr_table_i.enable}),
    .data_o({passed2, enable2})
  );

  always_ff @(posedge clk_i) begin
    data_q <= enable2 ? found2 : passed2;
  end

  flex_delay #(
    .Width (Lanes + 1),
    .Cycles(RamLatency + 1),
    .Reset (1'b1)
  ) u_enables (
    .clk_i,
    .rst_ni,
    .data_i({wr_en_i, group_full_i}),
    .data_o({wr_en_o, group_full_o})
  );

  flex_delay #(
    .Width (OutAddrWidth),
    .Cycles(RamLatency + 1)
  ) u_address (
    .clk_i,
    .rst_ni,
    .data_i(wr_addr_i),
    .data_o(wr_addr_o)
  );

  // A word offered stays put until it is taken.
  `FLEX_ASSERT(WordStable, word_valid_i && !word_ready_o |=> word_valid_i && $stable(word_data_i))
  // Tables come whole before the tiles that use them.
  `FLEX_ASSERT(TableBeforeTile, tile_i |-> first && !word_valid_i)
  // Only tiles that were announced come, each from the half that is its table's.
  `FLEX_ASSERT(TileAnnounced, tile_done_q |-> new_tiles_q != '0 || old_tiles_q != '0)
  `FLEX_ASSERT(HalfInUse,
               look_up && !tile_done_q |-> wr_table_i.half == (half_q ^ (old_tiles_q != '0)))
  // No table is looked up while it is loaded.
  `FLEX_ASSERT(TableWhole, look_up && ram_wr_en_q |-> wr_table_i.half != ram_wr_addr_q[8])

endmodule
