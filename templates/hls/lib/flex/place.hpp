// SPDX-License-Identifier: Apache-2.0
//
// Place: walks the rows of a tile's window beat by beat and says where each pixel goes.
//
// Column x of a row belongs to phase f = x mod s and has position x div s + rot[f]; its bank is position mod P, its
// word position div P + base[f]. Only lane 0 of a beat has a place of its own; the others follow from it by
// constants. Lane 0 may lie left of column 0: its word and bank are those of Euclid's division.

#ifndef FLEX_PLACE_HPP_
#define FLEX_PLACE_HPP_

#include <cstdint>

#include "flex/pragmas.hpp"
#include "flex/types.hpp"
#include "hls_stream.h"

namespace flex {

/// Where the column of a beat's lane 0 lies, without base and rotation.
struct origin_t {
  uint8_t phase;  // below the stride
  uint8_t bank;   // below P
  int16_t word;
};

/// Quotient of a small number and a stride of 1..4.
inline uint8_t stride_quotient(uint8_t value, uint8_t stride) {
  FLEX_INLINE;
  switch (stride) {
    case 1:
      return value;
    case 2:
      return value / 2;
    case 3:
      return value / 3;
    default:
      return value / 4;
  }
}

/// The place `columns` columns to the right; at most 32.
template <unsigned P>
origin_t moved_right(const origin_t& from, uint8_t columns, uint8_t stride) {
  FLEX_INLINE;
  const uint8_t reached = static_cast<uint8_t>(from.phase + columns);
  const uint8_t positions = stride_quotient(reached, stride);
  const uint8_t bank = static_cast<uint8_t>(from.bank + positions);
  origin_t to;
  to.phase = static_cast<uint8_t>(reached - positions * stride);
  to.bank = static_cast<uint8_t>(bank % P);
  to.word = static_cast<int16_t>(from.word + bank / P);
  return to;
}

/// The way from beat to beat, as numbers of a tile.
struct beat_step_t {
  uint8_t phase;
  uint8_t bank;
  int16_t word;
};

/// The step of `columns` columns; at most 32.
template <unsigned P>
beat_step_t step_of(uint8_t columns, uint8_t stride) {
  FLEX_INLINE;
  const origin_t end = moved_right<P>(origin_t{0, 0, 0}, columns, stride);
  return {end.phase, end.bank, end.word};
}

/// The place a step further: additions with one carry and one wrap, which fit a cycle.
template <unsigned P>
origin_t stepped(const origin_t& from, const beat_step_t& step, uint8_t stride) {
  FLEX_INLINE;
  const uint8_t phase = static_cast<uint8_t>(from.phase + step.phase);
  const bool carries = phase >= stride;
  const uint8_t bank = static_cast<uint8_t>(from.bank + step.bank + (carries ? 1 : 0));
  const bool wraps = bank >= P;
  origin_t to;
  to.phase = static_cast<uint8_t>(carries ? phase - stride : phase);
  // With one bank a carry is a wrap of its own.
  to.bank = static_cast<uint8_t>(P == 1 ? 0 : wraps ? bank - P : bank);
  to.word = static_cast<int16_t>(from.word + step.word + (P == 1 ? bank : wraps ? 1 : 0));
  return to;
}

/// The place of column -`before`, `before` below 32.
template <unsigned P>
origin_t row_origin(uint8_t before, uint8_t stride) {
  FLEX_INLINE;
  // 32 positions further to the right by a whole number of words, where nothing is negative.
  constexpr unsigned kWords = 32 / P + 1;
  const uint8_t positions = stride_quotient(static_cast<uint8_t>(before + stride - 1), stride);
  const uint8_t place = static_cast<uint8_t>(kWords * P - positions);
  origin_t origin;
  origin.phase = static_cast<uint8_t>(positions * stride - before);
  origin.bank = static_cast<uint8_t>(place % P);
  origin.word = static_cast<int16_t>(place / P) - static_cast<int16_t>(kWords);
  return origin;
}

/// A beat's pixels, `row_word` being the first buffer word of their row; lane i holds column `column` + i.
///
/// Lanes outside the row's `columns` columns go nowhere; those that are no pixel of memory become `padding`.
template <typename Config>
placed_t<Config> place_beat(const beat_t<Config>& beat, bool has_pixels, int32_t column,
                            uint32_t columns, uint16_t row_word, const origin_t& origin,
                            const load_tile_t& tile, int8_t padding) {
  FLEX_INLINE;
  constexpr unsigned kLanes = derived<Config>::kBeatPixels;
  constexpr unsigned kP = Config::kP;
  const uint8_t stride = static_cast<uint8_t>(tile.phases);
  placed_t<Config> placed;
  FLEX_PARTITION(placed.lanes, 1);
  uint8_t bank[kLanes];
  bool inside[kLanes];
  FLEX_PARTITION(bank, 1);
  FLEX_PARTITION(inside, 1);
Lanes:
  for (unsigned i = 0; i < kLanes; ++i) {
    FLEX_UNROLL;
    const int32_t x = column + static_cast<int32_t>(i);
    const int32_t pixel = x - tile.pad_left;
    inside[i] = x >= 0 && x < static_cast<int32_t>(columns);
    const bool from_memory = has_pixels && pixel >= 0 && pixel < tile.mem_cols;
    const origin_t own = moved_right<kP>(origin, static_cast<uint8_t>(i), stride);
    const uint8_t rotated = static_cast<uint8_t>(own.bank + tile.phase_rot[own.phase]);
    bank[i] = rotated % kP;
    placed.word[i] =
        static_cast<uint16_t>(row_word + tile.phase_base[own.phase] + own.word + rotated / kP);
  Bytes:
    for (unsigned n = 0; n < Config::kN; ++n) {
      FLEX_UNROLL;
      placed.pixel[i][n] =
          from_memory ? static_cast<int8_t>(beat[i * Config::kN + n]) : padding;
    }
  }
Banks:
  for (unsigned b = 0; b < kP; ++b) {
    FLEX_UNROLL;
    uint32_t lanes = 0;
  Members:
    for (unsigned i = 0; i < kLanes; ++i) {
      FLEX_UNROLL;
      if (inside[i] && bank[i] == b) lanes |= uint32_t{1} << i;
    }
    placed.lanes[b] = lanes;
  }
  return placed;
}

/// Places the beats of one tile.
template <typename Config>
void place_tile(const load_tile_t& tile, hls::stream<beat_t<Config>>& beats,
                hls::stream<placed_t<Config>>& out) {
  FLEX_INLINE;
  constexpr unsigned kLanes = derived<Config>::kBeatPixels;
  constexpr unsigned kP = Config::kP;
  const uint8_t stride = static_cast<uint8_t>(tile.phases);
  const uint32_t columns = uint32_t{tile.pad_left} + tile.mem_cols + tile.pad_right;
  const uint32_t rows = uint32_t{tile.pad_top} + tile.mem_rows + tile.pad_bottom;
  // Lane of column 0 in a row's first beat, and the beats before memory's first.
  const uint8_t lane = static_cast<uint8_t>((tile.first_pixel - tile.pad_left) & (kLanes - 1));
  const uint32_t lead = (lane + uint32_t{tile.pad_left}) / kLanes;
  const uint32_t padding_beats = (columns + kLanes - 1) / kLanes;
  const uint32_t inner_beats = (lane + columns + kLanes - 1) / kLanes;
  const uint32_t memory_end = lead + tile.row_beats;
  const uint32_t memory_beats = inner_beats > memory_end ? inner_beats : memory_end;
  const beat_step_t step = step_of<kP>(kLanes, stride);
  const bool empty = tile.planes == 0 || rows == 0 || columns == 0;
  FLEX_CHECK(stride >= 1 && stride <= kMaxPhases, "a load tile has no column phases, or too many");

  uint16_t plane = 0, row = 0;
  uint32_t k = 0;
  uint16_t plane_word = 0, row_word = 0;
  origin_t origin = row_origin<kP>(0, 1);
  bool last = false;
Beats:
  while (!last) {
    FLEX_PIPELINE;
    FLEX_TRIP_COUNT(8, 4096);
    const bool read_row =
        tile.row_beats != 0 && row >= tile.pad_top && row < tile.pad_top + tile.mem_rows;
    const uint8_t before = read_row ? lane : uint8_t{0};
    const uint32_t row_beats = read_row ? memory_beats : padding_beats;
    if (k == 0) origin = row_origin<kP>(before, stride);
    const bool takes = !empty && read_row && k >= lead && k < memory_end;
    beat_t<Config> beat;
    if (takes) beat = beats.read();
    const bool row_last = k + 1 >= row_beats;
    const bool plane_last = row_last && row + 1u >= rows;
    last = empty || (plane_last && plane + 1u >= tile.planes);
    const int32_t column = static_cast<int32_t>(k * kLanes) - before;
    const bool lower = Config::kWide && tile.wide && 2u * plane >= tile.planes;
    placed_t<Config> placed =
        place_beat<Config>(beat, takes, column, empty ? 0 : columns, row_word, origin, tile,
                           lower ? tile.pad_lower : tile.pad_value);
    placed.last = last;
    out.write(placed);

    origin = stepped<kP>(origin, step, stride);
    k = row_last ? 0 : k + 1;
    if (plane_last) {
      plane_word = static_cast<uint16_t>(plane_word + tile.plane_words);
      row_word = plane_word;
      row = 0;
      ++plane;
    } else if (row_last) {
      row_word = static_cast<uint16_t>(row_word + tile.row_words);
      ++row;
    }
  }
}

/// Places the beats of all tiles, and hands on where each ends; `more` is false when the program has ended.
template <typename Config>
void place(hls::stream<fill_t>& tiles, hls::stream<beat_t<Config>>& beats,
           hls::stream<bool>& more, hls::stream<placed_t<Config>>& out) {
  FLEX_NO_INLINE;
  bool end = false;
Tiles:
  while (!end) {
    FLEX_TRIP_COUNT(2, 65536);
    const fill_t fill = tiles.read();
    end = fill.end;
    more.write(!end);
    if (!end) place_tile<Config>(fill.tile, beats, out);
  }
}

}  // namespace flex

#endif  // FLEX_PLACE_HPP_
