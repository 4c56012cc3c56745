// SPDX-License-Identifier: Apache-2.0
//
// Collect: writes the bytes of a half of the output buffer.

#ifndef FLEX_COLLECT_HPP_
#define FLEX_COLLECT_HPP_

#include <cstdint>

#include "flex/pragmas.hpp"
#include "flex/types.hpp"
#include "hls_stream.h"
#include "hls_streamofblocks.h"

namespace flex {

/// Writes the bytes of one half.
template <typename Config>
void collect_half(hls::stream<bytes_t<Config>>& in, out_block_t<Config>& block) {
  FLEX_INLINE;
  bool last = false;
Cycles:
  while (!last) {
    FLEX_PIPELINE;
    FLEX_TRIP_COUNT(8, 65536);
    const bytes_t<Config> bytes = in.read();
    FLEX_CHECK(bytes.word < Config::kOutWords, "a pass overruns the output buffer");
  Chunks:
    for (unsigned c = 0; c < derived<Config>::kChunks; ++c) {
      FLEX_UNROLL;
      // A word of fewer channels repeats them.
      const bool writes = (c & (bytes.chunk_period - 1u)) == bytes.chunk;
    Columns:
      for (unsigned p = 0; p < Config::kP; ++p) {
        FLEX_UNROLL;
        if (writes) block[p][c][bytes.word % Config::kOutWords] = bytes.column[p];
      }
    }
    last = bytes.last;
  }
}

/// Fills one half after the other.
template <typename Config>
void collect(hls::stream<half_t>& halves, hls::stream<bytes_t<Config>>& in,
             hls::stream_of_blocks<out_block_t<Config>>& blocks) {
  FLEX_NO_INLINE;
Halves:
  while (!halves.read().end) {
    FLEX_TRIP_COUNT(1, 65536);
    hls::write_lock<out_block_t<Config>> block(blocks);
    collect_half<Config>(in, block);
  }
}

}  // namespace flex

#endif  // FLEX_COLLECT_HPP_
