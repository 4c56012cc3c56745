// SPDX-License-Identifier: Apache-2.0
//
// Store memory: writes beats, and tells the load engines of a tile once memory has acknowledged all of it.

#ifndef FLEX_STORE_MEMORY_HPP_
#define FLEX_STORE_MEMORY_HPP_

#include <cstdint>

#include "flex/memory.hpp"
#include "flex/pragmas.hpp"
#include "flex/types.hpp"
#include "hls_stream.h"

namespace flex {

/// Tells both load engines, or the only one.
template <typename Config>
void tell(hls::stream<bool>& load, hls::stream<bool>& skip) {
  FLEX_INLINE;
  load.write(true);
  if (Config::kSums) skip.write(true);
}

/// Executes requests; a token goes to `load_progress`, with sums to `skip_progress` too, for each tile.
///
/// Responses are awaited when no further request is there, or too many are open: a tile that nothing follows is told
/// at once, and others do not hold up the data.
template <typename Config, typename Memory>
void store_memory(Memory& memory, hls::stream<store_request_t>& requests,
                  hls::stream<store_beat_t<Config>>& beats, hls::stream<bool>& load_progress,
                  hls::stream<bool>& skip_progress) {
  FLEX_NO_INLINE;
  memory_port<Config, Memory> port(memory);
  uint32_t tile_ends = 0;  // of the open requests, the oldest in the highest place that is used
  uint8_t open = 0;
  uint32_t beats_left = 0;
  bool end = false, last_of_tile = false;
Cycles:
  while (!end || open != 0) {
    FLEX_PIPELINE;
    FLEX_TRIP_COUNT(8, 1048576);
    if (beats_left != 0) {
      const store_beat_t<Config> beat = beats.read();
      port.write(beat.beat, beat.bytes);
      --beats_left;
      if (beats_left == 0) {
        tile_ends = (tile_ends << 1) | (last_of_tile ? 1 : 0);
        ++open;
      }
    } else if (open != 0 && (end || open == kRequestsAhead || requests.empty())) {
      port.await();
      --open;
      if ((tile_ends >> open) & 1) tell<Config>(load_progress, skip_progress);
    } else {
      const store_request_t request = requests.read();
      end = request.end;
      if (!request.end) {
        FLEX_CHECK(request.address % Config::kDataBytes == 0, "a row is stored within a beat");
        port.announce(request.address / Config::kDataBytes, request.beats);
        beats_left = request.beats;
        last_of_tile = request.tile_last;
      }
    }
  }
}

}  // namespace flex

#endif  // FLEX_STORE_MEMORY_HPP_
