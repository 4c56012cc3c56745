// SPDX-License-Identifier: Apache-2.0
//
// A memory port in two bodies: hls::burst_maxi, or a plain pointer to beats.
//
// Addresses and lengths count beats. Data follow the requests in their order; of a port's requests at most
// kRequestsAhead are unfinished, so that no interface can be blocked by requests whose data nobody takes.

#ifndef FLEX_MEMORY_HPP_
#define FLEX_MEMORY_HPP_

#include <cstdint>

#include "flex/pragmas.hpp"
#include "flex/types.hpp"
#include "hls_burst_maxi.h"

namespace flex {

constexpr unsigned kRequestsAhead = 16;

/// Stands for a port that a design does not have.
struct no_port {};

template <typename Config, typename Memory>
class memory_port;

template <typename Config>
class memory_port<Config, hls::burst_maxi<beat_t<Config>>> {
 public:
  explicit memory_port(hls::burst_maxi<beat_t<Config>>& memory) : memory_(memory) {}

  void ask(uint64_t address, uint32_t beats) {
    FLEX_INLINE;
    memory_.read_request(address, beats);
  }
  beat_t<Config> read() {
    FLEX_INLINE;
    return memory_.read();
  }
  void announce(uint64_t address, uint32_t beats) {
    FLEX_INLINE;
    memory_.write_request(address, beats);
  }
  /// Writes the first `bytes` bytes of a beat.
  void write(const beat_t<Config>& beat, unsigned bytes) {
    FLEX_INLINE;
    ap_uint<Config::kDataBytes> strobes = 0;
  Strobes:
    for (unsigned i = 0; i < Config::kDataBytes; ++i) {
      FLEX_UNROLL;
      strobes[i] = i < bytes;
    }
    memory_.write(beat, strobes);
  }
  /// Waits until the oldest announced write is in memory.
  void await() {
    FLEX_INLINE;
    memory_.write_response();
  }

 private:
  hls::burst_maxi<beat_t<Config>>& memory_;
};

template <typename Config>
class memory_port<Config, beat_t<Config>*> {
 public:
  explicit memory_port(beat_t<Config>* memory) : memory_(memory) {}

  void ask(uint64_t address, uint32_t beats) { push(address, beats); }
  beat_t<Config> read() { return memory_[next()]; }
  void announce(uint64_t address, uint32_t beats) { push(address, beats); }
  void write(const beat_t<Config>& beat, unsigned bytes) {
    const uint64_t address = next();
  Bytes:
    for (unsigned i = 0; i < Config::kDataBytes; ++i) {
      FLEX_UNROLL;
      if (i < bytes) memory_[address][i] = beat[i];
    }
  }
  void await() {}

 private:
  void push(uint64_t address, uint32_t beats) {
    address_[asked_ % kRequestsAhead] = address;
    beats_[asked_ % kRequestsAhead] = beats;
    ++asked_;
  }
  uint64_t next() {
    const unsigned at = answered_ % kRequestsAhead;
    const uint64_t address = address_[at]++;
    answered_ += --beats_[at] == 0;
    return address;
  }

  beat_t<Config>* memory_;
  uint64_t address_[kRequestsAhead];
  uint32_t beats_[kRequestsAhead];
  uint32_t asked_ = 0;
  uint32_t answered_ = 0;
};

/// Little-endian 64-bit word `index` of a beat, or of another piece of memory.
template <size_t Size>
uint64_t word_of(const hls::vector<uint8_t, Size>& piece, unsigned index) {
  FLEX_INLINE;
  uint64_t word = 0;
Bytes:
  for (unsigned i = 0; i < 8; ++i) {
    FLEX_UNROLL;
    word |= static_cast<uint64_t>(piece[index * 8 + i]) << (8 * i);
  }
  return word;
}

}  // namespace flex

#endif  // FLEX_MEMORY_HPP_
