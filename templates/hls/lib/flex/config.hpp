// SPDX-License-Identifier: Apache-2.0
//
// What a configuration must provide, the rules it must keep, and what follows from it.

#ifndef FLEX_CONFIG_HPP_
#define FLEX_CONFIG_HPP_

#include <cstdint>

namespace flex {

constexpr bool is_power_of_two(unsigned value) { return value != 0 && (value & (value - 1)) == 0; }

constexpr unsigned log2_of(unsigned value) { return value <= 1 ? 0 : 1 + log2_of(value / 2); }

/// The least multiple of `step` that is not below `value`, divided by `step`.
constexpr unsigned ceil_div(unsigned value, unsigned step) { return (value + step - 1) / step; }

constexpr unsigned min_of(unsigned a, unsigned b) { return a < b ? a : b; }
constexpr unsigned max_of(unsigned a, unsigned b) { return a < b ? b : a; }

/// The largest power of two that is not above `value`.
constexpr unsigned power_of_two_below(unsigned value) {
  return value < 2 ? 1 : 2 * power_of_two_below(value / 2);
}

/// Numbers that follow from a configuration; checks it when first used.
///
/// Config must provide (names and rules are those of the parameters of flex_top):
///   kM               rows: output channels per pass, a power of two up to 256
///   kP               columns: adjacent output pixels, 1..16
///   kN               lanes: input channels per step, bytes of a buffer word, a power of two, 4..32
///   kQ               drain chains per column, a power of two that divides kM and kN
///   kPacked          two columns share one multiplier; needs kN >= 8
///   kDataBytes       bytes of a memory beat, a power of two, 8..128, at least kN
///   kActWords        words per bank and half of the activation buffer, a power of two
///   kWeightWords     words of the weight ring, a power of two
///   kParamPasses     passes of the parameter ring, a power of two
///   kOutWords        words per bank and half of the output buffer, a power of two
///   kListEntries     entries per half of the list memory, a power of two
///   kSlopes          requantisers have a second set of parameters
///   kTables          outputs may be looked up in a table
///   kSums            outputs may be summed with a second tensor
///   kBends           sums may be requantised with two slopes
///   kWide            activations may have 16 bits, as two planes of bytes
///   kWindowTaps      taps of the window engine: 0 without one, 1 or 9
///   kWindowBeats     memory beats of a row in the window engine, a power of two
///   kWindowChannels  channels of a layer in the window engine, a power of two
///   kCores           cores; this library has one
template <typename Config>
struct derived {
  /// Cycles in which a drain chain empties: rows of a chain.
  static constexpr unsigned kL = Config::kM / Config::kQ;
  /// Pixels of one channel group in a memory beat.
  static constexpr unsigned kBeatPixels = Config::kDataBytes / Config::kN;
  /// Bytes of a channel's parameters.
  static constexpr unsigned kRecordBytes = Config::kSlopes ? 32 : 16;
  /// Groups of kQ lanes in a buffer word.
  static constexpr unsigned kChunks = Config::kN / Config::kQ;
  /// Output planes of one half of the output buffer.
  static constexpr unsigned kHalfPlanes = max_of(1, Config::kM / Config::kN);
  /// 64-bit words of a memory beat.
  static constexpr unsigned kBeatWords = Config::kDataBytes / 8;
  /// Adjacent columns that the store engine reads at once.
  static constexpr unsigned kStoreColumns = power_of_two_below(min_of(Config::kP, kBeatPixels));
  /// Columns of a pooling window that the store engine reads at once.
  static constexpr unsigned kPoolColumns = min_of(Config::kP, 4);

  static_assert(is_power_of_two(Config::kM) && Config::kM <= 256, "kM: a power of two up to 256");
  static_assert(Config::kP >= 1 && Config::kP <= 16, "kP: 1..16");
  static_assert(is_power_of_two(Config::kN) && Config::kN >= 4 && Config::kN <= 32,
                "kN: a power of two, 4..32");
  static_assert(is_power_of_two(Config::kQ) && Config::kQ <= min_of(Config::kM, Config::kN),
                "kQ: a power of two that divides kM and kN");
  static_assert(!Config::kPacked || Config::kN >= 8, "kPacked: needs kN >= 8");
  static_assert(is_power_of_two(Config::kDataBytes) && Config::kDataBytes >= max_of(8, Config::kN) &&
                    Config::kDataBytes <= 128,
                "kDataBytes: a power of two, 8..128 and at least kN");
  static_assert(is_power_of_two(Config::kActWords) && Config::kActWords <= 65536, "kActWords");
  static_assert(is_power_of_two(Config::kOutWords) && Config::kOutWords <= 65536, "kOutWords");
  static_assert(is_power_of_two(Config::kWeightWords) && Config::kWeightWords >= 2 &&
                    Config::kWeightWords <= 16384,
                "kWeightWords: a power of two, 2..16384");
  static_assert(is_power_of_two(Config::kParamPasses) && Config::kParamPasses <= 16384,
                "kParamPasses: a power of two up to 16384");
  static_assert(is_power_of_two(Config::kListEntries) && Config::kListEntries <= 4096,
                "kListEntries: a power of two up to 4096");
  static_assert(Config::kWindowTaps == 0 || Config::kWindowTaps == 1 || Config::kWindowTaps == 9,
                "kWindowTaps: 0, 1 or 9");
  static_assert(Config::kWindowTaps == 0 || (is_power_of_two(Config::kWindowBeats) &&
                                             is_power_of_two(Config::kWindowChannels) &&
                                             Config::kWindowChannels >= Config::kN),
                "kWindowBeats and kWindowChannels: powers of two, channels at least kN");
  static_assert(Config::kCores == 1, "kCores: this library has one core");
};

}  // namespace flex

#endif  // FLEX_CONFIG_HPP_
