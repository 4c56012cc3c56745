// SPDX-License-Identifier: Apache-2.0
//
// Sum: adds a second tensor, which stands in the skip buffer where the output buffer is to have the sum.

#ifndef FLEX_SUM_HPP_
#define FLEX_SUM_HPP_

#include <cstdint>

#include "flex/arithmetic.hpp"
#include "flex/pragmas.hpp"
#include "flex/types.hpp"
#include "hls_stream.h"
#include "hls_streamofblocks.h"

namespace flex {

/// Sums the bytes of one half, and bends the sums if it says so.
template <typename Config>
void sum_half(const skip_block_t<Config>& second, const half_t& half,
              hls::stream<bytes_t<Config>>& in, hls::stream<bytes_t<Config>>& out) {
  FLEX_INLINE;
  bool last = false;
Cycles:
  while (!last) {
    FLEX_PIPELINE;
    FLEX_TRIP_COUNT(8, 65536);
    bytes_t<Config> bytes = in.read();
  Columns:
    for (unsigned p = 0; p < Config::kP; ++p) {
      FLEX_UNROLL;
      const word_t<Config> word = second[p][bytes.word % Config::kOutWords];
    Channels:
      for (unsigned q = 0; q < Config::kQ; ++q) {
        FLEX_UNROLL;
        bytes.column[p][q] =
            summed(bytes.column[p][q], word[bytes.chunk * Config::kQ + q], half.sum);
        if constexpr (Config::kBends) {
          if (half.bent) bytes.column[p][q] = bent(bytes.column[p][q], bytes.slope[q], half.bend);
        }
      }
    }
    out.write(bytes);
    last = bytes.last;
  }
}

/// Hands bytes on half by half; sums those of halves that say so.
template <typename Config>
void sum(hls::stream<half_t>& halves, hls::stream<bytes_t<Config>>& in,
         hls::stream_of_blocks<skip_block_t<Config>>& blocks, hls::stream<half_t>& halves_out,
         hls::stream<bytes_t<Config>>& out) {
  FLEX_NO_INLINE;
Halves:
  while (true) {
    FLEX_TRIP_COUNT(2, 65536);
    const half_t half = halves.read();
    halves_out.write(half);
    if (half.end) break;
    if (half.summed) {
      hls::read_lock<skip_block_t<Config>> second(blocks);
      sum_half<Config>(second, half, in, out);
    } else {
      bool last = false;
    Pass:
      while (!last) {
        FLEX_PIPELINE;
        FLEX_TRIP_COUNT(8, 65536);
        const bytes_t<Config> bytes = in.read();
        out.write(bytes);
        last = bytes.last;
      }
    }
  }
}

}  // namespace flex

#endif  // FLEX_SUM_HPP_
