// SPDX-License-Identifier: Apache-2.0
//
// Fetch: reads the program and hands each record, header first, to its engine; a word per cycle.
//
// Every engine gets the record that ends the program. The skip load engine also gets the header of
// every load tile, so that it takes as many tokens of progress as there are tiles.

#ifndef FLEX_FETCH_HPP_
#define FLEX_FETCH_HPP_

#include <cstdint>

#include "flex/memory.hpp"
#include "flex/pragmas.hpp"
#include "flex/types.hpp"
#include "hls_stream.h"

namespace flex {

/// Words that a record of this kind has at least; all of them unless it has a tail.
inline unsigned fixed_words(const header_t& header) {
  FLEX_INLINE;
  switch (header.engine) {
    case kEngineLoad:
      return header.kind == kLoadTileKind ? kLoadTileWords
             : header.kind == kLoadWaitKind ? kLoadWaitWords
                                            : kWindowWords;
    case kEngineSkip:
      return header.kind == kSkipTileKind ? kSkipTileWords : kSkipWaitWords;
    case kEngineWeights:
      return kWeightsFetchWords;
    case kEngineArray:
      return header.kind == kArrayTileKind ? kArrayTileWords
             : header.kind == kArraySumKind ? kArraySumWords
             : header.kind == kArrayBendKind ? kArrayBendWords
             : header.kind == kArrayWideKind ? kArrayWideWords
                                            : 0;
    case kEngineStore:
      return kStoreTileWords;
    default:
      return kControlEndWords;
  }
}

/// Routes a program of `beats` beats, which begins `offset` bytes from the start of memory.
template <typename Config, typename Memory>
void fetch(Memory& memory, uint64_t offset, uint32_t beats, hls::stream<uint64_t>& load,
           hls::stream<uint64_t>& skip, hls::stream<uint64_t>& weights,
           hls::stream<uint64_t>& array, hls::stream<uint64_t>& store) {
  FLEX_NO_INLINE;
  constexpr unsigned kWords = derived<Config>::kBeatWords;
  memory_port<Config, Memory> port(memory);
  port.ask(offset / Config::kDataBytes, beats);
  beat_t<Config> beat;
  uint16_t left = 0;
  uint8_t engine = kEngineControl;
  bool ended = false;
Words:
  for (uint32_t i = 0; i < beats * kWords; ++i) {
    FLEX_PIPELINE;
    FLEX_TRIP_COUNT(64, 1048576);
    if (i % kWords == 0) beat = port.read();
    const uint64_t word[1] = {word_of(beat, i % kWords)};
    const bool header = left == 0;
    bool tick = false;
    if (ended) continue;
    if (header) {
      const header_t record = decode_header(word);
      FLEX_CHECK(record.engine <= kEngineSkip, "the program has a record of no engine");
      FLEX_CHECK(record.words >= fixed_words(record), "a record of the program is cut short");
      engine = record.engine;
      left = record.words;
      tick = engine == kEngineLoad && record.kind == kLoadTileKind;
    } else {
      --left;
    }
    const bool all = engine == kEngineControl;
    if (all || engine == kEngineLoad) load.write(word[0]);
    if (all || engine == kEngineWeights) weights.write(word[0]);
    if (all || engine == kEngineArray) array.write(word[0]);
    if (all || engine == kEngineStore) store.write(word[0]);
    if (Config::kSums && (all || tick || engine == kEngineSkip)) skip.write(word[0]);
    ended = all && !header;
  }
  FLEX_CHECK(ended, "the program has no end");
}

}  // namespace flex

#endif  // FLEX_FETCH_HPP_
