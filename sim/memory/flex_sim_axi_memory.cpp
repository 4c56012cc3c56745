// SPDX-License-Identifier: Apache-2.0
//
// The store behind every flex_sim_axi_memory of a simulation, and the behaviour of their ports.
//
// SystemVerilog calls the two step functions once per clock edge and port. The bench calls the
// flex_sim_memory_* functions in the same process (sim/memory/model.py); they take effect at once,
// a port's configuration at its next reset.
//
// Where AXI leaves the order open, the model picks at random what a careless master would not
// expect: a write takes effect only when its response is offered; a read looks at the store either
// when its address is accepted or when its beat is offered; bursts of different IDs may overtake
// each other and interleave.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "svdpi.h"

// The layouts below are those of the ctypes structures in model.py.
extern "C" {

// A pause starts with `percent` chance in each cycle at work and lasts 1 to `longest` cycles.
struct FlexSimPause {
  std::uint32_t percent;
  std::uint32_t longest;
};

struct FlexSimPort {
  std::uint64_t seed;
  std::uint32_t read_latency;     // cycles from the address to the first beat, at least 1
  std::uint32_t write_latency;    // cycles from the last beat to the response, at least 1
  std::uint32_t latency_spread;   // a burst takes up to so many more cycles, at random
  std::uint32_t reads;            // bursts outstanding
  std::uint32_t writes;           // bursts outstanding
  std::uint32_t reorder_percent;  // chance that another ID's burst goes first, per beat
  std::uint32_t sampling;         // Sampling
  std::uint32_t channel;          // shares the bandwidth of this channel; kNoChannel: unlimited
  std::uint32_t channels;         // from that one on, pages of 4 KB in turn; at least 1
  FlexSimPause ar, r, aw, w, b;
};

struct FlexSimStatistics {
  std::uint64_t cycles;
  std::uint64_t read_bursts;
  std::uint64_t read_beats;
  std::uint64_t write_bursts;
  std::uint64_t write_beats;
};
}

namespace {

constexpr std::uint32_t kNoChannel = 0xffffffff;
constexpr std::uint64_t kPageBytes = 4096;
constexpr unsigned kMaxDataBytes = 128;
constexpr unsigned kWordBytes = sizeof(svBitVecVal);
// Beats of write data that may be accepted before their address.
constexpr std::size_t kMaxEarlyBeats = 8;
constexpr std::uint32_t kOkay = 0, kDecodeError = 3;
// Bandwidth is counted in thousandths of a beat; unused bandwidth is kept for a few beats.
constexpr std::int64_t kBeatCost = 1000, kMaxCredit = 4 * kBeatCost;

enum Sampling : std::uint32_t { kAtAddress = 0, kAtBeat = 1, kRandom = 2 };

using Random = std::minstd_rand;

bool chance(Random& random, std::uint32_t percent) {
  return percent > 0 && random() % 100 < percent;
}

// Decides, cycle by cycle, whether one channel of a port pauses.
class Pauser {
 public:
  void configure(const FlexSimPause& pause) {
    pause_ = pause;
    left_ = 0;
  }
  bool pauses(Random& random) {
    if (left_ > 0) {
      --left_;
      return true;
    }
    if (!chance(random, pause_.percent)) return false;
    left_ = pause_.longest > 1 ? random() % pause_.longest : 0;
    return true;
  }

 private:
  FlexSimPause pause_{};
  std::uint32_t left_ = 0;
};

// Address range whose accesses fail.
struct Failure {
  std::uint64_t first, last;
  std::uint32_t response;
  bool reads, writes;
};

class Store {
 public:
  std::uint8_t* map(std::uint64_t base, std::uint64_t bytes) {
    data_.reset(static_cast<std::uint8_t*>(std::calloc(bytes ? bytes : 1, 1)));
    put_.clear();
    base_ = base;
    bytes_ = data_ ? bytes : 0;
    return data_.get();
  }
  void fail(const Failure& failure) { failures_.push_back(failure); }
  void clear_failures() { failures_.clear(); }

  // Response to an access of [address, address + bytes).
  std::uint32_t response(std::uint64_t address, unsigned bytes, bool write) const {
    const std::uint64_t offset = address - base_;
    if (address < base_ || bytes_ < bytes || offset > bytes_ - bytes) return kDecodeError;
    for (const Failure& failure : failures_) {
      const bool concerned = write ? failure.writes : failure.reads;
      if (concerned && address <= failure.last && address + bytes > failure.first) {
        return failure.response;
      }
    }
    return kOkay;
  }
  void read(std::uint64_t address, unsigned bytes, std::uint8_t* to) const {
    std::memcpy(to, &data_.get()[address - base_], bytes);
  }
  void write(std::uint64_t address, unsigned bytes, const std::uint8_t* from,
             const std::uint8_t* strobes) {
    std::uint8_t* to = &data_.get()[address - base_];
    for (unsigned i = 0; i < bytes; ++i) {
      if (strobes[i / 8] >> (i % 8) & 1) to[i] = from[i];
    }
  }

  // What other memory of these addresses is given; false if they are not mapped.
  bool put(std::uint64_t address, unsigned bytes, const std::uint8_t* from,
           const std::uint8_t* strobes) {
    if (response(address, bytes, true) != kOkay) return false;
    write(address, bytes, from, strobes);
    const std::uint64_t offset = address - base_;
    if (put_.size() < offset + bytes) put_.resize(offset + bytes);
    for (unsigned i = 0; i < bytes; ++i) {
      if (strobes[i / 8] >> (i % 8) & 1) put_[offset + i] = true;
    }
    return true;
  }
  // Whether it gives back what it was given there; bytes never given may be anything.
  bool got(std::uint64_t address, unsigned bytes, const std::uint8_t* data) const {
    const std::uint64_t offset = address - base_;
    for (unsigned i = 0; i < bytes && offset + i < put_.size(); ++i) {
      if (put_[offset + i] && data_.get()[offset + i] != data[i]) return false;
    }
    return true;
  }

 private:
  struct Free {
    void operator()(std::uint8_t* data) const { std::free(data); }
  };
  std::unique_ptr<std::uint8_t, Free> data_;
  std::uint64_t base_ = 0, bytes_ = 0;
  std::vector<Failure> failures_;
  std::vector<bool> put_;
};

// Bandwidth shared by several ports, granted beat by beat in the order of the first request.
class Channel {
 public:
  void limit(std::uint32_t beats_per_1000_cycles) { rate_ = beats_per_1000_cycles; }
  void reset() {
    cycle_ = 0;
    credit_ = 0;
    waiting_.clear();
  }
  void withdraw(unsigned requester) {
    waiting_.erase(std::remove(waiting_.begin(), waiting_.end(), requester), waiting_.end());
  }
  // Whether `requester` may move a beat in this cycle; if not, it asks again or withdraws.
  bool grant(std::uint64_t cycle, unsigned requester) {
    if (cycle > cycle_) {
      const auto gained = static_cast<std::int64_t>((cycle - cycle_) * rate_);
      credit_ = std::min(kMaxCredit, credit_ + gained);
      cycle_ = cycle;
    }
    if (std::find(waiting_.begin(), waiting_.end(), requester) == waiting_.end()) {
      waiting_.push_back(requester);
    }
    if (waiting_.front() != requester || credit_ < kBeatCost) return false;
    waiting_.pop_front();
    credit_ -= kBeatCost;
    return true;
  }

 private:
  std::uint32_t rate_ = 1000;
  std::uint64_t cycle_ = 0;
  std::int64_t credit_ = 0;
  std::deque<unsigned> waiting_;
};

struct ReadBurst {
  std::uint64_t address;  // of the first beat, aligned
  std::uint32_t id;
  unsigned beats, done;
  std::uint64_t ready_cycle;
  std::vector<std::uint8_t> sampled;  // the data, when looked up with the address
};

struct WriteBeat {
  std::uint8_t data[kMaxDataBytes];
  std::uint8_t strobes[kMaxDataBytes / 8];
  bool last;
};

struct WriteBurst {
  std::uint64_t address;  // of the first beat, aligned
  std::uint32_t id;
  unsigned beats;
  std::uint64_t ready_cycle;  // of the response; valid once all data are here
  std::vector<WriteBeat> data;
  bool complete() const { return data.size() == beats; }
};

struct ReadResponse {
  bool valid = false;
  std::uint8_t data[kMaxDataBytes] = {};
  std::uint32_t id = 0, response = kOkay;
  bool last = false;
};

struct WriteResponse {
  bool valid = false;
  std::uint32_t id = 0, response = kOkay;
};

Store store;
std::map<std::uint32_t, Channel> channels;

class Port {
 public:
  explicit Port(unsigned index) : index_(index) {
    configured.read_latency = configured.write_latency = 1;
    configured.reads = configured.writes = 64;
    configured.sampling = kRandom;
    configured.channel = kNoChannel;
    configured.channels = 1;
  }

  FlexSimPort configured{};  // takes effect at the next reset
  FlexSimStatistics statistics{};
  ReadResponse r;
  WriteResponse b;
  bool ar_ready = false, aw_ready = false, w_ready = false, last_is_wrong = false;

  void reset_reads() {
    config_ = configured;
    random_.seed(static_cast<Random::result_type>(config_.seed * 2654435761u + index_ + 1));
    reads_.clear();
    r.valid = ar_ready = false;
    read_cycle_ = 0;
    statistics = {};
    ar_pauser_.configure(config_.ar);
    r_pauser_.configure(config_.r);
    reset_channels();
  }
  void reset_writes() {
    config_ = configured;
    write_random_.seed(static_cast<Random::result_type>(config_.seed * 40503u + index_ + 7));
    writes_.clear();
    early_.clear();
    b.valid = aw_ready = w_ready = w_granted_ = last_is_wrong = false;
    write_cycle_ = 0;
    statistics = {};
    aw_pauser_.configure(config_.aw);
    w_pauser_.configure(config_.w);
    b_pauser_.configure(config_.b);
    reset_channels();
  }

  void accept_read(std::uint64_t address, unsigned length, std::uint32_t id, unsigned bytes) {
    ReadBurst burst{address & ~std::uint64_t{bytes - 1}, id, length + 1, 0,
                    read_cycle_ + config_.read_latency - 1 + spread(random_), {}};
    const bool early =
        config_.sampling == kAtAddress || (config_.sampling == kRandom && random_() % 2 == 0);
    if (early) {
      burst.sampled.resize(std::size_t{burst.beats} * bytes);
      for (unsigned i = 0; i < burst.beats; ++i) {
        look_up(burst.address + std::uint64_t{i} * bytes, bytes, &burst.sampled[i * bytes]);
      }
    }
    reads_.push_back(std::move(burst));
    ++statistics.read_bursts;
  }

  void step_reads(bool taken, unsigned bytes) {
    if (taken) {
      r.valid = false;
      ++statistics.read_beats;
    }
    if (!r.valid) offer_beat(bytes);
    ar_ready = reads_.size() < config_.reads && !ar_pauser_.pauses(random_);
    statistics.cycles = ++read_cycle_;
  }

  void accept_write(std::uint64_t address, unsigned length, std::uint32_t id, unsigned bytes) {
    writes_.push_back({address & ~std::uint64_t{bytes - 1}, id, length + 1, 0, {}});
    writes_.back().data.reserve(length + 1);
    ++statistics.write_bursts;
  }

  void accept_beat(const svBitVecVal* data, const svBitVecVal* strobes, bool last,
                   unsigned bytes) {
    WriteBeat beat;
    std::memcpy(beat.data, data, bytes);
    std::memcpy(beat.strobes, strobes, (bytes + 7) / 8);
    beat.last = last;
    early_.push_back(beat);
    ++statistics.write_beats;
    w_granted_ = false;
  }

  void step_writes(bool taken, bool beat_offered, unsigned bytes) {
    if (taken) b.valid = false;
    distribute_beats();
    if (!b.valid) offer_response(bytes);
    aw_ready = writes_.size() < config_.writes && !aw_pauser_.pauses(write_random_);
    const bool room = early_.size() < kMaxEarlyBeats || data_wanted();
    const bool able = room && !w_pauser_.pauses(write_random_);
    // Without a limit ready need not wait for valid; with one, bandwidth goes to beats on offer,
    // and with several channels to those whose address is known.
    const bool known = config_.channels == 1 || data_wanted();
    const bool wanted = able && (config_.channel == kNoChannel || (beat_offered && known));
    if (!w_granted_) {
      w_granted_ = bandwidth(wanted, write_cycle_, 2 * index_ + 1, next_write(bytes), w_asked_);
    }
    w_ready = able && w_granted_;
    statistics.cycles = ++write_cycle_;
  }

 private:
  FlexSimPort config_{};
  unsigned index_;
  Random random_, write_random_;
  Pauser ar_pauser_, r_pauser_, aw_pauser_, w_pauser_, b_pauser_;
  std::uint64_t read_cycle_ = 0, write_cycle_ = 0;
  std::deque<ReadBurst> reads_;
  std::deque<WriteBurst> writes_;
  std::deque<WriteBeat> early_;
  bool w_granted_ = false;
  Channel *r_asked_ = nullptr, *w_asked_ = nullptr;  // where a read or a write waits, if anywhere

  // Cycles that a burst takes beyond its latency.
  std::uint64_t spread(Random& random) const {
    return config_.latency_spread ? random() % (config_.latency_spread + 1) : 0;
  }

  void reset_channels() {
    r_asked_ = w_asked_ = nullptr;
    if (config_.channel == kNoChannel) return;
    for (std::uint32_t i = 0; i < config_.channels; ++i) channels[config_.channel + i].reset();
  }

  // Reads one beat; one that fails yields random bytes.
  void look_up(std::uint64_t address, unsigned bytes, std::uint8_t* to) {
    if (store.response(address, bytes, false) == kOkay) {
      store.read(address, bytes, to);
    } else {
      for (unsigned i = 0; i < bytes; ++i) to[i] = static_cast<std::uint8_t>(random_() >> 8);
    }
  }

  // Index of the burst that goes on: the oldest, or at random the oldest of another ID.
  template <typename Burst>
  std::size_t choose(const std::deque<Burst>& bursts, Random& random) {
    if (!chance(random, config_.reorder_percent)) return 0;
    std::vector<std::size_t> oldest;
    for (std::size_t i = 0; i < bursts.size(); ++i) {
      const bool first_of_id = std::none_of(oldest.begin(), oldest.end(), [&](std::size_t j) {
        return bursts[j].id == bursts[i].id;
      });
      if (first_of_id) oldest.push_back(i);
    }
    return oldest[random() % oldest.size()];
  }

  void offer_beat(unsigned bytes) {
    if (reads_.empty()) return;
    const std::size_t chosen = choose(reads_, random_);
    ReadBurst& burst = reads_[chosen];
    const bool wanted = burst.ready_cycle <= read_cycle_ && !r_pauser_.pauses(random_);
    const std::uint64_t address = burst.address + std::uint64_t{burst.done} * bytes;
    if (!bandwidth(wanted, read_cycle_, 2 * index_, address, r_asked_)) return;
    if (burst.sampled.empty()) {
      look_up(address, bytes, r.data);
    } else {
      std::memcpy(r.data, &burst.sampled[std::size_t{burst.done} * bytes], bytes);
    }
    r.valid = true;
    r.id = burst.id;
    r.response = store.response(address, bytes, false);
    r.last = ++burst.done == burst.beats;
    if (r.last) reads_.erase(reads_.begin() + static_cast<std::ptrdiff_t>(chosen));
  }

  bool data_wanted() const {
    return std::any_of(writes_.begin(), writes_.end(),
                       [](const WriteBurst& burst) { return !burst.complete(); });
  }

  // Gives the accepted beats to their bursts: data come in the order of the addresses.
  void distribute_beats() {
    for (WriteBurst& burst : writes_) {
      if (burst.complete()) continue;
      while (!early_.empty() && !burst.complete()) {
        burst.data.push_back(early_.front());
        early_.pop_front();
        if (burst.data.back().last != burst.complete()) last_is_wrong = true;
        if (burst.complete()) {
          burst.ready_cycle = write_cycle_ + config_.write_latency - 1 + spread(write_random_);
        }
      }
      if (!burst.complete()) return;
    }
  }

  // Address of the next beat to be written; 0 if no burst waits for one.
  std::uint64_t next_write(unsigned bytes) const {
    for (const WriteBurst& burst : writes_) {
      if (!burst.complete()) return burst.address + std::uint64_t{burst.data.size()} * bytes;
    }
    return 0;
  }

  // Whether a beat may move: it is `wanted` and the channel of its address, if any, has bandwidth.
  // `asked` is the channel in which the requester waits since an earlier cycle.
  bool bandwidth(bool wanted, std::uint64_t cycle, unsigned requester, std::uint64_t address,
                 Channel*& asked) {
    if (config_.channel == kNoChannel) return wanted;
    Channel& channel = channels[config_.channel + address / kPageBytes % config_.channels];
    if (asked != nullptr && (!wanted || asked != &channel)) asked->withdraw(requester);
    asked = nullptr;
    if (!wanted) return false;
    if (channel.grant(cycle, requester)) return true;
    asked = &channel;
    return false;
  }

  void offer_response(unsigned bytes) {
    if (writes_.empty()) return;
    const std::size_t chosen = choose(writes_, write_random_);
    const WriteBurst& burst = writes_[chosen];
    if (!burst.complete() || burst.ready_cycle > write_cycle_) return;
    if (b_pauser_.pauses(write_random_)) return;
    b.valid = true;
    b.id = burst.id;
    b.response = kOkay;
    for (unsigned i = 0; i < burst.beats; ++i) {
      const std::uint64_t address = burst.address + std::uint64_t{i} * bytes;
      const std::uint32_t response = store.response(address, bytes, true);
      b.response = std::max(b.response, response);
      if (response == kOkay) {
        store.write(address, bytes, burst.data[i].data, burst.data[i].strobes);
      }
    }
    writes_.erase(writes_.begin() + static_cast<std::ptrdiff_t>(chosen));
  }
};

Port& port(unsigned index) {
  static std::map<unsigned, Port> ports;
  return ports.try_emplace(index, index).first->second;
}

}  // namespace

// For the bench.
extern "C" {

// Replaces the store by `bytes` zeros at `base`; returns them, null when out of memory.
std::uint8_t* flex_sim_memory_map(std::uint64_t base, std::uint64_t bytes) {
  return store.map(base, bytes);
}

void flex_sim_memory_configure(std::uint32_t index, const FlexSimPort* config) {
  port(index).configured = *config;
}

void flex_sim_memory_limit(std::uint32_t channel, std::uint32_t beats_per_1000_cycles) {
  channels[channel].limit(beats_per_1000_cycles);
}

void flex_sim_memory_fail(std::uint64_t first, std::uint64_t last, std::uint32_t response,
                          std::uint32_t reads, std::uint32_t writes) {
  store.fail({first, last, response, reads != 0, writes != 0});
}

void flex_sim_memory_clear_failures() { store.clear_failures(); }

void flex_sim_memory_statistics(std::uint32_t index, FlexSimStatistics* statistics) {
  *statistics = port(index).statistics;
}
}

// For SystemVerilog: one clock edge of a port's read or write half.
extern "C" {

void flex_sim_axi_memory_read(unsigned index, unsigned bytes, svBit reset, svBit ar_fire,
                              unsigned long long ar_addr, unsigned ar_len, unsigned ar_id,
                              svBit r_fire, svBit* ar_ready, svBit* r_valid,
                              svBitVecVal* r_data, unsigned* r_id, svBitVecVal* r_resp,
                              svBit* r_last) {
  Port& self = port(index);
  if (reset) {
    self.reset_reads();
  } else {
    if (ar_fire) self.accept_read(ar_addr, ar_len, ar_id, bytes);
    self.step_reads(r_fire, bytes);
  }
  *ar_ready = self.ar_ready;
  *r_valid = self.r.valid;
  std::memcpy(r_data, self.r.data, (bytes + kWordBytes - 1) / kWordBytes * kWordBytes);
  *r_id = self.r.id;
  *r_resp = self.r.response;
  *r_last = self.r.last;
}

void flex_sim_axi_memory_write(unsigned index, unsigned bytes, svBit reset, svBit aw_fire,
                               unsigned long long aw_addr, unsigned aw_len, unsigned aw_id,
                               svBit w_valid, svBit w_fire, const svBitVecVal* w_data,
                               const svBitVecVal* w_strb, svBit w_last, svBit b_fire,
                               svBit* aw_ready, svBit* w_ready, svBit* b_valid, unsigned* b_id,
                               svBitVecVal* b_resp, svBit* last_is_wrong) {
  Port& self = port(index);
  if (reset) {
    self.reset_writes();
  } else {
    if (aw_fire) self.accept_write(aw_addr, aw_len, aw_id, bytes);
    if (w_fire) self.accept_beat(w_data, w_strb, w_last, bytes);
    self.step_writes(b_fire, w_valid, bytes);
  }
  *aw_ready = self.aw_ready;
  *w_ready = self.w_ready;
  *b_valid = self.b.valid;
  *b_id = self.b.id;
  *b_resp = self.b.response;
  *last_is_wrong = self.last_is_wrong;
}

// A beat that memory inside the design takes or gives, counted for a port that has no other use.
svBit flex_sim_memory_put(unsigned index, unsigned bytes, unsigned long long address,
                          const svBitVecVal* data, const svBitVecVal* strobes) {
  ++port(index).statistics.write_beats;
  return store.put(address, bytes, reinterpret_cast<const std::uint8_t*>(data),
                   reinterpret_cast<const std::uint8_t*>(strobes));
}

svBit flex_sim_memory_got(unsigned index, unsigned bytes, unsigned long long address,
                          const svBitVecVal* data) {
  ++port(index).statistics.read_beats;
  return store.got(address, bytes, reinterpret_cast<const std::uint8_t*>(data));
}
}
