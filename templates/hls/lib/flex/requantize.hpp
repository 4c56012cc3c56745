// SPDX-License-Identifier: Apache-2.0
//
// Requantise: accumulators to bytes, kP * kQ a cycle; a block takes kM / kQ cycles.

#ifndef FLEX_REQUANTIZE_HPP_
#define FLEX_REQUANTIZE_HPP_

#include <cstdint>

#include "flex/arithmetic.hpp"
#include "flex/array.hpp"
#include "flex/pragmas.hpp"
#include "flex/types.hpp"
#include "hls_stream.h"

namespace flex {

/// Executes passes; parameters come with the first block that needs them and stay for kept tiles.
template <typename Config>
void requantize(hls::stream<pass_info_t<Config>>& passes, hls::stream<channels_t<Config>>& channels,
                hls::stream<acc_column_t<Config>> (&accs)[Config::kP],
                hls::stream<bytes_t<Config>>& out) {
  FLEX_NO_INLINE;
  constexpr unsigned kL = derived<Config>::kL;
  static channels_t<Config> ring[Config::kParamPasses * kL];
  uint16_t written = 0;
Passes:
  while (true) {
    FLEX_TRIP_COUNT(2, 1048576);
    const pass_info_t<Config> pass = passes.read();
    if (pass.end) break;
    const bool fresh = pass.param == written;
    if (fresh) ++written;
    const unsigned slot = (pass.param % Config::kParamPasses) * kL;
    const range_t<output_t<Config>> range = {pass.zero_point, pass.low, pass.high};
    // Chunks of a word before its bytes repeat.
    const unsigned period = (1u << pass.word_channels) / Config::kQ;
    FLEX_CHECK(period != 0 && pass.out_byte % Config::kQ == 0, "channels of a word are no multiple of Q");
    acc_column_t<Config> acc[Config::kP];
    FLEX_PARTITION(acc, 1);
    uint32_t group = 0;
    unsigned i = 0;
  Cycles:
    while (group != pass.groups) {
      FLEX_PIPELINE;
      FLEX_TRIP_COUNT(8, 65536);
      channels_t<Config> now;
      if (fresh && group == 0) {
        now = channels.read();
        ring[slot + i] = now;
      } else {
        now = ring[slot + i];
      }
      if (i == 0) {
      Take:
        for (unsigned p = 0; p < Config::kP; ++p) {
          FLEX_UNROLL;
          acc[p] = accs[p].read();
        }
      }
      bytes_t<Config> bytes;
      if constexpr (Config::kBends) {
      Slopes:
        for (unsigned q = 0; q < Config::kQ; ++q) {
          FLEX_UNROLL;
          bytes.slope[q] = now.channel[q].below;
          if (pass.bent) {
            now.channel[q].below.mult = static_cast<int64_t>(now.channel[q].above.mult);
            now.channel[q].below.shift = static_cast<int64_t>(now.channel[q].above.shift);
            now.channel[q].below.bias = static_cast<int64_t>(now.channel[q].above.bias);
          }
        }
      }
    Columns:
      for (unsigned p = 0; p < Config::kP; ++p) {
        FLEX_UNROLL;
      Chains:
        for (unsigned q = 0; q < Config::kQ; ++q) {
          FLEX_UNROLL;
          // The lowest row of a chain comes first.
          const acc_t<Config> value = acc[p][q * kL + (kL - 1 - i)];
          const output_t<Config> output = requantized<Config::kSlopes, Config::kWide>(
              value, now.channel[q], range, pass.wide);
          bytes.column[p][q] = Config::kWide ? put_out(output, pass.plane) : output;
        }
      }
      const unsigned chunk = pass.out_byte / Config::kQ + i;
      const unsigned plane = chunk >> (pass.word_channels - log2_of(Config::kQ));
      bytes.word = static_cast<uint16_t>(pass.out_base + group + plane * pass.out_plane_words);
      bytes.chunk = static_cast<uint8_t>(chunk & (period - 1));
      bytes.chunk_period = static_cast<uint8_t>(period);
      const bool block_last = i == kL - 1;
      bytes.last = pass.hand_over && block_last && group + 1 == pass.groups;
      out.write(bytes);
      i = block_last ? 0 : i + 1;
      group += block_last;
    }
  }
}

}  // namespace flex

#endif  // FLEX_REQUANTIZE_HPP_
