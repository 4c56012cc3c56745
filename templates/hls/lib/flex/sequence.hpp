// SPDX-License-Identifier: Apache-2.0
//
// Sequence: array records to runs of reduction steps, a list entry per cycle.
//
// A pass walks the tile's pixel groups, and for each its reduction list. A group adds its offset to an entry's base;
// nobody computes a coordinate.

#ifndef FLEX_SEQUENCE_HPP_
#define FLEX_SEQUENCE_HPP_

#include <cstdint>

#include "flex/pragmas.hpp"
#include "flex/types.hpp"
#include "hls_stream.h"

namespace flex {

/// Takes table words where there are no tables: none.
struct no_tables {
  void write(uint64_t) { FLEX_CHECK(false, "there are no tables"); }
};

/// Emits the runs of one pass over a tile.
template <typename Config>
void walk_pass(const array_tile_t& tile, const pass_t& pass,
               const list_entry_t (&lists)[Config::kListEntries], hls::stream<run_t>& runs) {
  FLEX_INLINE;
  const uint16_t entries = static_cast<uint16_t>(static_cast<int64_t>(pass.list_entries));
  const uint16_t start = static_cast<uint16_t>(static_cast<int64_t>(pass.list_start));
  FLEX_CHECK(entries != 0 && start + entries <= Config::kListEntries, "a pass's list is not there");
  FLEX_CHECK(tile.rows != 0 && tile.groups != 0, "a pass without pixels");
  uint16_t entry = 0, group = 0, row = 0;
  uint16_t row_word = 0, word = 0;
  bool first = true, last = false;
Runs:
  while (!last) {
    FLEX_PIPELINE;
    FLEX_TRIP_COUNT(1, 65536);
    const list_entry_t item = lists[(start + entry) % Config::kListEntries];
    const bool list_last = entry + 1 == entries;
    const bool row_last = list_last && group + 1 == tile.groups;
    last = row_last && row + 1 == tile.rows;
    run_t run;
    run.word = static_cast<uint16_t>(item.base + word);
    run.rotation = item.rotation;
    run.steps = item.run;
    run.first = entry == 0;
    run.shift = item.shift;
    run.last = list_last;
    run.pass_first = first;
    run.pass_last = last;
    run.keep = tile.keep;
    run.stream = tile.stream;
    run.tile_last = pass.tile_last;
    run.plane_words = tile.plane_words;
    runs.write(run);
    first = false;
    entry = list_last ? uint16_t{0} : static_cast<uint16_t>(entry + 1);
    if (row_last) {
      row_word = static_cast<uint16_t>(row_word + tile.row_step);
      word = row_word;
      group = 0;
      ++row;
    } else if (list_last) {
      ++word;
      ++group;
    }
  }
}

/// Executes the array's records; `more` tells of every tile, and of the end.
template <typename Config, typename Tables>
void run_sequence(hls::stream<uint64_t>& commands, hls::stream<bool>& more, hls::stream<run_t>& runs,
                  hls::stream<pass_info_t<Config>>& passes, hls::stream<half_t>& halves, Tables& tables) {
  FLEX_INLINE;
  list_entry_t lists[Config::kListEntries];
  array_tile_t tile{};
  array_sum_t sum{};
  array_bend_t bend{};
  array_wide_t wide{};
  uint16_t new_tables = 0;
  uint16_t param = 0, params_released = 0;
  bool tile_open = false;
Records:
  while (true) {
    FLEX_TRIP_COUNT(4, 1048576);
    const uint64_t first[kHeaderWords] = {commands.read()};
    const header_t header = decode_header(first);
    if (header.engine == kEngineControl) {
      commands.read();
      break;
    }
    if (header.kind == kArrayListsKind) {
      FLEX_CHECK(header.words <= Config::kListEntries, "lists overrun the list memory");
    Lists:
      for (uint16_t i = 0; i < header.words; ++i) {
        FLEX_PIPELINE;
        FLEX_TRIP_COUNT(1, 4096);
        const uint64_t word[kListEntryWords] = {commands.read()};
        lists[i % Config::kListEntries] = decode_list_entry(word);
      }
    } else if (header.kind == kArrayTableKind) {
      FLEX_CHECK(!tile_open && header.words == kTableWords, "a table in a tile, or of another length");
    Table:
      for (unsigned i = 0; i < kTableWords; ++i) {
        FLEX_PIPELINE;
        tables.write(commands.read());
      }
      ++new_tables;
    } else if (header.kind == kArraySumKind) {
      const uint64_t low = commands.read();
      const uint64_t words[kArraySumWords] = {low, commands.read()};
      sum = decode_array_sum(words);
    } else if (header.kind == kArrayBendKind) {
      FLEX_CHECK(Config::kBends, "the kernel does not bend sums");
      const uint64_t low = commands.read();
      const uint64_t words[kArrayBendWords] = {low, commands.read()};
      bend = decode_array_bend(words);
    } else if (header.kind == kArrayWideKind) {
      FLEX_CHECK(Config::kWide, "there are no activations of 16 bits");
      const uint64_t word[kArrayWideWords] = {commands.read()};
      wide = decode_array_wide(word);
    } else if (header.kind == kArrayTileKind) {
      const uint64_t low = commands.read();
      const uint64_t words[kArrayTileWords] = {low, commands.read()};
      tile = decode_array_tile(words);
      FLEX_CHECK(!tile_open, "the tile before has no last pass");
      tile_open = true;
      more.write(true);
    } else {
    Passes:
      for (uint16_t i = 0; i < header.words; ++i) {
        FLEX_TRIP_COUNT(1, 4096);
        const uint64_t word[kPassWords] = {commands.read()};
        const pass_t pass = decode_pass(word);
        FLEX_CHECK(tile_open, "a pass without a tile");
        if (pass.take) {
          half_t half;
          half.end = false;
          half.summed = tile.summed;
          half.bent = tile.bent;
          half.lookup = tile.lookup;
          half.new_tables = new_tables;
          half.sum = sum;
          half.bend = bend;
          halves.write(half);
          new_tables = 0;
        }
        pass_info_t<Config> info;
        info.end = false;
        info.groups = static_cast<uint32_t>(tile.rows) * tile.groups;
        info.param = param;
        info.out_base = pass.out_base;
        info.out_plane_words = tile.out_plane_words;
        info.out_byte = pass.out_byte;
        info.word_channels = static_cast<uint8_t>(static_cast<int64_t>(tile.word_channels));
        const bool own = !(Config::kWide && tile.wide);
        info.zero_point = static_cast<output_t<Config>>(own ? tile.zero_point : wide.zero_point);
        info.low = static_cast<output_t<Config>>(own ? tile.low : wide.low);
        info.high = static_cast<output_t<Config>>(own ? tile.high : wide.high);
        info.wide = tile.wide;
        info.plane = static_cast<uint8_t>(static_cast<int64_t>(pass.plane));
        info.take = pass.take;
        info.hand_over = pass.hand_over;
        info.bent = tile.summed && tile.bent;
        passes.write(info);
        walk_pass<Config>(tile, pass, lists, runs);
        ++param;
        if (!tile.keep) params_released = param;
        if (pass.tile_last) {
          // What is kept is used again by the next tile.
          param = params_released;
          tile_open = false;
        }
      }
    }
  }
  more.write(false);
  pass_info_t<Config> end{};
  end.end = true;
  passes.write(end);
  half_t none{};
  none.end = true;
  // Tables that nothing has used must not stay behind.
  none.new_tables = new_tables;
  halves.write(none);
}

/// The engine of a design without tables.
template <typename Config>
void sequence(hls::stream<uint64_t>& commands, hls::stream<bool>& more, hls::stream<run_t>& runs,
              hls::stream<pass_info_t<Config>>& passes, hls::stream<half_t>& halves) {
  FLEX_NO_INLINE;
  no_tables tables;
  run_sequence<Config>(commands, more, runs, passes, halves, tables);
}

/// The engine of a design with tables, whose words it hands on.
template <typename Config>
void sequence_tables(hls::stream<uint64_t>& commands, hls::stream<bool>& more, hls::stream<run_t>& runs,
                     hls::stream<pass_info_t<Config>>& passes, hls::stream<half_t>& halves,
                     hls::stream<uint64_t>& tables) {
  FLEX_NO_INLINE;
  run_sequence<Config>(commands, more, runs, passes, halves, tables);
}

/// Expands runs into steps, and numbers their weight words.
template <typename Config>
void issue(hls::stream<bool>& more, hls::stream<run_t>& runs, hls::stream<bool>& more_out,
           hls::stream<step_t>& steps) {
  FLEX_NO_INLINE;
  uint16_t cursor = 0, released = 0;
Tiles:
  while (true) {
    FLEX_TRIP_COUNT(2, 65536);
    const bool tile = more.read();
    more_out.write(tile);
    if (!tile) break;
    run_t run{};
    uint16_t left = 0, word = 0, weight = cursor;
    bool head = false, tile_last = false;
  Steps:
    while (!tile_last) {
      FLEX_PIPELINE;
      FLEX_TRIP_COUNT(8, 65536);
      if (left == 0) {
        run = runs.read();
        FLEX_CHECK(run.steps != 0, "a list entry without steps");
        FLEX_CHECK(run.rotation < Config::kP, "a rotation is not below P");
        left = run.steps;
        word = run.word;
        head = true;
        if (run.pass_first) cursor = weight;
        // Every pixel group uses the pass's words again, unless they are used up one by one.
        if (run.first && !run.stream) weight = cursor;
      }
      const bool run_last = left == 1;
      const bool block_last = run_last && run.last;
      const bool pass_last = run_last && run.pass_last;
      tile_last = pass_last && run.tile_last;
      step_t step;
      step.word = word;
      step.rotation = run.rotation;
      step.weight = weight;
      step.release = run.stream || (pass_last && !run.keep);
      step.first = head && run.first;
      step.shift = head && run.shift;
      step.last = block_last;
      step.tile_last = tile_last;
      steps.write(step);
      head = false;
      --left;
      word = static_cast<uint16_t>(word + run.plane_words);
      ++weight;
      if (step.release) released = weight;
    }
    // What is kept is used again by the next tile.
    cursor = released;
  }
}

}  // namespace flex

#endif  // FLEX_SEQUENCE_HPP_
