// SPDX-License-Identifier: Apache-2.0
//
// Versatile systolic array: kP activation words times kM weight words of kN bytes per step, output stationary.
//
// Weight words stay in a ring as long as they are needed again; new ones are taken ahead of their first use.

#ifndef FLEX_ARRAY_HPP_
#define FLEX_ARRAY_HPP_

#include <cstdint>

#include "flex/arithmetic.hpp"
#include "flex/pragmas.hpp"
#include "flex/types.hpp"
#include "hls_stream.h"
#include "hls_streamofblocks.h"

namespace flex {

/// The accumulators of a column: one for each row.
template <typename Config>
using acc_column_t = hls::vector<acc_t<Config>, Config::kM>;

/// kP adjacent words of a buffer row: bank (c + rotation) mod P for column c, a word further behind the last bank.
template <typename Config>
void read_columns(const act_block_t<Config>& block, uint16_t word, uint8_t rotation,
                  word_t<Config> (&columns)[Config::kP]) {
  FLEX_INLINE;
  word_t<Config> banks[Config::kP];
  FLEX_PARTITION(banks, 1);
Banks:
  for (unsigned b = 0; b < Config::kP; ++b) {
    FLEX_UNROLL;
    const uint32_t wrapped = b < rotation ? 1 : 0;
    banks[b] = block[b][(word + wrapped) % Config::kActWords];
  }
Columns:
  for (unsigned c = 0; c < Config::kP; ++c) {
    FLEX_UNROLL;
    const unsigned place = c + rotation;
    columns[c] = banks[place < Config::kP ? place : place - Config::kP];
  }
}

/// What a step adds to: nothing in the first of a block, 256 times the sum in one that raises it.
template <typename Config>
acc_t<Config> carried(const acc_t<Config>& acc, bool first, bool shift) {
  FLEX_INLINE;
  if constexpr (Config::kWide) {
    const acc_t<Config> raised = shift ? acc_t<Config>(acc * 256) : acc;
    return first ? acc_t<Config>(0) : raised;
  } else {
    return first ? 0 : acc;
  }
}

/// Adds a step to the accumulators, or starts them anew.
template <typename Config>
void accumulate(const word_t<Config> (&columns)[Config::kP], const weight_word_t<Config>& weights,
                bool first, bool shift, acc_column_t<Config> (&acc)[Config::kP]) {
  FLEX_INLINE;
  constexpr unsigned kN = Config::kN;
  constexpr unsigned kP = Config::kP;
Rows:
  for (unsigned m = 0; m < Config::kM; ++m) {
    FLEX_UNROLL;
    int8_t weight[kN];
    FLEX_PARTITION(weight, 1);
  Lanes:
    for (unsigned n = 0; n < kN; ++n) {
      FLEX_UNROLL;
      weight[n] = weights[m * kN + n];
    }
    if constexpr (Config::kPacked) {
    Pairs:
      for (unsigned c = 0; c < kP; c += 2) {
        FLEX_UNROLL;
        const bool pair = c + 1 < kP;
        const chain_sums_t sums =
            packed_dots<kN>(pair ? columns[pair ? c + 1 : c] : word_t<Config>(0), columns[c], weight);
        acc[c][m] = carried<Config>(acc[c][m], first, shift) + sums.low;
        if (pair) acc[c + pair][m] = carried<Config>(acc[c + pair][m], first, shift) + sums.high;
      }
    } else {
    Columns:
      for (unsigned c = 0; c < kP; ++c) {
        FLEX_UNROLL;
        acc[c][m] = carried<Config>(acc[c][m], first, shift) + plain_dot<kN>(columns[c], weight);
      }
    }
  }
}

/// The ring of weight words; words are numbered modulo 2^16.
template <typename Config>
struct weight_ring {
  /// The word `number`: from the ring, or the next one that comes. Takes a further word when there is one and room.
  weight_word_t<Config> word(uint16_t number, hls::stream<weight_word_t<Config>>& weights) {
    FLEX_INLINE;
    const bool missing = number == written;
    const bool room = static_cast<uint16_t>(written - released) < Config::kWeightWords;
    FLEX_CHECK(!missing || room, "a pass's weights do not fit the ring");
    weight_word_t<Config> fresh;
    bool came = missing;
    if (missing) {
      fresh = weights.read();
    } else if (room) {
      came = weights.read_nb(fresh);
    }
    const weight_word_t<Config> held = words[number % Config::kWeightWords];
    if (came) {
      words[written % Config::kWeightWords] = fresh;
      ++written;
    }
    return missing ? fresh : held;
  }

  weight_word_t<Config> words[Config::kWeightWords];
  uint16_t written = 0;
  uint16_t released = 0;
};

/// Executes the steps of one tile on its half of the activation buffer.
template <typename Config>
void array_tile(const act_block_t<Config>& block, weight_ring<Config>& ring,
                hls::stream<step_t>& steps, hls::stream<weight_word_t<Config>>& weights,
                hls::stream<acc_column_t<Config>> (&out)[Config::kP]) {
  FLEX_INLINE;
  acc_column_t<Config> acc[Config::kP];
  FLEX_PARTITION(acc, 1);
  bool last = false;
Steps:
  while (!last) {
    FLEX_PIPELINE;
    FLEX_TRIP_COUNT(8, 65536);
    const step_t step = steps.read();
    const weight_word_t<Config> weight = ring.word(step.weight, weights);
    FLEX_CHECK(Config::kWide || !step.shift, "there are no activations of 16 bits");
    if (step.release) ring.released = static_cast<uint16_t>(step.weight + 1);
    word_t<Config> columns[Config::kP];
    FLEX_PARTITION(columns, 1);
    read_columns<Config>(block, step.word, step.rotation, columns);
    accumulate<Config>(columns, weight, step.first, step.shift, acc);
    if (step.last) {
    Columns:
      for (unsigned c = 0; c < Config::kP; ++c) {
        FLEX_UNROLL;
        out[c].write(acc[c]);
      }
    }
    last = step.tile_last;
  }
}

/// Executes tiles as long as there are any.
template <typename Config>
void array(hls::stream<bool>& more, hls::stream_of_blocks<act_block_t<Config>>& blocks,
           hls::stream<step_t>& steps, hls::stream<weight_word_t<Config>>& weights,
           hls::stream<acc_column_t<Config>> (&out)[Config::kP]) {
  FLEX_NO_INLINE;
  static weight_ring<Config> ring;
  ring.written = ring.released = 0;
Tiles:
  while (more.read()) {
    FLEX_TRIP_COUNT(1, 65536);
    hls::read_lock<act_block_t<Config>> block(blocks);
    array_tile<Config>(block, ring, steps, weights, out);
  }
}

}  // namespace flex

#endif  // FLEX_ARRAY_HPP_
