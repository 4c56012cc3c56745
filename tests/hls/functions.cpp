// SPDX-License-Identifier: Apache-2.0
//
// The plain functions of the HLS library over arrays, for tests in Python.

#include <cstdint>

#include "flex/arithmetic.hpp"
#include "flex/place.hpp"
#include "flex/store.hpp"
#include "flex/types.hpp"

#define EXPORTED extern "C" __attribute__((visibility("default")))

namespace {

constexpr unsigned kLanes = 16;

struct channel_numbers_t {
  flex::parameter_t above;
  flex::slope_t below;
};

hls::vector<int8_t, kLanes> pixel(const int8_t* values) {
  hls::vector<int8_t, kLanes> result;
  for (unsigned i = 0; i < kLanes; ++i) result[i] = values[i];
  return result;
}

}  // namespace

/// `count` pairs of pixels and rows of 16 weights to the packed dot products [count][2], low first.
EXPORTED void packed(unsigned count, const int8_t* high, const int8_t* low, const int8_t* weights,
                     int32_t* out) {
  for (unsigned i = 0; i < count; ++i) {
    int8_t weight[kLanes];
    for (unsigned n = 0; n < kLanes; ++n) weight[n] = weights[i * kLanes + n];
    const flex::chain_sums_t sums =
        flex::packed_dots<kLanes>(pixel(high + i * kLanes), pixel(low + i * kLanes), weight);
    out[2 * i] = sums.low;
    out[2 * i + 1] = sums.high;
  }
}

EXPORTED void plain(unsigned count, const int8_t* pixels, const int8_t* weights, int32_t* out) {
  for (unsigned i = 0; i < count; ++i) {
    int8_t weight[kLanes];
    for (unsigned n = 0; n < kLanes; ++n) weight[n] = weights[i * kLanes + n];
    out[i] = flex::plain_dot<kLanes>(pixel(pixels + i * kLanes), weight);
  }
}

EXPORTED void rounded(unsigned count, const int64_t* totals, const uint8_t* shifts, int64_t* out) {
  for (unsigned i = 0; i < count; ++i) out[i] = flex::round_half_even(totals[i], shifts[i]);
}

/// `words` are those of a `parameter` and a `slope` record; `range` is zero point, low, high.
EXPORTED void requantized(unsigned count, const int32_t* accs, const uint64_t* words,
                          const int8_t* range, int slopes, int8_t* out) {
  const uint64_t above[flex::kParameterWords] = {words[0], words[1]};
  const uint64_t below[flex::kSlopeWords] = {words[2], words[3]};
  const channel_numbers_t channel = {flex::decode_parameter(above), flex::decode_slope(below)};
  const flex::output_range_t limits = {range[0], range[1], range[2]};
  for (unsigned i = 0; i < count; ++i) {
    out[i] = slopes ? flex::requantized<true, false>(accs[i], channel, limits, false)
                    : flex::requantized<false, false>(accs[i], channel, limits, false);
  }
}

/// The same with 16 bits, in tiles that are `wide` or not; also the bytes that passes put out, [count][3].
EXPORTED void requantized_wide(unsigned count, const int64_t* accs, const uint64_t* words,
                               const int16_t* range, int wide, int16_t* out, int8_t* bytes) {
  const uint64_t above[flex::kParameterWords] = {words[0], words[1]};
  const uint64_t below[flex::kSlopeWords] = {words[2], words[3]};
  const channel_numbers_t channel = {flex::decode_parameter(above), flex::decode_slope(below)};
  const flex::range_t<int16_t> limits = {range[0], range[1], range[2]};
  for (unsigned i = 0; i < count; ++i) {
    out[i] = flex::requantized<true, true>(accs[i], channel, limits, wide != 0);
    for (uint8_t plane = 0; plane < 3; ++plane) bytes[3 * i + plane] = flex::put_out(out[i], plane);
  }
}

/// `words` are those of an `array_sum` record.
EXPORTED void summed(unsigned count, const int8_t* own, const int8_t* second, const uint64_t* words,
                     int8_t* out) {
  const uint64_t both[flex::kArraySumWords] = {words[0], words[1]};
  const flex::array_sum_t sum = flex::decode_array_sum(both);
  for (unsigned i = 0; i < count; ++i) out[i] = flex::summed(own[i], second[i], sum);
}

/// Place of the column `before` columns left of column 0, then of each `step` columns further: phase, bank, word.
template <unsigned P>
void walk(unsigned count, unsigned before, unsigned stride, unsigned step, int32_t* out) {
  flex::origin_t at = flex::row_origin<P>(static_cast<uint8_t>(before), static_cast<uint8_t>(stride));
  for (unsigned i = 0; i < count; ++i) {
    out[3 * i] = at.phase;
    out[3 * i + 1] = at.bank;
    out[3 * i + 2] = at.word;
    const flex::origin_t next =
        flex::moved_right<P>(at, static_cast<uint8_t>(step), static_cast<uint8_t>(stride));
    const flex::beat_step_t beat = flex::step_of<P>(static_cast<uint8_t>(step), static_cast<uint8_t>(stride));
    at = flex::stepped<P>(at, beat, static_cast<uint8_t>(stride));
    // Both ways lead to the same place; no place has this word.
    if (at.phase != next.phase || at.bank != next.bank || at.word != next.word) at.word = -1000;
  }
}

EXPORTED void walk_columns(unsigned banks, unsigned count, unsigned before, unsigned stride, unsigned step,
                           int32_t* out) {
  switch (banks) {
    case 1:
      return walk<1>(count, before, stride, step, out);
    case 3:
      return walk<3>(count, before, stride, step, out);
    case 7:
      return walk<7>(count, before, stride, step, out);
    default:
      return walk<16>(count, before, stride, step, out);
  }
}

/// Word and bank of buffer columns, seven banks.
EXPORTED void place_columns(unsigned count, const int32_t* columns, int32_t* words, uint8_t* banks) {
  for (unsigned i = 0; i < count; ++i) flex::column_place<7>(columns[i], words[i], banks[i]);
}
