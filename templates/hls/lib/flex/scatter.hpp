// SPDX-License-Identifier: Apache-2.0
//
// Scatter: writes placed pixels to the banks of a buffer, every bank one pixel a cycle.
//
// A beat takes as many cycles as its fullest bank has pixels, one at least.

#ifndef FLEX_SCATTER_HPP_
#define FLEX_SCATTER_HPP_

#include <cstdint>

#include "flex/pragmas.hpp"
#include "flex/types.hpp"
#include "hls_stream.h"
#include "hls_streamofblocks.h"

namespace flex {

/// Number of the lowest bit that is set, 0 without one.
template <unsigned Bits>
unsigned lowest_bit(uint32_t bits) {
  FLEX_INLINE;
  unsigned lowest = 0;
Bits_:
  for (unsigned i = Bits; i-- > 0;) {
    FLEX_UNROLL;
    if ((bits >> i) & 1) lowest = i;
  }
  return lowest;
}

/// Writes one tile; `Words` is the depth of the banks.
template <typename Config, unsigned Words>
void scatter_tile(hls::stream<placed_t<Config>>& in, word_t<Config> (&block)[Config::kP][Words]) {
  FLEX_INLINE;
  constexpr unsigned kLanes = derived<Config>::kBeatPixels;
  placed_t<Config> placed;
  FLEX_PARTITION(placed.lanes, 1);
  bool fresh = true, done = false;
Cycles:
  while (!done) {
    FLEX_PIPELINE;
    FLEX_TRIP_COUNT(8, 4096);
    if (fresh) placed = in.read();
    bool more = false;
  Banks:
    for (unsigned b = 0; b < Config::kP; ++b) {
      FLEX_UNROLL;
      const uint32_t lanes = placed.lanes[b];
      const unsigned lane = lowest_bit<kLanes>(lanes);
      if (lanes != 0) {
        FLEX_CHECK(placed.word[lane] < Words, "a window overruns its buffer");
        block[b][placed.word[lane] % Words] = placed.pixel[lane];
      }
      placed.lanes[b] = lanes & (lanes - 1);
      more = more || placed.lanes[b] != 0;
    }
    fresh = !more;
    done = fresh && placed.last;
  }
}

/// Fills one half after the other, as long as there are tiles.
template <typename Config, unsigned Words>
void scatter(hls::stream<bool>& more, hls::stream<placed_t<Config>>& in,
             hls::stream_of_blocks<word_t<Config>[Config::kP][Words]>& blocks) {
  FLEX_NO_INLINE;
Tiles:
  while (more.read()) {
    FLEX_TRIP_COUNT(1, 65536);
    hls::write_lock<word_t<Config>[Config::kP][Words]> block(blocks);
    scatter_tile<Config, Words>(in, block);
  }
}

}  // namespace flex

#endif  // FLEX_SCATTER_HPP_
