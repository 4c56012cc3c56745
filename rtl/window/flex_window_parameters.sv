// SPDX-License-Identifier: Apache-2.0
//
// Weights and requantisation of the window engine: a layer's are kept for all its channels, twice,
// so that the next layer's come while tiles of this one are under way. A bank of registers holds
// what the N channels of a plane need; it is filled for one plane while the other is in use.
//
// A plane's bank takes N + 3 cycles to fill, that of a tile without window one. `take_i` ends the
// use of a bank for new beats; it is filled again when what is under way has been through.
// Limits: a record's channels are whole planes, `Channels` at most.

`include "flex_assert.svh"

module flex_window_parameters
  import flex_program_pkg::*;
  import flex_window_pkg::*;
#(
  // Bytes of a pixel; a power of two.
  parameter int unsigned N            = 8,
  // Channels of a layer at most; a power of two, at least N.
  parameter int unsigned Channels     = 1024,
  // Channels have a second set of parameters.
  parameter bit          Slopes       = 1'b0,
  // Cycles after `take_i` in which a bank is still looked at, at least 1.
  parameter int unsigned ReleaseDelay = 10
) (
  input  logic                                  clk_i,
  input  logic                                  rst_ni,
  // Words of window records without their headers
  input  logic            [WordBits-1:0]        param_data_i,
  input  logic                                  param_valid_i,
  output logic                                  param_ready_o,
  // Pulse: a tile of the latest record is on its way to the tiles below
  input  logic                                  announce_i,
  // Half of the memory that it uses
  output logic                                  half_o,
  // Tiles
  input  logic                                  tile_window_i,
  input  logic                                  tile_half_i,
  input  logic            [        15:0]        tile_planes_i,
  input  logic                                  tile_valid_i,
  output logic                                  tile_ready_o,
  // The plane's parameters are in that bank; pulse: the plane's last beat, the tile's without window
  output logic                                  bank_o,
  output logic                                  bank_valid_o,
  input  logic                                  take_i,
  // Banks
  output window_channel_t [         1:0][N-1:0] channels_o,
  output logic            [         1:0][  7:0] pad_o,
  output logic            [         1:0][  7:0] zero_point_o,
  output logic            [         1:0][  7:0] low_o,
  output logic            [         1:0][  7:0] high_o
);

  localparam int unsigned AddrWidth = $clog2(Channels);
  localparam int unsigned ChannelWidth = Slopes ? $bits(window_channel_t) : 150;
  // Words of a channel: parameter, slope, weights.
  localparam int unsigned SlopeAt = ParameterWords;
  localparam int unsigned WeightsAt = ParameterWords + (Slopes ? SlopeWords : 0);
  localparam int unsigned ChannelWords = WeightsAt + WindowWeightsWords;
  localparam int unsigned LaneCountWidth = $clog2(N + 1);
  // Tiles of a half that are announced and not through; more than fit into the queues.
  localparam int unsigned PendingWidth = 3;

  `FLEX_ASSERT_INIT(PixelPowerOfTwo, (N & (N - 1)) == 0 && N >= 2)
  `FLEX_ASSERT_INIT(ChannelsPowerOfTwo, (Channels & (Channels - 1)) == 0 && Channels >= N)
  `FLEX_ASSERT_INIT(DelayNonZero, ReleaseDelay >= 1)

  ////////////////////////////////////////////////////////////////
  // Records
  ////////////////////////////////////////////////////////////////

  window_t window;
  logic unused_window;
  logic half_d, half_q;  // of the latest record
  logic [15:0] channels_left_d, channels_left_q;  // of the record
  logic [2:0] word_d, word_q;  // of the channel
  logic [AddrWidth-1:0] channel_q;
  logic [ChannelWords-2:0][WordBits-1:0] words_q;  // of the channel but the last
  logic [1:0][PendingWidth-1:0] pending_d, pending_q;
  logic [1:0] free_q;
  logic param_take, begins, channel_end;
  logic tile_done;
  window_t [1:0] layer_q;

  assign window = window_t'(param_data_i);
  assign unused_window = ^{
      layer_q[0].unused_0, layer_q[0].channels, layer_q[1].unused_0, layer_q[1].channels
  };
  assign param_ready_o = channels_left_q != '0 || free_q[!half_q];
  assign param_take = param_valid_i && param_ready_o;
  assign begins = param_take && channels_left_q == '0;
  assign channel_end = param_take && !begins && word_q == 3'(ChannelWords - 1);
  assign half_o = half_q;

  always_comb begin
    half_d          = half_q ^ begins;
    channels_left_d = channels_left_q - 16'(channel_end);
    word_d          = word_q + 3'(param_take);
    if (begins) channels_left_d = window.channels;
    if (begins || channel_end) word_d = '0;
    for (int unsigned h = 0; h < 2; h++) begin
      pending_d[h] = pending_q[h] + PendingWidth'(announce_i && half_q == 1'(h)) -
          PendingWidth'(tile_done && tile_half_i == 1'(h));
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      half_q          <= 1'b0;
      channels_left_q <= '0;
      word_q          <= '0;
      pending_q       <= '0;
      free_q          <= '1;
    end else begin
      half_q          <= half_d;
      channels_left_q <= channels_left_d;
      word_q          <= word_d;
      pending_q       <= pending_d;
      for (int unsigned h = 0; h < 2; h++) free_q[h] <= pending_d[h] == '0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (begins) layer_q[half_d] <= window;
    if (begins) channel_q <= '0;
    else if (channel_end) channel_q <= channel_q + 1'b1;
    for (int unsigned w = 0; w < ChannelWords - 1; w++) begin
      if (param_take && word_q == 3'(w)) words_q[w] <= param_data_i;
    end
  end

  ////////////////////////////////////////////////////////////////
  // Memory
  ////////////////////////////////////////////////////////////////

  parameter_t numbers;
  window_weights_t weights;
  slope_t below;
  logic unused_words;
  window_channel_t wr_channel, rd_channel;
  logic rd_en;
  logic [AddrWidth-1:0] rd_addr_d, rd_addr_q;
  logic [ChannelWidth-1:0] rd_data;

  assign numbers = parameter_t'(words_q[ParameterWords-1:0]);
  assign weights = window_weights_t'({param_data_i, words_q[WeightsAt]});
  assign unused_words = ^{
      numbers.unused_0,
      numbers.unused_1,
      numbers.bias[59:48],
      weights.unused_1,
      below.unused_0,
      below.unused_1,
      wr_channel
  };

  always_comb begin
    wr_channel         = '0;
    wr_channel.weights = {weights.last_weight, weights.weights};
    wr_channel.mult    = numbers.mult;
    wr_channel.shift   = numbers.shift;
    wr_channel.bias    = numbers.bias[47:0];
    rd_channel         = window_channel_t'(rd_data);
    if (Slopes) begin
      wr_channel.below_last  = below.last;
      wr_channel.below_mult  = below.mult;
      wr_channel.below_shift = below.shift;
      wr_channel.below_bias  = below.bias;
    end
  end

  if (Slopes) begin : gen_slopes
    assign below = slope_t'(words_q[SlopeAt+:SlopeWords]);
  end else begin : gen_plain
    assign below = '0;
  end

  flex_ram_sdp #(
    .Width(ChannelWidth),
    .Depth(2 * Channels)
  ) u_channels (
    .clk_i,
    .wr_en_i  (channel_end),
    .wr_addr_i({half_q, channel_q}),
    .wr_data_i(wr_channel[ChannelWidth-1:0]),
    .rd_en_i  (rd_en),
    .rd_addr_i({tile_half_i, rd_addr_q}),
    .rd_data_o(rd_data)
  );

  ////////////////////////////////////////////////////////////////
  // Filling of banks
  ////////////////////////////////////////////////////////////////

  typedef enum logic [1:0] {
    FillIdle,
    FillRead,
    FillWait
  } fill_e;

  fill_e fill_d, fill_q;
  logic fill_bank_d, fill_bank_q;  // to be filled next
  logic [LaneCountWidth-1:0] lane_d, lane_q;  // reads of the plane to come
  logic [15:0] plane_d, plane_q;  // of the tile
  logic take_data, take_last;  // from the memory
  logic pass;  // a tile without window
  logic filled;  // a bank is complete with the end of this cycle
  logic [1:0] empty_d, empty_q, valid_d, valid_q;  // of the banks
  logic use_d, use_q;  // bank in use
  logic released;
  logic release_bank_d, release_bank_q;

  assign rd_en = fill_q == FillRead;
  assign filled = pass || take_last;
  assign tile_done = take_last && plane_q == tile_planes_i - 16'd1;
  assign tile_ready_o = pass || tile_done;
  assign pass = fill_q == FillIdle && tile_valid_i && !tile_window_i && empty_q[fill_bank_q];
  assign bank_o = use_q;
  assign bank_valid_o = valid_q[use_q];

  flex_delay #(
    .Width (2),
    .Cycles(2),
    .Reset (1'b1)
  ) u_read (
    .clk_i,
    .rst_ni,
    .data_i({rd_en, rd_en && lane_q == LaneCountWidth'(1)}),
    .data_o({take_data, take_last})
  );

  flex_delay #(
    .Width (1),
    .Cycles(ReleaseDelay),
    .Reset (1'b1)
  ) u_release (
    .clk_i,
    .rst_ni,
    .data_i(take_i),
    .data_o(released)
  );

  always_comb begin
    fill_d         = fill_q;
    fill_bank_d    = fill_bank_q ^ filled;
    lane_d         = lane_q - LaneCountWidth'(rd_en);
    rd_addr_d      = rd_addr_q + AddrWidth'(rd_en);
    plane_d        = plane_q + 16'(take_last);
    empty_d        = empty_q;
    valid_d        = valid_q;
    use_d          = use_q ^ take_i;
    release_bank_d = release_bank_q ^ released;
    unique case (fill_q)
      FillIdle: begin
        lane_d = LaneCountWidth'(N);
        if (tile_valid_i && tile_window_i && empty_q[fill_bank_q]) fill_d = FillRead;
      end
      FillRead: if (lane_q == LaneCountWidth'(1)) fill_d = FillWait;
      FillWait: if (take_last) fill_d = FillIdle;
      default:  fill_d = FillIdle;
    endcase
    if (tile_done) begin
      rd_addr_d = '0;
      plane_d   = '0;
    end
    if (filled) begin
      empty_d[fill_bank_q] = 1'b0;
      valid_d[fill_bank_q] = 1'b1;
    end
    if (take_i) valid_d[use_q] = 1'b0;
    if (released) empty_d[release_bank_q] = 1'b1;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      fill_q         <= FillIdle;
      fill_bank_q    <= 1'b0;
      plane_q        <= '0;
      rd_addr_q      <= '0;
      empty_q        <= '1;
      valid_q        <= '0;
      use_q          <= 1'b0;
      release_bank_q <= 1'b0;
    end else begin
      fill_q         <= fill_d;
      fill_bank_q    <= fill_bank_d;
      plane_q        <= plane_d;
      rd_addr_q      <= rd_addr_d;
      empty_q        <= empty_d;
      valid_q        <= valid_d;
      use_q          <= use_d;
      release_bank_q <= release_bank_d;
    end
  end

  always_ff @(posedge clk_i) begin
    lane_q <= lane_d;
  end

  ////////////////////////////////////////////////////////////////
  // Banks: channels are shifted in; of a tile without window each is one times itself
  ////////////////////////////////////////////////////////////////

  window_channel_t [1:0][N-1:0] bank_q;
  logic [1:0][7:0] pad_q, zero_point_q, low_q, high_q;

  localparam window_channel_t Itself = '{
      below_last: '0,
      below_mult: 25'd1,
      below_shift: '0,
      below_bias: '0,
      weights: {8'd1, 64'd0},
      mult: 24'd1,
      shift: '0,
      bias: '0
  };

  for (genvar b = 0; b < 2; b++) begin : gen_bank
    logic chosen;
    assign chosen = fill_bank_q == 1'(b);

    always_ff @(posedge clk_i) begin
      if (pass && chosen) begin
        bank_q[b]       <= {N{Itself}};
        pad_q[b]        <= '0;
        zero_point_q[b] <= '0;
        low_q[b]        <= 8'h80;
        high_q[b]       <= 8'h7f;
      end else if (take_data && chosen) begin
        bank_q[b]       <= {rd_channel, bank_q[b][N-1:1]};
        pad_q[b]        <= layer_q[tile_half_i].pad_value;
        zero_point_q[b] <= layer_q[tile_half_i].zero_point;
        low_q[b]        <= layer_q[tile_half_i].low;
        high_q[b]       <= layer_q[tile_half_i].high;
      end
    end
  end

  assign channels_o   = bank_q;
  assign pad_o        = pad_q;
  assign zero_point_o = zero_point_q;
  assign low_o        = low_q;
  assign high_o       = high_q;

  // A record fits the memory.
  `FLEX_ASSERT(ChannelsFit, begins |-> 32'(window.channels) <= Channels)
  `FLEX_ASSERT(WholePlanes, begins |-> 32'(window.channels) % N == 0)
  // A tile comes after its record, and reads no more channels than the record has.
  logic planes_known;
  assign planes_known = tile_planes_i != '0 &&
      32'(tile_planes_i) * N <= 32'(layer_q[tile_half_i].channels);
  `FLEX_ASSERT(RecordComplete, announce_i |-> channels_left_q == '0)
  `FLEX_ASSERT(PlanesKnown, tile_valid_i && tile_window_i |-> planes_known)
  `FLEX_ASSERT(PendingInRange, !(announce_i && pending_q[half_q] == '1))
  // Only a bank that is there is used, and none is filled before it is free.
  `FLEX_ASSERT(TakenWhenValid, take_i |-> bank_valid_o)
  `FLEX_ASSERT(FilledWhenEmpty, filled |-> empty_q[fill_bank_q] && !valid_q[fill_bank_q])

endmodule
