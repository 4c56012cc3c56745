// SPDX-License-Identifier: Apache-2.0
//
// Table: replaces bytes by entries of a table of 256; every lane has a copy.

#ifndef FLEX_TABLE_HPP_
#define FLEX_TABLE_HPP_

#include <cstdint>

#include "flex/pragmas.hpp"
#include "flex/types.hpp"
#include "hls_stream.h"

namespace flex {

constexpr unsigned kTableEntries = 256;

/// Takes the words of a table, the first entry being that of -128.
template <unsigned Copies>
void take_table(hls::stream<uint64_t>& words, int8_t (&table)[Copies][kTableEntries]) {
  FLEX_INLINE;
  uint64_t word = 0;
Entries:
  for (unsigned i = 0; i < kTableEntries; ++i) {
    FLEX_PIPELINE;
    word = i % 8 == 0 ? words.read() : word >> 8;
  Copies_:
    for (unsigned copy = 0; copy < Copies; ++copy) {
      FLEX_UNROLL;
      table[copy][i] = static_cast<int8_t>(word & 0xff);
    }
  }
}

/// Hands bytes on half by half; looks up those of halves that say so.
template <typename Config>
void table(hls::stream<half_t>& halves, hls::stream<bytes_t<Config>>& in,
           hls::stream<uint64_t>& words, hls::stream<half_t>& halves_out,
           hls::stream<bytes_t<Config>>& out) {
  FLEX_NO_INLINE;
  constexpr unsigned kCopies = Config::kP * Config::kQ;
  int8_t table[kCopies][kTableEntries] = {};
  FLEX_PARTITION(table, 1);
Halves:
  while (true) {
    FLEX_TRIP_COUNT(2, 65536);
    const half_t half = halves.read();
  Tables:
    for (uint16_t i = 0; i < half.new_tables; ++i) {
      FLEX_TRIP_COUNT(0, 1);
      take_table<kCopies>(words, table);
    }
    halves_out.write(half);
    if (half.end) break;
    bool last = false;
  Cycles:
    while (!last) {
      FLEX_PIPELINE;
      FLEX_TRIP_COUNT(8, 65536);
      bytes_t<Config> bytes = in.read();
    Columns:
      for (unsigned p = 0; p < Config::kP; ++p) {
        FLEX_UNROLL;
      Channels:
        for (unsigned q = 0; q < Config::kQ; ++q) {
          FLEX_UNROLL;
          const uint8_t entry = static_cast<uint8_t>(bytes.column[p][q] + 128);
          const int8_t found = table[p * Config::kQ + q][entry];
          if (half.lookup) bytes.column[p][q] = found;
        }
      }
      out.write(bytes);
      last = bytes.last;
    }
  }
}

}  // namespace flex

#endif  // FLEX_TABLE_HPP_
