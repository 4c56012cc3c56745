// SPDX-License-Identifier: Apache-2.0
//
// hls::stream_of_blocks for C simulation: blocks that two threads hand to each other.

#ifndef HLS_STREAMOFBLOCKS_H_
#define HLS_STREAMOFBLOCKS_H_

#include <atomic>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>

#include "csim.hpp"

namespace hls {

template <typename Block>
class read_lock;
template <typename Block>
class write_lock;

/// `Depth` blocks in all, those in the hands of producer and consumer included.
template <typename Block, int Depth = 2>
class stream_of_blocks {
 public:
  stream_of_blocks() : stream_of_blocks("stream_of_blocks") {}
  explicit stream_of_blocks(const char* name)
      : name_(name), blocks_(new holder[Depth]), reader_(*this), writer_(*this) {
    // What was never written must not look like zeros.
    std::memset(static_cast<void*>(blocks_.get()), 0xA7, Depth * sizeof(holder));
  }
  stream_of_blocks(const stream_of_blocks&) = delete;
  stream_of_blocks& operator=(const stream_of_blocks&) = delete;

  void bound(const std::string& name) { name_ = name; }

  bool empty() const { return written_.load(std::memory_order_acquire) == taken_.load(std::memory_order_acquire); }
  bool full() const {
    return written_.load(std::memory_order_acquire) - taken_.load(std::memory_order_acquire) == Depth;
  }

 private:
  template <typename Other>
  friend class read_lock;
  template <typename Other>
  friend class write_lock;

  struct holder {
    Block block;
  };
  struct read_wait : csim::waitable {
    explicit read_wait(const stream_of_blocks& own) : own(own) {}
    bool ready() const override { return !own.empty(); }
    std::string description() const override { return "for a full block of " + own.name_; }
    const stream_of_blocks& own;
  };
  struct write_wait : csim::waitable {
    explicit write_wait(const stream_of_blocks& own) : own(own) {}
    bool ready() const override { return !own.full(); }
    std::string description() const override { return "for a free block of " + own.name_; }
    const stream_of_blocks& own;
  };

  std::string name_;
  std::unique_ptr<holder[]> blocks_;
  read_wait reader_;
  write_wait writer_;
  std::atomic<std::size_t> written_{0};
  std::atomic<std::size_t> taken_{0};
};

/// Holds the oldest full block from construction to destruction.
template <typename Block>
class read_lock {
 public:
  template <int Depth>
  explicit read_lock(stream_of_blocks<Block, Depth>& channel) : taken_(channel.taken_) {
    if (channel.empty()) csim::processes::wait(channel.reader_);
    block_ = &channel.blocks_[taken_.load(std::memory_order_relaxed) % Depth].block;
  }
  ~read_lock() { taken_.fetch_add(1, std::memory_order_release); }
  read_lock(const read_lock&) = delete;
  read_lock& operator=(const read_lock&) = delete;

  operator Block&() { return *block_; }

 private:
  std::atomic<std::size_t>& taken_;
  Block* block_;
};

/// Holds a free block from construction to destruction, which makes it a full one.
template <typename Block>
class write_lock {
 public:
  template <int Depth>
  explicit write_lock(stream_of_blocks<Block, Depth>& channel) : written_(channel.written_) {
    if (channel.full()) csim::processes::wait(channel.writer_);
    block_ = &channel.blocks_[written_.load(std::memory_order_relaxed) % Depth].block;
  }
  ~write_lock() { written_.fetch_add(1, std::memory_order_release); }
  write_lock(const write_lock&) = delete;
  write_lock& operator=(const write_lock&) = delete;

  operator Block&() { return *block_; }

 private:
  std::atomic<std::size_t>& written_;
  Block* block_;
};

}  // namespace hls

namespace csim {

template <typename Block, int Depth>
void bound(hls::stream_of_blocks<Block, Depth>& channel, const char* name, std::size_t) {
  channel.bound(name);
}

}  // namespace csim

#endif  // HLS_STREAMOFBLOCKS_H_
