// SPDX-License-Identifier: Apache-2.0
//
// Weight load: reads pass images from memory and cuts them into parameters and weight words.
//
// An image is a header beat, the parameters of a pass in whole beats if it has any, and weight words in whole beats.
// In each cycle the engine takes a beat, or a further piece of the last one.

#ifndef FLEX_WEIGHT_LOAD_HPP_
#define FLEX_WEIGHT_LOAD_HPP_

#include <cstdint>

#include "flex/memory.hpp"
#include "flex/pragmas.hpp"
#include "flex/types.hpp"
#include "hls_stream.h"

namespace flex {

/// The numbers of kQ channels.
template <typename Config>
channels_t<Config> decode_channels(
    const hls::vector<uint8_t, Config::kQ * derived<Config>::kRecordBytes>& piece) {
  FLEX_INLINE;
  constexpr unsigned kWords = derived<Config>::kRecordBytes / 8;
  channels_t<Config> channels;
Channels:
  for (unsigned q = 0; q < Config::kQ; ++q) {
    FLEX_UNROLL;
    const uint64_t above[kParameterWords] = {word_of(piece, q * kWords),
                                             word_of(piece, q * kWords + 1)};
    channels.channel[q].above = decode_parameter(above);
    channels.channel[q].below = slope_t{};
    if (Config::kSlopes) {
      const uint64_t below[kSlopeWords] = {word_of(piece, q * kWords + kWords - 2),
                                           word_of(piece, q * kWords + kWords - 1)};
      channels.channel[q].below = decode_slope(below);
    }
  }
  return channels;
}

/// Cuts beats into pieces of `Bytes` bytes, or joins them to such; both are powers of two.
template <unsigned BeatBytes, unsigned Bytes>
struct cutter {
  static constexpr bool kJoins = Bytes >= BeatBytes;
  /// Beats of a piece, or pieces of a beat.
  static constexpr unsigned kRatio = kJoins ? Bytes / BeatBytes : BeatBytes / Bytes;
  static constexpr unsigned kShared = kJoins ? BeatBytes : Bytes;

  /// Takes part `part` of `beat` (a joining cutter the whole of it); true when the piece is complete.
  bool take(const hls::vector<uint8_t, BeatBytes>& beat, unsigned part) {
    FLEX_INLINE;
  Bytes_:
    for (unsigned i = 0; i < kShared; ++i) {
      FLEX_UNROLL;
      if (kJoins) {
        piece[part * kShared + i] = beat[i];
      } else {
        piece[i] = beat[part * kShared + i];
      }
    }
    return !kJoins || part == kRatio - 1;
  }

  hls::vector<uint8_t, Bytes> piece;
};

/// Executes the records of the weight load engine.
template <typename Config, typename Memory>
void weight_load(Memory& memory, hls::stream<uint64_t>& commands,
                 hls::stream<channels_t<Config>>& channels,
                 hls::stream<weight_word_t<Config>>& weights) {
  FLEX_NO_INLINE;
  constexpr unsigned kWordBytes = Config::kM * Config::kN;
  constexpr unsigned kChannelBytes = Config::kQ * derived<Config>::kRecordBytes;
  using weight_cutter = cutter<Config::kDataBytes, kWordBytes>;
  using channel_cutter = cutter<Config::kDataBytes, kChannelBytes>;
  memory_port<Config, Memory> port(memory);
Records:
  while (true) {
    FLEX_TRIP_COUNT(2, 65536);
    const uint64_t first[kHeaderWords] = {commands.read()};
    if (decode_header(first).engine == kEngineControl) {
      commands.read();
      break;
    }
    uint64_t word[kWeightsFetchWords];
  Words:
    for (unsigned i = 0; i < kWeightsFetchWords; ++i) {
      FLEX_PIPELINE;
      word[i] = commands.read();
    }
    const weights_fetch_t fetch = decode_weights_fetch(word);
    const uint64_t address = fetch.address / Config::kDataBytes;
    FLEX_CHECK(fetch.repeats != 0 && fetch.beats != 0, "a fetch without beats");
    uint16_t asked = 0, read = 0;   // repeats
    uint32_t beats_left = 0;        // of the repeat
    unsigned part = 0;              // of the beat, or of the piece
    weight_image_t image{};
    uint32_t channels_left = 0;     // pieces
    uint32_t words_left = 0;
    bool in_header = true;
    beat_t<Config> beat;
    weight_cutter weight;
    channel_cutter channel;
  Pieces:
    while (read != fetch.repeats) {
      FLEX_PIPELINE;
      FLEX_TRIP_COUNT(8, 65536);
      // The next repeat is asked for while this one is read.
      if (asked != fetch.repeats && static_cast<uint16_t>(asked - read) < 2) {
        port.ask(address, static_cast<uint32_t>(fetch.beats));
        ++asked;
      }
      const bool in_channels = !in_header && channels_left != 0;
      const bool joins = in_channels ? channel_cutter::kJoins : weight_cutter::kJoins;
      const unsigned ratio = in_channels ? channel_cutter::kRatio : weight_cutter::kRatio;
      if (in_header || joins || part == 0) {
        beat = port.read();
        if (beats_left == 0) beats_left = static_cast<uint32_t>(fetch.beats);
        --beats_left;
      }
      bool image_done;
      if (in_header) {
        const uint64_t header[kWeightImageWords] = {word_of(beat, 0)};
        image = decode_weight_image(header);
        channels_left = image.has_params ? derived<Config>::kL : 0;
        words_left = image.weight_words;
        image_done = channels_left == 0 && words_left == 0;
        in_header = image_done;
        part = 0;
      } else {
        bool piece_last;
        if (in_channels) {
          if (channel.take(beat, part)) {
            channels.write(decode_channels<Config>(channel.piece));
            --channels_left;
          }
          piece_last = channels_left == 0;
        } else {
          if (weight.take(beat, part)) {
            weight_word_t<Config> out;
          Bytes:
            for (unsigned i = 0; i < kWordBytes; ++i) {
              FLEX_UNROLL;
              out[i] = static_cast<int8_t>(weight.piece[i]);
            }
            weights.write(out);
            --words_left;
          }
          piece_last = words_left == 0;
        }
        image_done = channels_left == 0 && words_left == 0;
        in_header = image_done;
        // The rest of a section's last beat is dropped.
        part = piece_last || part == ratio - 1 ? 0 : part + 1;
      }
      if (image_done && beats_left == 0) ++read;
      FLEX_CHECK(image_done || beats_left != 0 || part != 0, "an image is longer than its fetch");
    }
  }
}

}  // namespace flex

#endif  // FLEX_WEIGHT_LOAD_HPP_
