// SPDX-License-Identifier: Apache-2.0
//
// Window engine: beats of a tile's planes become beats of what a depthwise convolution makes of
// them, per channel and pixel
//   y = clamp(round_half_even((sum over taps of x * w * mult + bias) / 2^shift) + zero_point),
// kernels up to 3x3 and strides of 1 and 2, or the beats pass as they are. Pixels outside the image
// count as the padding byte. See docs/rtl/window.md.
//
// Throughput: one beat of the input per cycle, rows of a single beat two; a plane takes N + 15
// cycles at the least. Latency: 20 cycles with 9 taps, 16 with one, and one more
// with slopes.
// Limits: see flex_window_parameters and flex_window_walk.

`include "flex_assert.svh"

module flex_window
  import flex_program_pkg::*;
  import flex_window_pkg::*;
#(
  // Bytes of a pixel; a power of two.
  parameter int unsigned N             = 8,
  // Bytes of a beat; a power of two, 1..32 pixels.
  parameter int unsigned DataBytes     = 64,
  // Taps of a window: 9, or 1 for layers that only scale channels.
  parameter int unsigned Taps          = 9,
  // Two pixels per multiplier.
  parameter bit          Packed        = 1'b1,
  // Channels have a second set of parameters, for sums up to a last one.
  parameter bit          Slopes        = 1'b0,
  // Beats of a row at most, where taps are 9.
  parameter int unsigned LineBeats     = 512,
  // Channels of a layer at most; a power of two.
  parameter int unsigned Channels      = 1024,
  // Multipliers of the part take 18x18 bits, see flex_product.
  parameter bit          SplitProducts = 1'b0
) (
  input  logic                           clk_i,
  input  logic                           rst_ni,
  // Words of window records without their headers
  input  logic         [   WordBits-1:0] param_data_i,
  input  logic                           param_valid_i,
  output logic                           param_ready_o,
  // Tiles, each after the record that it needs
  input  window_tile_t                   tile_data_i,
  input  logic                           tile_valid_i,
  output logic                           tile_ready_o,
  // Beats
  input  logic         [DataBytes*8-1:0] in_data_i,
  input  logic                           in_valid_i,
  output logic                           in_ready_o,
  output logic         [DataBytes*8-1:0] out_data_o,
  output logic                           out_valid_o,
  input  logic                           out_ready_i
);

  localparam int unsigned B = DataBytes / N;
  localparam int unsigned Side = (Taps == 9) ? 3 : 1;
  localparam int unsigned LinesLatency = (Taps == 9) ? 3 : 1;
  localparam int unsigned TapsLatency = Side + 3;
  localparam int unsigned LaneLatency = Slopes ? 11 : 10;
  localparam int unsigned AccLatency = LinesLatency + TapsLatency;
  localparam int unsigned Latency = AccLatency + LaneLatency;
  localparam int unsigned AddrWidth = (LineBeats > 1) ? $clog2(LineBeats) : 1;
  // Places for all that is under way.
  localparam int unsigned OutBeats = 32;
  localparam int unsigned RoomWidth = $clog2(OutBeats + 1);
  localparam int unsigned TileBeats = 2;

  `FLEX_ASSERT_INIT(BeatHoldsPixels, B * N == DataBytes)

  ////////////////////////////////////////////////////////////////
  // Tiles: one queue for the parameters, one for the beats
  ////////////////////////////////////////////////////////////////

  typedef struct packed {
    logic        window;
    logic        half;
    logic [15:0] planes;
  } plane_list_t;

  logic half, tile_push;
  logic [1:0] queue_ready;
  plane_list_t list_in, list;
  logic list_valid, list_ready;
  window_tile_t tile;
  logic tile_valid, tile_ready;
  logic [1:0][$clog2(TileBeats+1)-1:0] unused_level;

  assign tile_ready_o = &queue_ready;
  assign tile_push    = tile_valid_i && tile_ready_o;
  assign list_in      = '{window: tile_data_i.window, half: half, planes: tile_data_i.planes};

  flex_stream_fifo #(
    .Width($bits(plane_list_t)),
    .Depth(TileBeats)
  ) u_lists (
    .clk_i,
    .rst_ni,
    .in_data_i  (list_in),
    .in_valid_i (tile_push),
    .in_ready_o (queue_ready[0]),
    .out_data_o (list),
    .out_valid_o(list_valid),
    .out_ready_i(list_ready),
    .level_o    (unused_level[0])
  );

  flex_stream_fifo #(
    .Width($bits(window_tile_t)),
    .Depth(TileBeats)
  ) u_tiles (
    .clk_i,
    .rst_ni,
    .in_data_i  (tile_data_i),
    .in_valid_i (tile_push),
    .in_ready_o (queue_ready[1]),
    .out_data_o (tile),
    .out_valid_o(tile_valid),
    .out_ready_i(tile_ready),
    .level_o    (unused_level[1])
  );

  ////////////////////////////////////////////////////////////////
  // Parameters
  ////////////////////////////////////////////////////////////////

  logic bank, bank_valid, bank_take;
  window_channel_t [1:0][N-1:0] channels;
  logic [1:0][7:0] pad, zero_point, low, high;

  flex_window_parameters #(
    .N           (N),
    .Channels    (Channels),
    .Slopes      (Slopes),
    .ReleaseDelay(AccLatency + 1)
  ) u_parameters (
    .clk_i,
    .rst_ni,
    .param_data_i,
    .param_valid_i,
    .param_ready_o,
    .announce_i   (tile_push && tile_data_i.window),
    .half_o       (half),
    .tile_window_i(list.window),
    .tile_half_i  (list.half),
    .tile_planes_i(list.planes),
    .tile_valid_i (list_valid),
    .tile_ready_o (list_ready),
    .bank_o       (bank),
    .bank_valid_o (bank_valid),
    .take_i       (bank_take),
    .channels_o   (channels),
    .pad_o        (pad),
    .zero_point_o (zero_point),
    .low_o        (low),
    .high_o       (high)
  );

  ////////////////////////////////////////////////////////////////
  // Walk
  ////////////////////////////////////////////////////////////////

  logic step;
  window_beat_t beat;
  logic line_write, line;
  logic [1:0] line_read;
  logic [AddrWidth-1:0] line_addr;
  logic [2:0] rows;
  logic [B-1:0] mask;
  logic [RoomWidth-1:0] room_d, room_q;
  logic room_valid_q;
  logic pop;

  flex_window_walk #(
    .B        (B),
    .Lines    (Taps == 9),
    .LineBeats(LineBeats)
  ) u_walk (
    .clk_i,
    .rst_ni,
    .tile_data_i (tile),
    .tile_valid_i(tile_valid),
    .tile_ready_o(tile_ready),
    .bank_i      (bank),
    .bank_valid_i(bank_valid),
    .bank_take_o (bank_take),
    .data_valid_i(in_valid_i),
    .data_ready_o(in_ready_o),
    .room_i      (room_valid_q),
    .step_o      (step),
    .beat_o      (beat),
    .write_o     (line_write),
    .read_o      (line_read),
    .addr_o      (line_addr),
    .line_o      (line),
    .rows_o      (rows),
    .mask_o      (mask)
  );

  assign pop    = out_valid_o && out_ready_i;
  assign room_d = room_q - RoomWidth'(step && beat.emit) + RoomWidth'(pop);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      room_q       <= RoomWidth'(OutBeats);
      room_valid_q <= 1'b1;
    end else begin
      room_q       <= room_d;
      room_valid_q <= room_d != '0;
    end
  end

  ////////////////////////////////////////////////////////////////
  // Windows
  ////////////////////////////////////////////////////////////////

  logic [Side-1:0][B+Side-2:0][N*8-1:0] pixels;
  window_beat_t pixels_beat, acc_beat, out_beat;
  logic pixels_step, acc_step, out_step;

  flex_window_lines #(
    .N        (N),
    .B        (B),
    .Taps     (Taps),
    .LineBeats(LineBeats)
  ) u_lines (
    .clk_i,
    .rst_ni,
    .step_i  (step),
    .data_i  (in_data_i),
    .start_i (beat.start),
    .write_i (line_write),
    .read_i  (line_read),
    .addr_i  (line_addr),
    .line_i  (line),
    .rows_i  (rows),
    .mask_i  (mask),
    .bank_i  (beat.bank),
    .pad_i   (pad),
    .pixels_o(pixels)
  );

  flex_delay #(
    .Width ($bits(window_beat_t) + 1),
    .Cycles(LinesLatency),
    .Reset (1'b1)
  ) u_pixels_beat (
    .clk_i,
    .rst_ni,
    .data_i({beat, step}),
    .data_o({pixels_beat, pixels_step})
  );

  flex_delay #(
    .Width ($bits(window_beat_t) + 1),
    .Cycles(TapsLatency),
    .Reset (1'b1)
  ) u_acc_beat (
    .clk_i,
    .rst_ni,
    .data_i({pixels_beat, pixels_step}),
    .data_o({acc_beat, acc_step})
  );

  flex_delay #(
    .Width ($bits(window_beat_t) + 1),
    .Cycles(LaneLatency),
    .Reset (1'b1)
  ) u_out_beat (
    .clk_i,
    .rst_ni,
    .data_i({acc_beat, acc_step}),
    .data_o({out_beat, out_step})
  );

  logic [B-1:0][N-1:0][7:0] result;
  logic [N-1:0] unused_valid;
  logic unused_beat;
  logic [N-1:0] unused_weights;

  for (genvar n = 0; n < N; n++) begin : gen_channel

    logic [Side-1:0][B+Side-2:0][7:0] x;
    logic [1:0][Taps-1:0][7:0] w;
    logic [B-1:0][26:0] acc;
    logic [B-1:0][7:0] y;
    window_channel_t channel;

    assign channel = channels[acc_beat.bank][n];

    for (genvar r = 0; r < Side; r++) begin : gen_row
      for (genvar c = 0; c < B + Side - 1; c++) begin : gen_column
        assign x[r][c] = pixels[r][c][n*8+:8];
      end
    end

    // The only tap of a window of one pixel is the newest of nine.
    for (genvar b = 0; b < 2; b++) begin : gen_bank
      assign w[b] = channels[b][n].weights[8-:Taps];
    end
    assign unused_weights[n] = ^{channel.weights, channels[0][n], channels[1][n]};

    flex_window_taps #(
      .Pixels(B),
      .Taps  (Taps),
      .Packed(Packed)
    ) u_taps (
      .clk_i,
      .pixels_i (x),
      .weights_i(w),
      .bank_i   (pixels_beat.bank),
      .acc_o    (acc)
    );

    flex_requantize_lane #(
      .Pixels       (B),
      .Slopes       (Slopes),
      .SplitProducts(SplitProducts)
    ) u_lane (
      .clk_i,
      .rst_ni,
      .valid_i      (acc_step),
      .acc_i        (acc),
      .mult_i       (channel.mult),
      .shift_i      (channel.shift),
      .bias_i       (channel.bias),
      .below_last_i (channel.below_last),
      .below_mult_i (channel.below_mult),
      .below_shift_i(channel.below_shift),
      .below_bias_i (channel.below_bias),
      .zero_point_i (zero_point[acc_beat.bank]),
      .low_i        (low[acc_beat.bank]),
      .high_i       (high[acc_beat.bank]),
      .valid_o      (unused_valid[n]),
      .data_o       (y)
    );

    for (genvar i = 0; i < B; i++) begin : gen_pixel
      assign result[i][n] = y[i];
    end

  end

  assign unused_beat = ^{out_beat.bank, out_beat.start};

  ////////////////////////////////////////////////////////////////
  // Output
  ////////////////////////////////////////////////////////////////

  logic [DataBytes*8-1:0] packed_data;
  logic unused_ready;
  logic [RoomWidth-1:0] unused_out_level;

  flex_window_pack #(
    .N(N),
    .B(B)
  ) u_pack (
    .clk_i,
    .valid_i (out_step),
    .gather_i(out_beat.gather),
    .odd_i   (out_beat.odd),
    .second_i(out_beat.second),
    .data_i  (result),
    .data_o  (packed_data)
  );

  flex_stream_fifo #(
    .Width(DataBytes * 8),
    .Depth(OutBeats)
  ) u_out (
    .clk_i,
    .rst_ni,
    .in_data_i (packed_data),
    .in_valid_i(out_step && out_beat.emit),
    .in_ready_o(unused_ready),
    .out_data_o,
    .out_valid_o,
    .out_ready_i,
    .level_o   (unused_out_level)
  );

  `FLEX_ASSERT_INIT(PlacesEnough, Latency + 4 <= OutBeats)
  // What is offered stays put until it is taken.
  `FLEX_ASSERT(InputStable, in_valid_i && !in_ready_o |=> in_valid_i && $stable(in_data_i))
  `FLEX_ASSERT(ParamStable, param_valid_i && !param_ready_o |=> param_valid_i && $stable
                            (param_data_i))
  `FLEX_ASSERT(TileStable, tile_valid_i && !tile_ready_o |=> tile_valid_i && $stable(tile_data_i))
  // There is a place for every beat under way.
  `FLEX_ASSERT(RoomForBeat, out_step && out_beat.emit |-> unused_ready)
  `FLEX_ASSERT(RoomInRange, room_q <= RoomWidth'(OutBeats))

endmodule
