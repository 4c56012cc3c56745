// SPDX-License-Identifier: Apache-2.0
//
// Frames in flight: while the accelerator computes one, this thread prepares the next ones and
// another thread reads the last ones. Frames come out in the order they went in.

#ifndef FLEX_PIPELINE_HPP_
#define FLEX_PIPELINE_HPP_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

namespace flex {

/// Hands values from one thread to another, in order.
template <typename T>
class Channel {
 public:
  void send(T value) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      values_.push_back(value);
    }
    changed_.notify_one();
  }

  /// No value comes any more; those that are there are still received.
  void close() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
  }

  /// The next value, once there is one; nothing when the channel is closed and empty.
  std::optional<T> receive() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return !values_.empty() || closed_; });
    if (values_.empty()) return std::nullopt;
    const T value = values_.front();
    values_.pop_front();
    return value;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> values_;
  bool closed_ = false;
};

/// Runs frames until `prepare` has none left, and returns their number.
///
/// Card provides slots(), start(slot) and finish(slot). prepare(slot) fills a slot's inputs, or
/// returns false; consume(slot) takes its outputs. What either side throws ends both.
template <typename Card, typename Prepare, typename Consume>
std::uint64_t stream_frames(Card& card, Prepare prepare, Consume consume) {
  Channel<unsigned> free_slots, started;
  for (unsigned slot = 0; slot < card.slots(); ++slot) free_slots.send(slot);
  std::exception_ptr failure;
  std::thread reader([&] {
    try {
      while (const std::optional<unsigned> slot = started.receive()) {
        card.finish(*slot);
        consume(*slot);
        free_slots.send(*slot);
      }
    } catch (...) {
      failure = std::current_exception();
    }
    free_slots.close();
  });
  std::uint64_t frames = 0;
  std::exception_ptr mine;
  try {
    while (const std::optional<unsigned> slot = free_slots.receive()) {
      if (!prepare(*slot)) break;
      card.start(*slot);
      started.send(*slot);
      ++frames;
    }
  } catch (...) {
    mine = std::current_exception();
  }
  started.close();
  reader.join();
  if (failure) std::rethrow_exception(failure);
  if (mine) std::rethrow_exception(mine);
  return frames;
}

}  // namespace flex

#endif  // FLEX_PIPELINE_HPP_
