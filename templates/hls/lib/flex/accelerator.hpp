// SPDX-License-Identifier: Apache-2.0
//
// The accelerator: engines joined by streams and blocks, each a process of one dataflow region.
//
// Depths of record streams are those of the RTL's FIFOs: the order of records relies on them. All other depths only
// decouple the engines, but for two: `channels` must hold the parameters of a pass, and the streams of progress a token for every tile under way.

#ifndef FLEX_ACCELERATOR_HPP_
#define FLEX_ACCELERATOR_HPP_

#include <cstdint>

#include "flex/array.hpp"
#include "flex/collect.hpp"
#include "flex/fetch.hpp"
#include "flex/load.hpp"
#include "flex/memory.hpp"
#include "flex/place.hpp"
#include "flex/pragmas.hpp"
#include "flex/requantize.hpp"
#include "flex/scatter.hpp"
#include "flex/sequence.hpp"
#include "flex/store.hpp"
#include "flex/store_memory.hpp"
#include "flex/sum.hpp"
#include "flex/table.hpp"
#include "flex/types.hpp"
#include "flex/weight_load.hpp"
#include "flex/window.hpp"
#include "hls_stream.h"
#include "hls_streamofblocks.h"

namespace flex {

/// Runs the program at byte `program_offset`, `program_beats` beats long; returns when all tiles are stored.
template <typename Config, typename Program, typename Weights, typename Act, typename Skip, typename Out>
void accelerator(Program& program, Weights& wgt, Act& act, Skip&& skip, Out& out,
                 uint64_t program_offset, uint32_t program_beats) {
  FLEX_DATAFLOW;
  constexpr unsigned kL = derived<Config>::kL;
  constexpr bool kWindow = Config::kWindowTaps != 0;

  hls::stream<uint64_t> load_records, skip_records, weight_records, array_records, store_records;
  FLEX_STREAM(load_records, 64);
  FLEX_STREAM(skip_records, 64);
  FLEX_STREAM(weight_records, 64);
  FLEX_STREAM(array_records, 256);
  FLEX_STREAM(store_records, 64);

  hls::stream<bool> load_progress, skip_progress;
  FLEX_STREAM(load_progress, 64);
  FLEX_STREAM(skip_progress, 64);

  hls::stream<fill_t> window_tiles, load_tiles, skip_tiles;
  hls::stream<uint64_t> layers;
  hls::stream<beat_t<Config>> window_beats, load_beats, skip_beats;
  FLEX_STREAM(window_tiles, 2);
  FLEX_STREAM(load_tiles, 2);
  FLEX_STREAM(skip_tiles, 2);
  FLEX_STREAM(layers, 64);
  FLEX_STREAM(window_beats, 512);
  FLEX_STREAM(load_beats, kWindow ? 32 : 512);
  FLEX_STREAM(skip_beats, 512);

  hls::stream<bool> load_more, skip_more;
  hls::stream<placed_t<Config>> load_places, skip_places;
  FLEX_STREAM(load_more, 2);
  FLEX_STREAM(skip_more, 2);
  FLEX_STREAM(load_places, 8);
  FLEX_STREAM(skip_places, 8);

  hls::stream_of_blocks<act_block_t<Config>> act_blocks;
  hls::stream_of_blocks<skip_block_t<Config>> skip_blocks;
  hls::stream_of_blocks<out_block_t<Config>> out_blocks;
  FLEX_BLOCKS(act_blocks, 1);
  FLEX_BLOCKS(skip_blocks, 1);
  FLEX_BLOCKS(out_blocks, 1);
  FLEX_BLOCKS(out_blocks, 2);

  hls::stream<channels_t<Config>> channels;
  hls::stream<weight_word_t<Config>> weights;
  FLEX_STREAM(channels, 2 * kL);
  FLEX_STREAM(weights, 16);

  hls::stream<bool> sequence_more, array_more;
  hls::stream<run_t> runs;
  hls::stream<step_t> steps;
  hls::stream<pass_info_t<Config>> passes;
  hls::stream<uint64_t> table_words;
  FLEX_STREAM(sequence_more, 2);
  FLEX_STREAM(array_more, 2);
  FLEX_STREAM(runs, 16);
  FLEX_STREAM(steps, 64);
  FLEX_STREAM(passes, 16);
  FLEX_STREAM(table_words, 32);

  hls::stream<acc_column_t<Config>> accs[Config::kP];
  FLEX_STREAM(accs, 2);

  hls::stream<half_t> halves, summed_halves, looked_up_halves;
  hls::stream<bytes_t<Config>> bytes, summed_bytes, looked_up_bytes;
  FLEX_STREAM(halves, 8);
  FLEX_STREAM(summed_halves, 8);
  FLEX_STREAM(looked_up_halves, 8);
  FLEX_STREAM(bytes, 16);
  FLEX_STREAM(summed_bytes, 16);
  FLEX_STREAM(looked_up_bytes, 16);

  hls::stream<store_request_t> store_requests;
  hls::stream<store_beat_t<Config>> store_beats;
  FLEX_STREAM(store_requests, 16);
  FLEX_STREAM(store_beats, 64);

  FLEX_PROCESSES;
  FLEX_PROCESS(fetch<Config>(program, program_offset, program_beats, load_records, skip_records,
                             weight_records, array_records, store_records));
  if constexpr (kWindow) {
    FLEX_PROCESS(load_windows<Config>(act, load_records, load_progress, window_tiles, window_beats, layers));
    FLEX_PROCESS(window<Config>(layers, window_tiles, window_beats, load_tiles, load_beats));
  } else {
    FLEX_PROCESS(load<Config, kEngineLoad>(act, load_records, load_progress, load_tiles, load_beats));
  }
  FLEX_PROCESS(place<Config>(load_tiles, load_beats, load_more, load_places));
  FLEX_PROCESS(scatter<Config, Config::kActWords>(load_more, load_places, act_blocks));
  FLEX_PROCESS(weight_load<Config>(wgt, weight_records, channels, weights));
  if constexpr (Config::kTables) {
    FLEX_PROCESS(sequence_tables<Config>(array_records, sequence_more, runs, passes, halves, table_words));
  } else {
    FLEX_PROCESS(sequence<Config>(array_records, sequence_more, runs, passes, halves));
  }
  FLEX_PROCESS(issue<Config>(sequence_more, runs, array_more, steps));
  FLEX_PROCESS(array<Config>(array_more, act_blocks, steps, weights, accs));
  FLEX_PROCESS(requantize<Config>(passes, channels, accs, bytes));
  if constexpr (Config::kSums) {
    FLEX_PROCESS(load<Config, kEngineSkip>(skip, skip_records, skip_progress, skip_tiles, skip_beats));
    FLEX_PROCESS(place<Config>(skip_tiles, skip_beats, skip_more, skip_places));
    FLEX_PROCESS(scatter<Config, Config::kOutWords>(skip_more, skip_places, skip_blocks));
    FLEX_PROCESS(sum<Config>(halves, bytes, skip_blocks, summed_halves, summed_bytes));
  }
  if constexpr (Config::kSums && Config::kTables) {
    FLEX_PROCESS(table<Config>(summed_halves, summed_bytes, table_words, looked_up_halves, looked_up_bytes));
    FLEX_PROCESS(collect<Config>(looked_up_halves, looked_up_bytes, out_blocks));
  } else if constexpr (Config::kSums) {
    FLEX_PROCESS(collect<Config>(summed_halves, summed_bytes, out_blocks));
  } else if constexpr (Config::kTables) {
    FLEX_PROCESS(table<Config>(halves, bytes, table_words, looked_up_halves, looked_up_bytes));
    FLEX_PROCESS(collect<Config>(looked_up_halves, looked_up_bytes, out_blocks));
  } else {
    FLEX_PROCESS(collect<Config>(halves, bytes, out_blocks));
  }
  FLEX_PROCESS(store<Config>(store_records, out_blocks, store_requests, store_beats));
  FLEX_PROCESS(store_memory<Config>(out, store_requests, store_beats, load_progress, skip_progress));
}

}  // namespace flex

#endif  // FLEX_ACCELERATOR_HPP_
