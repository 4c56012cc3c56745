// SPDX-License-Identifier: Apache-2.0
//
// Store: reads tiles from the output buffer, max-pooled or as they are, and gathers their pixels in memory beats.
//
// One walk for everything: plane, row, pixel, and with pooling row and columns of the pixel's window. A read brings
// adjacent columns of a buffer row. Without pooling and column phases they are neighbours in memory, too; with pooling
// they are of two windows where these have two columns and lie two apart.

#ifndef FLEX_STORE_HPP_
#define FLEX_STORE_HPP_

#include <cstdint>

#include "flex/pragmas.hpp"
#include "flex/types.hpp"
#include "hls_stream.h"
#include "hls_streamofblocks.h"

namespace flex {

/// Columns of a buffer row that one read brings.
template <typename Config>
constexpr unsigned read_columns_of() {
  return max_of(derived<Config>::kStoreColumns, derived<Config>::kPoolColumns);
}

/// Where column `column` of a buffer row lies; it may be left of the row by up to 4096 words.
template <unsigned P>
void column_place(int32_t column, int32_t& word, uint8_t& bank) {
  FLEX_INLINE;
  constexpr uint32_t kWords = 4096;
  const uint32_t place = static_cast<uint32_t>(column + static_cast<int32_t>(kWords * P));
  word = static_cast<int32_t>(place / P) - static_cast<int32_t>(kWords);
  bank = static_cast<uint8_t>(place % P);
}

/// Adjacent words of the output buffer, the first in `bank` at `word`.
template <typename Config, unsigned Columns>
void read_pixels(const out_block_t<Config>& block, int32_t word, uint8_t bank,
                 word_t<Config> (&pixels)[Columns]) {
  FLEX_INLINE;
  constexpr unsigned kP = Config::kP;
  word_t<Config> banks[kP];
  FLEX_PARTITION(banks, 1);
Banks:
  for (unsigned b = 0; b < kP; ++b) {
    FLEX_UNROLL;
    const uint32_t place = static_cast<uint32_t>(word + (b < bank ? 1 : 0)) % Config::kOutWords;
  Chunks:
    for (unsigned c = 0; c < derived<Config>::kChunks; ++c) {
      FLEX_UNROLL;
      const chunk_t<Config> chunk = block[b][c][place];
    Channels:
      for (unsigned q = 0; q < Config::kQ; ++q) {
        FLEX_UNROLL;
        banks[b][c * Config::kQ + q] = chunk[q];
      }
    }
  }
Columns_:
  for (unsigned i = 0; i < Columns; ++i) {
    FLEX_UNROLL;
    const unsigned place = (bank + i) % kP;
    pixels[i] = banks[place];
  }
}

/// The greater of two pixels, channel by channel.
template <typename Config>
word_t<Config> greater(const word_t<Config>& a, const word_t<Config>& b) {
  FLEX_INLINE;
  word_t<Config> result;
Channels:
  for (unsigned n = 0; n < Config::kN; ++n) {
    FLEX_UNROLL;
    result[n] = a[n] > b[n] ? a[n] : b[n];
  }
  return result;
}

/// Puts `pixels` adjacent pixels of a read, or one pixel of a window, or a pair of them, into a beat
/// from lane `lane` on.
template <typename Config, unsigned Columns>
void gather(const word_t<Config> (&pixels)[Columns], bool single, bool pair, unsigned lane,
            beat_t<Config>& beat) {
  FLEX_INLINE;
  constexpr unsigned kLanes = derived<Config>::kBeatPixels;
  constexpr unsigned kV = derived<Config>::kStoreColumns;
Lanes:
  for (unsigned i = 0; i < kLanes; ++i) {
    FLEX_UNROLL;
    const bool takes = pair ? i / 2 == lane / 2 : single ? i == lane : i / kV == lane / kV;
    const unsigned own = pair ? i % 2 : single ? 0 : i % kV;
  Bytes:
    for (unsigned n = 0; n < Config::kN; ++n) {
      FLEX_UNROLL;
      if (takes) beat[i * Config::kN + n] = static_cast<uint8_t>(pixels[own][n]);
    }
  }
}

/// Stores `planes` planes of a half; `address` is that of the first and becomes that of the next.
///
/// `ends` says that they are the record's last.
template <typename Config>
void store_planes(const out_block_t<Config>& block, const store_tile_t& tile, uint16_t planes,
                  bool ends, uint64_t& address, hls::stream<store_request_t>& requests,
                  hls::stream<store_beat_t<Config>>& beats) {
  FLEX_INLINE;
  constexpr unsigned kLanes = derived<Config>::kBeatPixels;
  constexpr unsigned kV = derived<Config>::kStoreColumns;
  constexpr unsigned kReads = read_columns_of<Config>();
  const bool single = tile.pool || tile.phases_x != 1;
  const uint8_t pool_width = derived<Config>::kPoolColumns;
  const bool pair = pool_width == 4 && kLanes > 1 && tile.pool && tile.kernel_w == 2 && tile.stride_w == 2;
  const uint8_t width = pair ? 2 : single ? 1 : kV;
  const uint8_t kernel_w = pair ? uint8_t{4} : static_cast<uint8_t>(tile.kernel_w);
  const uint32_t row_beats = (tile.cols + kLanes - 1) / kLanes;
  const bool contiguous = tile.rows == 1 || tile.row_pitch == row_beats * Config::kDataBytes;
  const uint32_t phase_row_words = static_cast<uint32_t>(tile.phases_x) * tile.phase_words;
  FLEX_CHECK(planes != 0 && tile.rows != 0 && tile.cols != 0, "a tile to store has no pixels");
  FLEX_CHECK(tile.phases_x != 0 && tile.phases_y != 0, "a tile to store has no phases");
  FLEX_CHECK(!tile.pool || (tile.phases_x == 1 && tile.phases_y == 1), "phases are pooled");
  FLEX_CHECK(!tile.pool || (tile.kernel_h != 0 && tile.kernel_w != 0), "an empty window");

  uint16_t plane = 0, y = 0, x = 0;
  uint8_t ky = 0, kx = 0;
  // Row and column as phase and place within it.
  uint8_t phase_y = 0, phase_x = 0;
  uint16_t place_y = 0, place_x = 0;
  uint64_t row_address = address;
  word_t<Config> maximum[2] = {word_t<Config>(-128), word_t<Config>(-128)};
  FLEX_PARTITION(maximum, 1);
  store_beat_t<Config> out{};
  bool row_begins = true;
Reads:
  while (plane != planes) {
    FLEX_PIPELINE;
    FLEX_TRIP_COUNT(8, 65536);
    if (row_begins && (y == 0 || !contiguous)) {
      store_request_t request;
      request.end = false;
      request.tile_last = ends && !tile.part && plane + 1 == planes && (contiguous || y + 1 == tile.rows);
      request.address = row_address;
      request.beats = contiguous ? row_beats * tile.rows : row_beats;
      requests.write(request);
    }
    row_begins = false;

    const int32_t v = tile.pool ? tile.origin_y + y * tile.stride_h + ky : int32_t{place_y};
    const int32_t u = tile.pool ? tile.origin_x + x * tile.stride_w + kx : int32_t{place_x};
    int32_t column_word;
    uint8_t bank;
    column_place<Config::kP>(u, column_word, bank);
    const int32_t word = static_cast<int32_t>(
        static_cast<uint32_t>(plane) * tile.plane_words + static_cast<uint32_t>(v * tile.row_words) +
        phase_y * phase_row_words + static_cast<uint32_t>(phase_x) * tile.phase_words +
        static_cast<uint32_t>(column_word));
    word_t<Config> pixels[kReads];
    FLEX_PARTITION(pixels, 1);
    read_pixels<Config, kReads>(block, word, bank, pixels);

    const bool columns_done = !tile.pool || kx + pool_width >= kernel_w;
    const bool window_done = columns_done && (!tile.pool || ky + 1 >= tile.kernel_h);
    if (tile.pool) {
      // Columns first: from cycle to cycle there is one comparison.
      word_t<Config> row[2] = {word_t<Config>(-128), word_t<Config>(-128)};
      FLEX_PARTITION(row, 1);
    Columns:
      for (unsigned i = 0; i < derived<Config>::kPoolColumns; ++i) {
        FLEX_UNROLL;
        const int32_t column = u + static_cast<int32_t>(i);
        const bool counts = v >= 0 && v < tile.valid_rows && column >= 0 && column < tile.valid_cols &&
                            kx + i < kernel_w;
        const unsigned window = pair ? i / 2 : 0;
        if (counts) row[window] = greater<Config>(row[window], pixels[i]);
      }
    Windows:
      for (unsigned i = 0; i < 2; ++i) {
        FLEX_UNROLL;
        maximum[i] = greater<Config>(maximum[i], row[i]);
        if (i < kReads) pixels[i] = maximum[i];
        if (window_done) maximum[i] = word_t<Config>(-128);
      }
    }
    kx = columns_done ? uint8_t{0} : static_cast<uint8_t>(kx + pool_width);
    ky = window_done ? uint8_t{0} : static_cast<uint8_t>(ky + columns_done);

    if (window_done) {
      const unsigned lane = x % kLanes;
      const bool row_done = x + width >= tile.cols;
      const unsigned kept = row_done ? tile.cols - x : width;
      gather<Config, kReads>(pixels, single, pair, lane, out.beat);
      if (row_done || lane + width == kLanes) {
        out.bytes = static_cast<uint8_t>((lane + kept) * Config::kN);
        beats.write(out);
      }
      const bool phase_x_done = phase_x + 1 >= tile.phases_x;
      const bool phase_y_done = phase_y + 1 >= tile.phases_y;
      x = row_done ? uint16_t{0} : static_cast<uint16_t>(x + width);
      place_x = row_done ? uint16_t{0} : static_cast<uint16_t>(place_x + (phase_x_done ? width : 0));
      phase_x = row_done || phase_x_done ? uint8_t{0} : static_cast<uint8_t>(phase_x + 1);
      row_begins = row_done;
      if (row_done) {
        const bool plane_done = y + 1 == tile.rows;
        y = plane_done ? uint16_t{0} : static_cast<uint16_t>(y + 1);
        place_y = plane_done ? uint16_t{0} : static_cast<uint16_t>(place_y + phase_y_done);
        phase_y = plane_done || phase_y_done ? uint8_t{0} : static_cast<uint8_t>(phase_y + 1);
        if (plane_done) {
          address += tile.plane_pitch;
          ++plane;
        }
        row_address = plane_done ? address : row_address + tile.row_pitch;
      }
    }
  }
}

/// Takes the rest of a record whose header has come.
inline store_tile_t take_store_tile(hls::stream<uint64_t>& commands) {
  FLEX_INLINE;
  uint64_t word[kStoreTileWords];
Words:
  for (unsigned i = 0; i < kStoreTileWords; ++i) {
    FLEX_PIPELINE;
    word[i] = commands.read();
  }
  return decode_store_tile(word);
}

/// Executes store records on one half of the output buffer after the other.
template <typename Config>
void store(hls::stream<uint64_t>& commands, hls::stream_of_blocks<out_block_t<Config>>& blocks,
           hls::stream<store_request_t>& requests, hls::stream<store_beat_t<Config>>& beats) {
  FLEX_NO_INLINE;
  store_tile_t tile{};
  uint64_t address = 0;
  uint16_t left = 0;  // planes of the record
Halves:
  while (true) {
    FLEX_TRIP_COUNT(2, 65536);
    if (left == 0) {
      const uint64_t first[kHeaderWords] = {commands.read()};
      if (decode_header(first).engine == kEngineControl) {
        commands.read();
        break;
      }
      tile = take_store_tile(commands);
      address = static_cast<uint64_t>(tile.address);
      left = tile.planes;
    }
    hls::read_lock<out_block_t<Config>> block(blocks);
    bool kept = true;
  Records:
    while (kept) {
      FLEX_TRIP_COUNT(1, 2);
      const uint16_t planes = left < derived<Config>::kHalfPlanes
                                  ? left
                                  : static_cast<uint16_t>(derived<Config>::kHalfPlanes);
      left = static_cast<uint16_t>(left - planes);
      store_planes<Config>(block, tile, planes, left == 0, address, requests, beats);
      kept = left == 0 && tile.keep;
      if (kept) {
        commands.read();
        tile = take_store_tile(commands);
        address = static_cast<uint64_t>(tile.address);
        left = tile.planes;
      }
    }
  }
  store_request_t end{};
  end.end = true;
  requests.write(end);
}

}  // namespace flex

#endif  // FLEX_STORE_HPP_
