// SPDX-License-Identifier: Apache-2.0
//
// ap_int and ap_uint for C simulation: native integers that keep their lowest bits.
//
// Expressions are computed in 64 bits, where the vendor's types grow: the same numbers as long as no
// operand of << needs more bits than it has and no result needs more than 63. Types beyond 64 bits are masks.

#ifndef AP_INT_H_
#define AP_INT_H_

#include <cstdint>
#include <type_traits>

namespace csim_int {

/// The least native integer of at least `Bits` bits.
template <int Bits, bool Signed>
using native =
    std::conditional_t<(Bits <= 8), std::conditional_t<Signed, std::int8_t, std::uint8_t>,
    std::conditional_t<(Bits <= 16), std::conditional_t<Signed, std::int16_t, std::uint16_t>,
    std::conditional_t<(Bits <= 32), std::conditional_t<Signed, std::int32_t, std::uint32_t>,
    std::conditional_t<Signed, std::int64_t, std::uint64_t>>>>;

template <int Bits, bool Signed>
constexpr native<Bits, Signed> kept(std::int64_t value) {
  constexpr int kSpare = 64 - Bits;
  const auto high = static_cast<std::uint64_t>(value) << kSpare;
  if constexpr (Signed) {
    return static_cast<native<Bits, Signed>>(static_cast<std::int64_t>(high) >> kSpare);
  } else {
    return static_cast<native<Bits, Signed>>(high >> kSpare);
  }
}

/// A set of bits, each to be read and written by its number.
template <int Bits>
class mask {
 public:
  class bit {
   public:
    bit(std::uint64_t& word, int index) : word_(word), index_(index) {}
    bit& operator=(bool value) {
      word_ = (word_ & ~(std::uint64_t{1} << index_)) | (std::uint64_t{value} << index_);
      return *this;
    }
    operator bool() const { return (word_ >> index_) & 1; }

   private:
    std::uint64_t& word_;
    int index_;
  };

  mask(std::uint64_t low = 0) { words_[0] = low; }
  bit operator[](int index) { return bit(words_[index / 64], index % 64); }
  bool operator[](int index) const { return (words_[index / 64] >> (index % 64)) & 1; }

 private:
  std::uint64_t words_[(Bits + 63) / 64] = {};
};

/// An integer of up to 63 bits.
template <int Bits, bool Signed>
class integer {
 public:
  class bit {
   public:
    bit(integer& own, int index) : own_(own), index_(index) {}
    bit& operator=(bool value) {
      const std::int64_t one = std::int64_t{1} << index_;
      own_ = integer(value ? own_ | one : own_ & ~one);
      return *this;
    }
    operator bool() const { return (std::int64_t{own_} >> index_) & 1; }

   private:
    integer& own_;
    int index_;
  };

  integer() = default;
  constexpr integer(std::int64_t value) : value_(kept<Bits, Signed>(value)) {}
  constexpr operator std::int64_t() const { return static_cast<std::int64_t>(value_); }
  bit operator[](int index) { return bit(*this, index); }
  bool operator[](int index) const { return (static_cast<std::int64_t>(value_) >> index) & 1; }
  integer& operator+=(std::int64_t other) { return *this = integer(value_ + other); }
  integer& operator-=(std::int64_t other) { return *this = integer(value_ - other); }
  integer& operator++() { return *this += 1; }
  integer& operator--() { return *this -= 1; }

 private:
  native<Bits, Signed> value_;
};

}  // namespace csim_int

template <int Bits>
using ap_int = csim_int::integer<Bits, true>;

template <int Bits>
using ap_uint = std::conditional_t<(Bits < 64), csim_int::integer<Bits, false>, csim_int::mask<Bits>>;

#endif  // AP_INT_H_
