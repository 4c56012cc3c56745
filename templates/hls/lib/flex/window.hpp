// SPDX-License-Identifier: Apache-2.0
//
// Window: a depthwise layer of kernels up to 3x3 between memory and the activation buffer, a beat per cycle.
//
// A window belongs to the pixel that comes last, so nothing is held back: its other columns stand in the same beat or
// were the last two of the beat before, its other rows come out of two line memories. Padding in front costs no cycle;
// padding behind is walked in rows and beats that memory does not bring.

#ifndef FLEX_WINDOW_HPP_
#define FLEX_WINDOW_HPP_

#include <cstdint>

#include "flex/arithmetic.hpp"
#include "flex/load.hpp"
#include "flex/pragmas.hpp"
#include "flex/types.hpp"
#include "hls_stream.h"

namespace flex {

constexpr unsigned kWindowSide = 3;
constexpr unsigned kWindowArea = kWindowSide * kWindowSide;

/// A channel of a window layer.
template <typename Config>
struct window_channel_t {
  channel_t<Config> numbers;
  int8_t weight[kWindowArea];
};

/// A window layer: what holds for all its channels, and the channels.
template <typename Config>
struct window_layer_t {
  window_t all;
  window_channel_t<Config> channel[Config::kWindowChannels];
};

/// Decodes a channel from its words.
template <typename Config>
window_channel_t<Config> decode_window_channel(
    const uint64_t (&word)[derived<Config>::kRecordBytes / 8 + kWindowWeightsWords]) {
  FLEX_INLINE;
  constexpr unsigned kNumbers = derived<Config>::kRecordBytes / 8;
  window_channel_t<Config> channel;
  const uint64_t above[kParameterWords] = {word[0], word[1]};
  channel.numbers.above = decode_parameter(above);
  channel.numbers.below = slope_t{};
  if (Config::kSlopes) {
    const uint64_t below[kSlopeWords] = {word[kNumbers - 2], word[kNumbers - 1]};
    channel.numbers.below = decode_slope(below);
  }
  const uint64_t taps[kWindowWeightsWords] = {word[kNumbers], word[kNumbers + 1]};
  const window_weights_t weights = decode_window_weights(taps);
Taps:
  for (unsigned i = 0; i < kWindowArea - 1; ++i) {
    FLEX_UNROLL;
    channel.weight[i] = weights.weights[i];
  }
  channel.weight[kWindowArea - 1] = weights.last_weight;
  return channel;
}

/// Takes a layer whose header has come.
template <typename Config>
void take_layer(hls::stream<uint64_t>& words, window_layer_t<Config>& layer) {
  FLEX_INLINE;
  constexpr unsigned kWords = derived<Config>::kRecordBytes / 8 + kWindowWeightsWords;
  const uint64_t first[kWindowWords] = {words.read()};
  layer.all = decode_window(first);
  FLEX_CHECK(layer.all.channels <= Config::kWindowChannels, "the channels overrun the window engine");
  uint64_t word[kWords];
  unsigned at = 0;
  uint16_t channel = 0;
Words:
  while (channel != layer.all.channels) {
    FLEX_PIPELINE;
    FLEX_TRIP_COUNT(32, 8192);
    word[at] = words.read();
    const bool complete = at == kWords - 1;
    if (complete) layer.channel[channel % Config::kWindowChannels] = decode_window_channel<Config>(word);
    at = complete ? 0 : at + 1;
    channel += complete;
  }
}

/// A tile as the buffer sees it, when its pixels are results of windows.
template <typename Config>
load_tile_t window_result(const load_tile_t& tile) {
  FLEX_INLINE;
  load_tile_t result = tile;
  const int rows = tile.mem_rows + static_cast<int>(tile.extra_rows) - static_cast<int>(tile.first_row);
  result.mem_rows = static_cast<uint16_t>(tile.step_rows ? (rows + 1) / 2 : rows);
  result.row_beats = static_cast<uint16_t>(
      (tile.first_pixel + tile.mem_cols + derived<Config>::kBeatPixels - 1) / derived<Config>::kBeatPixels);
  return result;
}

/// Three rows of a beat and of the two columns before it.
template <typename Config>
struct window_pixels_t {
  int8_t pixel[kWindowSide][derived<Config>::kBeatPixels + kWindowSide - 1][Config::kN];
};

/// The results of the windows that end in a beat's pixels.
template <typename Config>
beat_t<Config> window_beat(const window_pixels_t<Config>& pixels,
                           const window_channel_t<Config> (&lanes)[Config::kN], const window_t& layer) {
  FLEX_INLINE;
  const output_range_t range = {layer.zero_point, layer.low, layer.high};
  beat_t<Config> result;
Pixels:
  for (unsigned i = 0; i < derived<Config>::kBeatPixels; ++i) {
    FLEX_UNROLL;
  Lanes:
    for (unsigned n = 0; n < Config::kN; ++n) {
      FLEX_UNROLL;
      int32_t acc = 0;
    Taps:
      for (unsigned tap = 0; tap < kWindowArea; ++tap) {
        FLEX_UNROLL;
        // With one tap, that of the newest pixel.
        if (Config::kWindowTaps == 1 && tap != kWindowArea - 1) continue;
        acc += pixels.pixel[tap / kWindowSide][i + tap % kWindowSide][n] * lanes[n].weight[tap];
      }
      result[i * Config::kN + n] =
          static_cast<uint8_t>(
              requantized<Config::kSlopes, false>(acc, lanes[n].numbers, range, false));
    }
  }
  return result;
}

/// Puts every second result, from `odd` on, into the first or second half of a beat.
template <typename Config>
void pack_results(const beat_t<Config>& results, bool odd, bool second_half, beat_t<Config>& packed) {
  FLEX_INLINE;
  constexpr unsigned kHalf = max_of(1, derived<Config>::kBeatPixels / 2);
Pixels:
  for (unsigned i = 0; i < kHalf; ++i) {
    FLEX_UNROLL;
    const unsigned from = derived<Config>::kBeatPixels == 1 ? 0 : 2 * i + (odd ? 1 : 0);
    const unsigned to = derived<Config>::kBeatPixels == 1 ? 0 : i + (second_half ? kHalf : 0);
  Bytes:
    for (unsigned n = 0; n < Config::kN; ++n) {
      FLEX_UNROLL;
      packed[to * Config::kN + n] = results[from * Config::kN + n];
    }
  }
}

/// The engine's lines.
template <typename Config>
struct window_lines_t {
  beat_t<Config> line[2][Config::kWindowTaps == 9 ? Config::kWindowBeats : 1];
};

/// Runs one plane of a tile through the engine.
template <typename Config>
void window_plane(const load_tile_t& tile, const window_t& layer,
                  const window_channel_t<Config> (&lanes)[Config::kN], window_lines_t<Config>& lines,
                  hls::stream<beat_t<Config>>& in, hls::stream<beat_t<Config>>& out) {
  FLEX_INLINE;
  constexpr unsigned kB = derived<Config>::kBeatPixels;
  constexpr unsigned kN = Config::kN;
  constexpr bool kLines = Config::kWindowTaps == 9;
  constexpr unsigned kLineBeats = kLines ? Config::kWindowBeats : 1;
  const uint32_t rows = tile.mem_rows + static_cast<uint32_t>(tile.extra_rows);
  const uint32_t row_beats = tile.row_beats + static_cast<uint32_t>(tile.extra_beats);
  const uint32_t drop = static_cast<uint32_t>(tile.drop_beats);
  const uint32_t kept = (tile.first_pixel + tile.mem_cols + kB - 1) / kB;
  const uint32_t made = !tile.step_cols ? row_beats : kB == 1 ? (row_beats + !tile.odd) / 2 : (row_beats + 1) / 2;
  FLEX_CHECK(!kLines || tile.row_beats <= Config::kWindowBeats, "a row overruns the lines");
  FLEX_CHECK(made >= drop + kept, "row_beats do not hold mem_cols pixels");
  FLEX_CHECK(tile.step_cols || !tile.odd, "an odd column without a step");
  uint32_t row = 0, k = 0;
  uint32_t next_row = static_cast<uint32_t>(tile.first_row);
  window_pixels_t<Config> pixels;
  FLEX_PARTITION(pixels.pixel, 0);
  beat_t<Config> packed;
Beats:
  while (row != rows) {
    FLEX_PIPELINE;
    FLEX_TRIP_COUNT(8, 65536);
    const bool in_row = k < tile.row_beats;
    const bool brings = in_row && row < tile.mem_rows;
    beat_t<Config> newest;
    if (brings) newest = in.read();
    const unsigned at = k % kLineBeats;
    const beat_t<Config> one_up = lines.line[(row + 1) % 2][at];
    const beat_t<Config> two_up = lines.line[row % 2][at];
  Pixels:
    for (unsigned i = 0; i < kB; ++i) {
      FLEX_UNROLL;
      const bool padding = !brings || (k + 1 == tile.row_beats && i + static_cast<unsigned>(tile.tail_lanes) >= kB);
    Channels:
      for (unsigned n = 0; n < kN; ++n) {
        FLEX_UNROLL;
        const unsigned byte = i * kN + n;
        if (padding) newest[byte] = static_cast<uint8_t>(layer.pad_value);
        if (i < kWindowSide - 1) {
          // The last two columns of the beat before.
        Sides:
          for (unsigned y = 0; y < kWindowSide; ++y) {
            FLEX_UNROLL;
            if (kB == 1 && i == 0) {
              pixels.pixel[y][0][n] = k == 0 ? layer.pad_value : pixels.pixel[y][1][n];
              pixels.pixel[y][1][n] = k == 0 ? layer.pad_value : pixels.pixel[y][2][n];
            } else if (kB > 1) {
              pixels.pixel[y][i][n] = k == 0 ? layer.pad_value : pixels.pixel[y][kB + i][n];
            }
          }
        }
      }
    }
  Columns:
    for (unsigned i = 0; i < kB; ++i) {
      FLEX_UNROLL;
    Lanes:
      for (unsigned n = 0; n < kN; ++n) {
        FLEX_UNROLL;
        const unsigned byte = i * kN + n;
        const bool first = row >= 1 && in_row, second = row >= 2 && in_row;
        pixels.pixel[2][i + 2][n] = static_cast<int8_t>(newest[byte]);
        pixels.pixel[1][i + 2][n] = first ? static_cast<int8_t>(one_up[byte]) : layer.pad_value;
        pixels.pixel[0][i + 2][n] = second ? static_cast<int8_t>(two_up[byte]) : layer.pad_value;
      }
    }
    if (kLines && in_row) lines.line[row % 2][at] = newest;

    const beat_t<Config> results = window_beat<Config>(pixels, lanes, layer);
    // Which beat of the output row they belong to, and whether it is complete.
    bool complete = true;
    uint32_t place = k;
    if (tile.step_cols) {
      const bool wanted = kB > 1 || (k % 2 == 1) == tile.odd;
      if (wanted) pack_results<Config>(results, tile.odd, k % 2 == 1, packed);
      complete = kB > 1 ? k % 2 == 1 || k + 1 == row_beats : wanted;
      place = kB > 1 ? k / 2 : (k - tile.odd) / 2;
    } else {
      packed = results;
    }
    const bool row_wanted = row == next_row;
    if (row_wanted && complete && place >= drop && place < drop + kept) out.write(packed);
    const bool row_done = k + 1 == row_beats;
    if (row_done && row_wanted) next_row += tile.step_rows ? 2 : 1;
    k = row_done ? 0 : k + 1;
    row += row_done;
  }
}

/// Hands on tiles and beats, in tiles that say so the results of their windows.
template <typename Config>
void window(hls::stream<uint64_t>& layers, hls::stream<fill_t>& tiles, hls::stream<beat_t<Config>>& in,
            hls::stream<fill_t>& tiles_out, hls::stream<beat_t<Config>>& out) {
  FLEX_NO_INLINE;
  static window_layer_t<Config> layer;
  static window_lines_t<Config> lines;
  FLEX_PARTITION(lines.line, 1);
Records:
  while (true) {
    FLEX_TRIP_COUNT(2, 65536);
    const uint64_t first[kHeaderWords] = {layers.read()};
    const header_t header = decode_header(first);
    if (header.engine == kEngineLoad && header.kind == kWindowKind) {
      take_layer<Config>(layers, layer);
      continue;
    }
    fill_t fill = tiles.read();
    const load_tile_t tile = fill.tile;
    if (!fill.end && tile.window) fill.tile = window_result<Config>(tile);
    tiles_out.write(fill);
    if (fill.end) break;
    if (tile.window) {
      FLEX_CHECK(layer.all.channels >= tile.planes * Config::kN, "the window layer has fewer planes");
    Planes:
      for (uint16_t plane = 0; plane < tile.planes; ++plane) {
        FLEX_TRIP_COUNT(1, 512);
        window_channel_t<Config> lanes[Config::kN];
        FLEX_PARTITION(lanes, 1);
      Lanes:
        for (unsigned n = 0; n < Config::kN; ++n) {
          FLEX_PIPELINE;
          lanes[n] = layer.channel[(plane * Config::kN + n) % Config::kWindowChannels];
        }
        window_plane<Config>(tile, layer.all, lanes, lines, in, out);
      }
    } else {
      const uint32_t beats = static_cast<uint32_t>(tile.planes) * tile.mem_rows * tile.row_beats;
    Pass:
      for (uint32_t i = 0; i < beats; ++i) {
        FLEX_PIPELINE;
        FLEX_TRIP_COUNT(8, 4096);
        out.write(in.read());
      }
    }
  }
}

}  // namespace flex

#endif  // FLEX_WINDOW_HPP_
