// SPDX-License-Identifier: Apache-2.0
//
// Beats and buffer words, and what the streams between engines carry.

#ifndef FLEX_TYPES_HPP_
#define FLEX_TYPES_HPP_

#include <cstdint>
#include <type_traits>

#include "ap_int.h"
#include "flex/config.hpp"
#include "flex/flex_program.hpp"
#include "hls_vector.h"

namespace flex {

/// A memory beat.
template <typename Config>
using beat_t = hls::vector<uint8_t, Config::kDataBytes>;

/// One pixel of a channel group: a buffer word.
template <typename Config>
using word_t = hls::vector<int8_t, Config::kN>;

/// kQ neighbouring channels of a pixel.
template <typename Config>
using chunk_t = hls::vector<int8_t, Config::kQ>;

/// Half of the activation buffer: a bank per column.
template <typename Config>
using act_block_t = word_t<Config>[Config::kP][Config::kActWords];

/// Half of the skip buffer: the words of the output buffer.
template <typename Config>
using skip_block_t = word_t<Config>[Config::kP][Config::kOutWords];

/// Half of the output buffer, cut into the chunks that are written at once.
template <typename Config>
using out_block_t = chunk_t<Config>[Config::kP][derived<Config>::kChunks][Config::kOutWords];

/// A load tile on its way to the buffer: what it says, and where its rows come from.
struct fill_t {
  bool end;         // no tile: the program has ended
  load_tile_t tile;  // `mem_rows` and `row_beats` are those of the beats that follow
};

/// The pixels of a beat and the places they go to; one lane is one pixel.
template <typename Config>
struct placed_t {
  word_t<Config> pixel[derived<Config>::kBeatPixels];
  uint16_t word[derived<Config>::kBeatPixels];
  uint32_t lanes[Config::kP];  // of each bank the lanes that it must write
  bool last;                   // of its tile
};

/// First numbers of a channel; only activations of 16 bits need more than 48 bits of bias.
template <typename Config>
struct scale_t {
  scale_t() = default;
  scale_t(const parameter_t& record) : mult(record.mult), shift(record.shift), bias(record.bias) {}

  ap_uint<24> mult;
  ap_uint<6> shift;
  ap_int<Config::kWide ? 60 : 48> bias;
};

/// Requantisation of one channel.
template <typename Config>
struct channel_t {
  scale_t<Config> above;  // the only numbers without slopes
  slope_t below;
};

/// What kQ drain chains need in one cycle.
template <typename Config>
struct channels_t {
  channel_t<Config> channel[Config::kQ];
};

/// A weight word: kN weights for each row.
template <typename Config>
using weight_word_t = hls::vector<int8_t, Config::kM * Config::kN>;

/// An accumulator.
template <typename Config>
using acc_t = std::conditional_t<Config::kWide, ap_int<40>, int32_t>;

/// An output before a byte of it is put out.
template <typename Config>
using output_t = std::conditional_t<Config::kWide, int16_t, int8_t>;

/// A run of reduction steps: one list entry at one pixel group.
struct run_t {
  uint16_t word;      // buffer word of the first step
  uint8_t rotation;   // bank that feeds column 0
  uint16_t steps;     // at least 1
  bool first;         // of its list
  bool shift;         // its first step raises what the list has summed by 8 bits
  bool last;          // of its list
  bool pass_first;    // of its pass
  bool pass_last;     // of its pass
  bool keep;          // numbers of its tile, as below
  bool stream;
  bool tile_last;     // of its pass: it is the tile's last
  uint16_t plane_words;
};

/// One reduction step of the array.
struct step_t {
  uint16_t word;      // buffer word of column 0, unless its bank has wrapped
  uint8_t rotation;   // bank that feeds column 0
  uint16_t weight;    // number of the weight word, modulo 2^16
  bool release;       // weight words up to this one are not needed any more
  bool first;         // of its block
  bool shift;         // raises what the block has summed by 8 bits
  bool last;          // of its block
  bool tile_last;     // of its tile
};

/// One output block over all pixel groups of a tile.
template <typename Config>
struct pass_info_t {
  bool end;               // no pass: the program has ended
  uint32_t groups;        // pixel groups
  uint16_t param;         // number of its parameters, modulo 2^16
  uint16_t out_base;
  uint16_t out_plane_words;
  uint8_t out_byte;
  uint8_t word_channels;  // log2
  output_t<Config> zero_point;
  output_t<Config> low;
  output_t<Config> high;
  bool wide;              // 16 bits on either side
  uint8_t plane;          // the byte that is put out: 0 all of 8 bits, 1 the upper, 2 the lower one
  bool take;
  bool hand_over;
  bool bent;              // second records are for the sums
};

/// Half of the output buffer: what happens to its bytes on their way.
struct half_t {
  bool end;             // no half: the program has ended
  bool summed;
  bool bent;
  bool lookup;
  uint16_t new_tables;  // tables to take before the first byte
  array_sum_t sum;
  array_bend_t bend;
};

/// Second records of kQ channels, which go with their bytes where sums are bent.
template <typename Config, bool Bends>
struct slopes_t {};

template <typename Config>
struct slopes_t<Config, true> {
  slope_t slope[Config::kQ];
};

/// The bytes of kQ neighbouring channels of all columns, and their place.
template <typename Config>
struct bytes_t : slopes_t<Config, Config::kBends> {
  chunk_t<Config> column[Config::kP];
  uint16_t word;
  uint8_t chunk;         // first chunk of the word that takes them
  uint8_t chunk_period;  // further chunks that do: every so many
  bool last;             // of the half
};

/// A write to memory.
struct store_request_t {
  bool end;        // no write: the program has ended
  bool tile_last;  // the tile is complete with it
  uint64_t address;
  uint32_t beats;
};

/// A beat to write, its first `bytes` bytes.
template <typename Config>
struct store_beat_t {
  beat_t<Config> beat;
  uint8_t bytes;
};

}  // namespace flex

#endif  // FLEX_TYPES_HPP_
