// SPDX-License-Identifier: Apache-2.0
//
// C simulation of a dataflow region: every process a thread, every channel bounded.
//
// A process that cannot go on first wakes those that can, then sleeps. So no channel operation that
// succeeds costs more than two atomic accesses, and when the last process falls asleep nothing can
// ever move again: that is a deadlock, and the report says who waits for what.

#ifndef CSIM_HPP_
#define CSIM_HPP_

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace csim {

/// The simulated design breaks a rule, or stands still for ever.
class failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Unwinds the other processes after a failure.
class stopped : public std::exception {};

/// Fails when `holds` is false.
inline void check(bool holds, const char* text);

/// Something a process may have to wait for.
class waitable {
 public:
  virtual ~waitable() = default;
  /// "to read from x (empty, depth 2)".
  virtual std::string description() const = 0;
  virtual bool ready() const = 0;
};

class processes;

/// One thread of a region.
struct process {
  std::string name;
  std::thread thread;
  std::condition_variable wake;
  const waitable* waits = nullptr;  // guarded by the region's mutex, as is `go`
  bool go = false;
  bool ended = false;
};

/// The processes of one dataflow region; its destructor waits for all of them.
class processes {
 public:
  processes() = default;
  processes(const processes&) = delete;
  processes& operator=(const processes&) = delete;

  ~processes() noexcept(false) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      open_ = false;
      started_.notify_all();
    }
    for (auto& one : all_) one->thread.join();
    if (!failure_.empty() && !std::uncaught_exceptions()) throw failure(failure_);
  }

  /// Runs `body` in a thread; `call` is its source text, of which the function's name is kept.
  void start(const std::string& call, std::function<void()> body) {
    all_.push_back(std::make_unique<process>());
    process& own = *all_.back();
    own.name = call.substr(0, call.find_first_of("<("));
    own.thread = std::thread([this, &own, body = std::move(body)] { run(own, body); });
  }

  /// Waits in the current process until `what` is ready.
  static void wait(const waitable& what) {
    if (current() == nullptr) {
      if (!what.ready()) throw failure("nobody is there to wait " + what.description());
      return;
    }
    region()->sleep(*current(), what);
  }

  static const char* name_of_current() {
    return current() == nullptr ? "the caller" : current()->name.c_str();
  }

 private:
  static process*& current() {
    static thread_local process* own = nullptr;
    return own;
  }
  static processes*& region() {
    static thread_local processes* own = nullptr;
    return own;
  }

  void run(process& own, const std::function<void()>& body) {
    current() = &own;
    region() = this;
    try {
      {
        // The list of processes must be complete before anyone looks for a deadlock.
        std::unique_lock<std::mutex> lock(mutex_);
        started_.wait(lock, [this] { return !open_; });
      }
      body();
    } catch (const stopped&) {
    } catch (const std::exception& error) {
      fail(own.name + ": " + error.what());
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    own.ended = true;
    if (!wake_ready()) find_deadlock();
  }

  void sleep(process& own, const waitable& what) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (stop_) throw stopped();
    const bool moved = wake_ready();
    if (what.ready()) return;
    own.waits = &what;
    own.go = false;
    if (!moved) find_deadlock();
    own.wake.wait(lock, [this, &own] { return own.go || stop_; });
    own.waits = nullptr;
    if (stop_) throw stopped();
  }

  /// Wakes whoever can go on; whether there is one.
  bool wake_ready() {
    bool any = false;
    for (auto& one : all_) {
      if (one->waits == nullptr || (!one->go && !one->waits->ready())) continue;
      one->go = any = true;
      one->wake.notify_one();
    }
    return any;
  }

  void find_deadlock() {
    std::string report;
    for (const auto& one : all_) {
      if (one->ended) continue;
      if (one->waits == nullptr || one->go || one->waits->ready()) return;
      report += "\n  " + one->name + " waits " + one->waits->description();
    }
    if (!report.empty()) stop("deadlock:" + report);
  }

  void fail(const std::string& text) {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop(text);
  }

  void stop(const std::string& text) {
    if (failure_.empty()) failure_ = text;
    stop_ = true;
    for (auto& one : all_) one->wake.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable started_;
  bool open_ = true;
  bool stop_ = false;
  std::string failure_;
  std::vector<std::unique_ptr<process>> all_;
};

inline void check(bool holds, const char* text) {
  if (!holds) throw failure(text);
}

}  // namespace csim

#endif  // CSIM_HPP_
