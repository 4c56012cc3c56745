// SPDX-License-Identifier: Apache-2.0
//
// Load: reads the windows of tiles from memory, a beat per cycle, once the tiles that they need are stored.
//
// The same engine reads second tensors, from records of its own.

#ifndef FLEX_LOAD_HPP_
#define FLEX_LOAD_HPP_

#include <cstdint>

#include "flex/memory.hpp"
#include "flex/pragmas.hpp"
#include "flex/types.hpp"
#include "hls_stream.h"

namespace flex {

/// Tiles between the one that is loaded and the oldest that is not stored, at most. A load engine takes
/// the tokens of all older ones, so that the store engine never waits for room in the stream of progress.
constexpr uint32_t kTilesUnderWay = 16;

/// Takes the words of window layers where there is no window engine: none.
struct no_layers {
  void write(uint64_t) { FLEX_CHECK(false, "there is no window engine"); }
};

/// Takes tokens of progress until `target` tiles are stored; `done` is their number.
inline void await_tiles(hls::stream<bool>& progress, uint32_t target, uint32_t& done) {
  FLEX_INLINE;
Tokens:
  while (static_cast<int32_t>(target - done) > 0) {
    FLEX_PIPELINE;
    FLEX_TRIP_COUNT(0, 16);
    progress.read();
    ++done;
  }
}

/// Reads the beats of a tile whose plane words come from `commands`; asks ahead of what it reads.
template <typename Config, typename Memory>
void read_planes(memory_port<Config, Memory>& port, const load_tile_t& tile,
                 hls::stream<uint64_t>& commands, hls::stream<beat_t<Config>>& beats) {
  FLEX_INLINE;
  const uint32_t plane_beats = static_cast<uint32_t>(tile.mem_rows) * tile.row_beats;
  const uint16_t requests = tile.contiguous ? uint16_t{1} : tile.mem_rows;
  const uint32_t length = tile.contiguous ? plane_beats : uint32_t{tile.row_beats};
  const uint32_t total = tile.planes * plane_beats;
  uint16_t plane = 0, request = 0, unfinished = 0;
  uint32_t taken = 0, taken_of_request = 0;
  uint64_t ask_at = 0;
Beats:
  while (plane < tile.planes || taken < total) {
    FLEX_PIPELINE;
    FLEX_TRIP_COUNT(8, 4096);
    const bool takes = unfinished != 0;
    bool asks = plane < tile.planes && unfinished < kRequestsAhead;
    if (asks) {
      if (request == 0) {
        const uint64_t word[kPlaneWords] = {commands.read()};
        ask_at = decode_plane(word).address;
        FLEX_CHECK(ask_at % Config::kDataBytes == 0, "a plane begins within a beat");
      }
      const bool plane_done = request + 1 >= requests;
      asks = plane_beats != 0;
      if (asks) port.ask(ask_at / Config::kDataBytes, length);
      ask_at += tile.row_pitch;
      request = plane_done ? uint16_t{0} : static_cast<uint16_t>(request + 1);
      plane += plane_done;
    }
    bool finished = false;
    if (takes) {
      beats.write(port.read());
      ++taken;
      finished = ++taken_of_request == length;
      if (finished) taken_of_request = 0;
    }
    unfinished = static_cast<uint16_t>(unfinished + asks - finished);
  }
}

/// Executes the records of engine `Engine`; `progress` has a token for each stored tile.
///
/// The window engine gets the words of its layers, and the header of every tile and of the end.
template <typename Config, engine_t Engine, typename Memory, typename Layers>
void run_load(Memory& memory, hls::stream<uint64_t>& commands, hls::stream<bool>& progress,
              hls::stream<fill_t>& tiles, hls::stream<beat_t<Config>>& beats, Layers& layers) {
  FLEX_INLINE;
  memory_port<Config, Memory> port(memory);
  uint32_t done = 0, loaded = 0;
  fill_t fill;
  fill.end = false;
Records:
  while (!fill.end) {
    FLEX_TRIP_COUNT(2, 65536);
    const uint64_t first[kHeaderWords] = {commands.read()};
    const header_t header = decode_header(first);
    if (header.engine == kEngineControl) {
      const uint64_t word[kControlEndWords] = {commands.read()};
      await_tiles(progress, decode_control_end(word).tiles, done);
      fill.end = true;
      if (Config::kWindowTaps != 0 && Engine == kEngineLoad) layers.write(first[0]);
      tiles.write(fill);
    } else if (header.engine != Engine) {
      // Not a record: the header of a load tile, which keeps the tokens in step.
      await_tiles(progress, loaded < kTilesUnderWay ? 0 : loaded - kTilesUnderWay, done);
      ++loaded;
    } else if (header.kind == kLoadWaitKind) {
      const uint64_t word[kLoadWaitWords] = {commands.read()};
      const load_wait_t wait = decode_load_wait(word);
      const uint16_t missing = static_cast<uint16_t>(wait.core_tiles[0] - done);
      if (missing < 0x8000) await_tiles(progress, done + missing, done);
    } else if (header.kind == kWindowKind) {
      layers.write(first[0]);
    Layer:
      for (uint16_t i = 0; i < header.words; ++i) {
        FLEX_PIPELINE;
        FLEX_TRIP_COUNT(1, 65535);
        layers.write(commands.read());
      }
    } else {
      uint64_t word[kLoadTileWords];
    Tile:
      for (unsigned i = 0; i < kLoadTileWords; ++i) {
        FLEX_PIPELINE;
        word[i] = commands.read();
      }
      fill.tile = decode_load_tile(word);
      FLEX_CHECK(header.words == kLoadTileWords + fill.tile.planes, "planes and plane words differ");
      if (Engine == kEngineLoad) {
        await_tiles(progress, loaded < kTilesUnderWay ? 0 : loaded - kTilesUnderWay, done);
        ++loaded;
      }
      if (Config::kWindowTaps != 0 && Engine == kEngineLoad) layers.write(first[0]);
      tiles.write(fill);
      await_tiles(progress, fill.tile.wait_tiles, done);
      read_planes<Config>(port, fill.tile, commands, beats);
    }
  }
}

/// The engine in front of a buffer.
template <typename Config, engine_t Engine, typename Memory>
void load(Memory& memory, hls::stream<uint64_t>& commands, hls::stream<bool>& progress,
          hls::stream<fill_t>& tiles, hls::stream<beat_t<Config>>& beats) {
  FLEX_NO_INLINE;
  no_layers layers;
  run_load<Config, Engine>(memory, commands, progress, tiles, beats, layers);
}

/// The engine in front of the window engine.
template <typename Config, typename Memory>
void load_windows(Memory& memory, hls::stream<uint64_t>& commands, hls::stream<bool>& progress,
                  hls::stream<fill_t>& tiles, hls::stream<beat_t<Config>>& beats,
                  hls::stream<uint64_t>& layers) {
  FLEX_NO_INLINE;
  run_load<Config, kEngineLoad>(memory, commands, progress, tiles, beats, layers);
}

}  // namespace flex

#endif  // FLEX_LOAD_HPP_
