// SPDX-License-Identifier: Apache-2.0
//
// The numbers of the accelerator as plain functions: products, rounding, requantisation, sums.

#ifndef FLEX_ARITHMETIC_HPP_
#define FLEX_ARITHMETIC_HPP_

#include <cstdint>

#include "flex/pragmas.hpp"
#include "flex/types.hpp"

namespace flex {

/// Products of a chain; its fields start from this preset, so that eight products fit 18 bits.
constexpr unsigned kChainLanes = 8;
constexpr int64_t kChainPreset = -1024;
constexpr unsigned kFieldBits = 18;

/// Two products on one multiplier of 27 x 18 bits: high * weight in the field above, low * weight below.
inline int64_t packed_products(int8_t high, int8_t low, int8_t weight) {
  FLEX_INLINE;
  const int32_t joined = static_cast<int32_t>(high) * (1 << kFieldBits) + low;
  return static_cast<int64_t>(joined) * weight;
}

/// The sums of a chain's two fields.
struct chain_sums_t {
  int32_t high;
  int32_t low;
};

/// Splits a chain of 36 bits; a low field that is negative has borrowed from the high one, modulo 2^18.
inline chain_sums_t split_chain(int64_t chain) {
  FLEX_INLINE;
  chain_sums_t sums;
  const ap_int<kFieldBits> low = chain;
  sums.low = static_cast<int32_t>(low);
  const ap_int<kFieldBits> high = (chain >> kFieldBits) + (low < 0 ? 1 : 0);
  sums.high = static_cast<int32_t>(high);
  return sums;
}

/// Dot products of two pixels with the weights of one row, packed: kChainPreset too much per chain.
template <unsigned Lanes>
chain_sums_t packed_dots(const hls::vector<int8_t, Lanes>& high,
                         const hls::vector<int8_t, Lanes>& low, const int8_t (&weight)[Lanes]) {
  FLEX_INLINE;
  static_assert(Lanes % kChainLanes == 0, "packed_dots: whole chains");
  chain_sums_t sums = {0, 0};
Chains:
  for (unsigned first = 0; first < Lanes; first += kChainLanes) {
    FLEX_UNROLL;
    int64_t chain = kChainPreset * (1 << kFieldBits) + kChainPreset;
  Products:
    for (unsigned i = 0; i < kChainLanes; ++i) {
      FLEX_UNROLL;
      chain += packed_products(high[first + i], low[first + i], weight[first + i]);
    }
    const chain_sums_t part = split_chain(chain);
    sums.high += part.high;
    sums.low += part.low;
  }
  return sums;
}

/// Dot product of a pixel with the weights of one row.
template <unsigned Lanes>
int32_t plain_dot(const hls::vector<int8_t, Lanes>& pixel, const int8_t (&weight)[Lanes]) {
  FLEX_INLINE;
  int32_t sum = 0;
Products:
  for (unsigned i = 0; i < Lanes; ++i) {
    FLEX_UNROLL;
    sum += static_cast<int16_t>(pixel[i] * weight[i]);
  }
  return sum;
}

/// total / 2^shift, ties to even; shift 0..63.
inline int64_t round_half_even(int64_t total, uint8_t shift) {
  FLEX_INLINE;
  if (shift == 0) return total;
  const int64_t quotient = total >> shift;
  const uint64_t half = uint64_t{1} << (shift - 1);
  const uint64_t bits = static_cast<uint64_t>(total);
  const bool guard = (bits & half) != 0;
  const bool sticky = (bits & (half - 1)) != 0;
  const bool odd = (quotient & 1) != 0;
  return quotient + (guard && (sticky || odd) ? 1 : 0);
}

inline int64_t clamped(int64_t value, int64_t low, int64_t high) {
  FLEX_INLINE;
  return value < low ? low : value > high ? high : value;
}

/// What a requantised accumulator is limited to: the output's zero point and clamps.
template <typename Output>
struct range_t {
  Output zero_point;
  Output low;
  Output high;
};

using output_range_t = range_t<int8_t>;

template <typename Output>
Output limited(int64_t rounded, const range_t<Output>& range) {
  FLEX_INLINE;
  return static_cast<Output>(clamped(rounded + range.zero_point, range.low, range.high));
}

/// clamp(round_half_even((acc * mult + bias) / 2^shift) + zero point), the accumulator clamped to 27 bits first.
///
/// With Slopes the channel's second numbers count for accumulators up to their `last`. With Wide, outputs and `wide`
/// accumulators have more bits: the latter are not clamped, and have no second numbers.
template <bool Slopes, bool Wide, typename Channel, typename Output>
Output requantized(int64_t acc, const Channel& channel, const range_t<Output>& range, bool wide) {
  FLEX_INLINE;
  constexpr int64_t kMost = (1 << 26) - 1;
  const bool whole = Wide && wide;
  const ap_int<Wide ? 38 : 27> value = whole ? acc : clamped(acc, -kMost - 1, kMost);
  // A multiplier of as few bits as there are.
  ap_int<25> mult(static_cast<int64_t>(channel.above.mult));
  ap_int<Wide ? 60 : 48> bias(static_cast<int64_t>(channel.above.bias));
  int64_t shift = static_cast<int64_t>(channel.above.shift);
  if (Slopes && !whole && value <= static_cast<int64_t>(channel.below.last)) {
    mult = static_cast<int64_t>(channel.below.mult);
    bias = static_cast<int64_t>(channel.below.bias);
    shift = static_cast<int64_t>(channel.below.shift);
  }
  const ap_int<Wide ? 63 : 52> total = value * mult + bias;
  return limited(round_half_even(static_cast<int64_t>(total), static_cast<uint8_t>(shift)), range);
}

/// The byte of an output that a pass puts out: all of it, or of 16 bits the upper one, or the lower one less 128.
inline int8_t put_out(int16_t value, uint8_t plane) {
  FLEX_INLINE;
  switch (plane) {
    case 1:
      return static_cast<int8_t>(value >> 8);
    case 2:
      return static_cast<int8_t>((value & 255) - 128);
    default:
      return static_cast<int8_t>(value);
  }
}

/// The sum of an output and a second tensor.
inline int8_t summed(int8_t own, int8_t second, const array_sum_t& sum) {
  FLEX_INLINE;
  const int64_t total = own * static_cast<int64_t>(sum.mult) +
                        second * static_cast<int64_t>(sum.skip_mult) +
                        static_cast<int64_t>(sum.bias);
  const output_range_t range = {sum.zero_point, sum.low, sum.high};
  return limited(round_half_even(total, static_cast<uint8_t>(static_cast<int64_t>(sum.shift))), range);
}

/// A sum once more requantised, with the channel's own numbers up to its `last`.
inline int8_t bent(int8_t sum, const slope_t& below, const array_bend_t& bend) {
  FLEX_INLINE;
  int64_t mult = static_cast<int64_t>(bend.mult);
  int64_t bias = static_cast<int64_t>(bend.bias);
  int64_t shift = static_cast<int64_t>(bend.shift);
  if (sum <= static_cast<int64_t>(below.last)) {
    mult = static_cast<int64_t>(below.mult);
    bias = static_cast<int64_t>(below.bias);
    shift = static_cast<int64_t>(below.shift);
  }
  const ap_int<52> total = sum * mult + bias;
  const output_range_t range = {bend.zero_point, bend.low, bend.high};
  return limited(round_half_even(static_cast<int64_t>(total), static_cast<uint8_t>(shift)), range);
}

}  // namespace flex

#endif  // FLEX_ARITHMETIC_HPP_
