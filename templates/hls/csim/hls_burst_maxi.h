// SPDX-License-Identifier: Apache-2.0
//
// hls::burst_maxi for C simulation: memory behind an AXI master, which checks that data follow requests.

#ifndef HLS_BURST_MAXI_H_
#define HLS_BURST_MAXI_H_

#include <cstddef>
#include <cstdint>
#include <deque>

#include "ap_int.h"
#include "csim.hpp"

namespace hls {

/// A port of `elements` elements; offsets and lengths count elements.
template <typename T>
class burst_maxi {
 public:
  burst_maxi(T* memory, std::size_t elements = SIZE_MAX) : memory_(memory), elements_(elements) {}

  void read_request(std::size_t offset, std::size_t length) { ask(reads_, offset, length); }

  T read() {
    csim::check(!reads_.empty(), "a read without a request");
    request& first = reads_.front();
    const T value = memory_[first.offset];
    advance(reads_);
    return value;
  }

  void write_request(std::size_t offset, std::size_t length) { ask(writes_, offset, length); }

  /// Writes the bytes whose bit is set.
  void write(const T& value, const ap_uint<sizeof(T)>& bytes) {
    csim::check(!writes_.empty(), "a write without a request");
    auto* target = reinterpret_cast<std::uint8_t*>(&memory_[writes_.front().offset]);
    const auto* source = reinterpret_cast<const std::uint8_t*>(&value);
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      if (bytes[static_cast<int>(i)]) target[i] = source[i];
    }
    responses_ += writes_.front().length == 1;
    advance(writes_);
  }

  /// Waits until the oldest request whose response is open has been acknowledged.
  void write_response() {
    csim::check(responses_ > 0, "a response is awaited of a request whose data are not written");
    --responses_;
  }

 private:
  struct request {
    std::size_t offset;
    std::size_t length;
  };

  void ask(std::deque<request>& queue, std::size_t offset, std::size_t length) {
    csim::check(length > 0, "a request without data");
    csim::check(offset < elements_ && length <= elements_ - offset, "a request outside memory");
    queue.push_back({offset, length});
  }

  static void advance(std::deque<request>& queue) {
    request& first = queue.front();
    ++first.offset;
    if (--first.length == 0) queue.pop_front();
  }

  T* memory_;
  std::size_t elements_;
  std::deque<request> reads_;
  std::deque<request> writes_;
  std::size_t responses_ = 0;
};

}  // namespace hls

#endif  // HLS_BURST_MAXI_H_
