// SPDX-License-Identifier: Apache-2.0
//
// A stand-in for the part of XRT's native API that hosts use, with a card that knows its answers.
//
// Every buffer has a host side and a device side, and only sync() copies. A run compares the device
// side of its arguments with the frames in the folder FLEX_FAKE_CARD, and answers with what that
// frame leaves in memory; or it runs the kernel, where kernel_card.cpp is linked in. To show that frames overlap, a run ends only when as many more have been
// started as FLEX_FAKE_AHEAD says, and the outputs of the run before it have been fetched; it fails
// when that takes longer than FLEX_FAKE_PATIENCE_MS.

#ifndef FLEX_XRT_CARD_H_
#define FLEX_XRT_CARD_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

enum xclBOSyncDirection { XCL_BO_SYNC_BO_TO_DEVICE = 0, XCL_BO_SYNC_BO_FROM_DEVICE = 1 };

enum ert_cmd_state {
  ERT_CMD_STATE_NEW = 1,
  ERT_CMD_STATE_RUNNING = 3,
  ERT_CMD_STATE_COMPLETED = 4,
  ERT_CMD_STATE_ERROR = 5,
  ERT_CMD_STATE_TIMEOUT = 8,
};

namespace xrt_card {

using Bytes = std::vector<std::uint8_t>;

inline Bytes read_file(const std::string& name) {
  std::ifstream file(name, std::ios::binary);
  if (!file) throw std::runtime_error("stand-in card: " + name + " is missing");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

struct Buffer {
  Bytes host;
  // Memory of a card holds anything before it is written.
  Bytes device;
  std::uint64_t fetches = 0;
  explicit Buffer(std::size_t size) : host(size, 0xA5), device(size, 0x5A) {}
};

struct Run {
  std::map<int, std::shared_ptr<Buffer>> buffers;
  std::map<int, std::uint64_t> scalars;
  ert_cmd_state state = ERT_CMD_STATE_NEW;
};

/// What computes a run instead of known answers; false when it fails.
using Executor = bool (*)(Run&);

inline Executor& executor() {
  static Executor executor = nullptr;
  return executor;
}

/// The card: one thread executes runs in the order of their starts.
class Card {
 public:
  static Card& instance() {
    static Card card;
    return card;
  }

  std::uint32_t group_id(int argument) const {
    return argument < 2 ? groups_.at(0) : argument == first_scalar_ - 1 ? groups_.at(2)
                                                                         : groups_.at(1);
  }

  void start(const std::shared_ptr<Run>& run) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (run->state == ERT_CMD_STATE_RUNNING) throw std::runtime_error("a run is started twice");
    run->state = ERT_CMD_STATE_RUNNING;
    queue_.push_back(run);
    ++started_;
    changed_.notify_all();
  }

  ert_cmd_state wait(const std::shared_ptr<Run>& run, std::chrono::milliseconds timeout) {
    std::unique_lock<std::mutex> lock(mutex_);
    const auto done = [&] { return run->state != ERT_CMD_STATE_RUNNING; };
    if (timeout.count() == 0) changed_.wait(lock, done);
    const bool ended = changed_.wait_for(lock, timeout, done);
    return ended ? run->state : ERT_CMD_STATE_TIMEOUT;
  }

  void sync(Buffer& buffer, xclBOSyncDirection direction, std::size_t size, std::size_t offset) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (size > buffer.host.size() || offset > buffer.host.size() - size) {
      throw std::runtime_error("sync beyond the end of a buffer");
    }
    const bool to_device = direction == XCL_BO_SYNC_BO_TO_DEVICE;
    const Bytes& from = to_device ? buffer.host : buffer.device;
    Bytes& to = to_device ? buffer.device : buffer.host;
    std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(offset), size,
                to.begin() + static_cast<std::ptrdiff_t>(offset));
    if (!to_device) ++buffer.fetches;
    changed_.notify_all();
  }

 private:
  Card() : folder_(environment("FLEX_FAKE_CARD")) {
    std::istringstream numbers(std::string(environment("FLEX_FAKE_AHEAD")) + " " +
                               environment("FLEX_FAKE_PATIENCE_MS"));
    numbers >> ahead_ >> patience_ms_;
    std::ifstream facts(folder_ + "/card.txt");
    std::uint64_t address = 0, size = 0, inputs = 0;
    facts >> frames_ >> first_scalar_ >> program_first_ >> program_beats_ >> groups_[0] >>
        groups_[1] >> groups_[2] >> inputs;
    for (std::uint64_t i = 0; i < inputs && facts >> address >> size; ++i) {
      inputs_.emplace_back(address, size);
    }
    if (!facts || inputs_.size() != inputs) throw std::runtime_error("stand-in card: card.txt lacks facts");
    worker_ = std::thread([this] { work(); });
  }

  ~Card() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
    worker_.join();
  }

  static std::string environment(const char* name) {
    const char* value = std::getenv(name);
    if (value == nullptr) throw std::runtime_error(std::string(name) + " is not set");
    return value;
  }

  void work() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return !queue_.empty() || closed_; });
      if (queue_.empty()) return;
      const std::shared_ptr<Run> run = queue_.front();
      queue_.pop_front();
      const std::uint64_t begun = done_;
      const Bytes host_before = run->buffers.at(2)->host;
      const bool overlaps = changed_.wait_for(lock, std::chrono::milliseconds(patience_ms_), [&] {
        const bool more = started_ >= std::min(begun + 1 + ahead_, frames_);
        const bool fetched = !last_ || ahead_ == 0 || last_->fetches > last_fetches_;
        return (more && fetched) || closed_;
      });
      const bool right = overlaps && execute(*run);
      last_ = run->buffers.at(2);
      last_fetches_ = last_->fetches;
      // What the host does to a frame that is under way would be lost or wrong.
      const bool untouched = host_before == last_->host;
      run->state = right && untouched ? ERT_CMD_STATE_COMPLETED : ERT_CMD_STATE_ERROR;
      ++done_;
      changed_.notify_all();
    }
  }

  bool execute(Run& run) {
    const int out = first_scalar_ - 1;
    if (run.buffers.size() != static_cast<std::size_t>(first_scalar_)) return false;
    for (int port = 3; port <= out; ++port) {
      if (run.buffers.at(port) != run.buffers.at(2)) return false;
    }
    if (run.scalars.at(first_scalar_) != program_first_) return false;
    if (run.scalars.at(first_scalar_ + 1) != program_beats_) return false;
    if (run.buffers.at(0)->device != read_file(folder_ + "/constant.bin")) return false;
    if (run.buffers.at(1) != run.buffers.at(0)) return false;
    const std::string frame = folder_ + "/frame" + std::to_string(done_);
    const Bytes before = read_file(frame + ".before"), after = read_file(frame + ".after");
    Bytes& memory = run.buffers.at(2)->device;
    if (memory.size() != before.size() || memory.size() != after.size()) return false;
    for (const auto& [address, size] : inputs_) {
      if (std::memcmp(memory.data() + address, before.data() + address, size) != 0) return false;
    }
    if (executor() != nullptr) return executor()(run);
    memory = after;
    return true;
  }

  std::string folder_;
  std::uint64_t ahead_ = 0, patience_ms_ = 0, frames_ = 0, program_first_ = 0, program_beats_ = 0;
  int first_scalar_ = 0;
  std::map<int, std::uint32_t> groups_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> inputs_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Run>> queue_;
  std::uint64_t started_ = 0, done_ = 0, last_fetches_ = 0;
  std::shared_ptr<Buffer> last_;
  bool closed_ = false;
  std::thread worker_;
};

}  // namespace xrt_card

#endif  // FLEX_XRT_CARD_H_
