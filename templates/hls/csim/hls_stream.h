// SPDX-License-Identifier: Apache-2.0
//
// hls::stream for C simulation: a bounded queue between two threads.

#ifndef HLS_STREAM_H_
#define HLS_STREAM_H_

#include <atomic>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "csim.hpp"

namespace hls {

constexpr int kDefaultDepth = 2;

/// One producer, one consumer; the consumer's and the producer's counts never decrease.
template <typename T, int Depth = 0>
class stream {
 public:
  stream() : stream("stream") {}
  explicit stream(const char* name) : name_(name), reader_(*this), writer_(*this) {
    set_depth(Depth > 0 ? Depth : kDefaultDepth);
  }
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;

  /// Names the stream and bounds it; before its first use.
  void bound(const std::string& name, std::size_t depth) {
    name_ = name;
    set_depth(depth);
  }

  T read() {
    if (empty()) csim::processes::wait(reader_);
    return take();
  }
  void read(T& value) { value = read(); }
  bool read_nb(T& value) {
    if (empty()) return false;
    value = take();
    return true;
  }

  void write(const T& value) {
    if (full()) csim::processes::wait(writer_);
    put(value);
  }
  bool write_nb(const T& value) {
    if (full()) return false;
    put(value);
    return true;
  }

  bool empty() const {
    return written_.load(std::memory_order_acquire) == taken_.load(std::memory_order_acquire);
  }
  bool full() const {
    return written_.load(std::memory_order_acquire) - taken_.load(std::memory_order_acquire) ==
           depth_;
  }
  std::size_t size() const {
    return written_.load(std::memory_order_acquire) - taken_.load(std::memory_order_acquire);
  }

 private:
  struct read_wait : csim::waitable {
    explicit read_wait(const stream& own) : own(own) {}
    bool ready() const override { return !own.empty(); }
    std::string description() const override { return "to read from " + own.name_ + ", which is empty"; }
    const stream& own;
  };
  struct write_wait : csim::waitable {
    explicit write_wait(const stream& own) : own(own) {}
    bool ready() const override { return !own.full(); }
    std::string description() const override {
      return "to write to " + own.name_ + ", which is full (depth " + std::to_string(own.depth_) + ")";
    }
    const stream& own;
  };

  void set_depth(std::size_t depth) {
    depth_ = depth;
    std::size_t slots = 1;
    while (slots < depth) slots *= 2;
    mask_ = slots - 1;
    slots_ = std::vector<T>(slots);
  }

  T take() {
    const std::size_t at = taken_.load(std::memory_order_relaxed);
    T value = std::move(slots_[at & mask_]);
    taken_.store(at + 1, std::memory_order_release);
    return value;
  }

  void put(const T& value) {
    const std::size_t at = written_.load(std::memory_order_relaxed);
    slots_[at & mask_] = value;
    written_.store(at + 1, std::memory_order_release);
  }

  std::string name_;
  read_wait reader_;
  write_wait writer_;
  std::size_t depth_ = 0;
  std::size_t mask_ = 0;
  std::vector<T> slots_;
  alignas(64) std::atomic<std::size_t> written_{0};
  alignas(64) std::atomic<std::size_t> taken_{0};
};

}  // namespace hls

namespace csim {

template <typename T, int Depth>
void bound(hls::stream<T, Depth>& channel, const char* name, std::size_t depth) {
  channel.bound(name, depth);
}

template <typename T, int Depth, std::size_t Count>
void bound(hls::stream<T, Depth> (&channels)[Count], const char* name, std::size_t depth) {
  for (std::size_t i = 0; i < Count; ++i) {
    channels[i].bound(std::string(name) + "[" + std::to_string(i) + "]", depth);
  }
}

}  // namespace csim

#endif  // HLS_STREAM_H_
