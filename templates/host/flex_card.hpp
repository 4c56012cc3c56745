// SPDX-License-Identifier: Apache-2.0
//
// The accelerator on a card, through XRT's native API. Weights and program are written once; every
// slot is memory of its own for the tensors of a frame, so several frames can be under way.

#ifndef FLEX_CARD_HPP_
#define FLEX_CARD_HPP_

#include <algorithm>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "flex_crc32.hpp"
#include "flex_model.hpp"
#include "xrt/xrt_bo.h"
#include "xrt/xrt_device.h"
#include "xrt/xrt_kernel.h"

namespace flex {

class Card {
 public:
  /// Programs device number `device` with `xclbin`, and writes weights and program. A run that takes
  /// longer than `timeout` has failed; 0 waits for ever.
  ///
  /// Throws std::runtime_error when the files are not those of this host program.
  Card(unsigned device, const std::string& xclbin, const std::vector<std::uint8_t>& weights,
       const std::vector<std::uint8_t>& program, unsigned slots,
       std::chrono::milliseconds timeout)
      : timeout_(timeout),
        device_(device),
        kernel_(device_, device_.load_xclbin(xclbin), "flex_kernel"),
        constant_(device_, flex_model::kProgramAddress + flex_model::kProgramBytes,
                  kernel_.group_id(kProgram)) {
    require(slots > 0, "at least one slot is needed");
    require_own("weights.bin", weights, flex_model::kWeightsBytes, flex_model::kWeightsCrc32);
    require_own("program.bin", program, flex_model::kProgramBytes, flex_model::kProgramCrc32);
    require(kernel_.group_id(kWeights) == kernel_.group_id(kProgram),
            "ports program and wgt must be connected to one memory; see connectivity.cfg");
    for (int port = kActivations + 1; port < kProgramFirst; ++port) {
      require(kernel_.group_id(port) == kernel_.group_id(kActivations),
              "ports act, skip and out must be connected to one memory; see connectivity.cfg");
    }
    std::uint8_t* bytes = constant_.map<std::uint8_t*>();
    std::memset(bytes, 0, constant_.size());
    std::copy(weights.begin(), weights.end(), bytes + flex_model::kWeightsAddress);
    std::copy(program.begin(), program.end(), bytes + flex_model::kProgramAddress);
    constant_.sync(XCL_BO_SYNC_BO_TO_DEVICE);
    for (unsigned slot = 0; slot < slots; ++slot) add_slot();
  }

  unsigned slots() const { return static_cast<unsigned>(slots_.size()); }

  /// The memory of a slot's frame; valid for the host unless the slot has been started.
  std::uint8_t* memory(unsigned slot) { return slots_.at(slot).memory; }

  /// Sends the inputs of a slot to the card and starts it; runs are executed in order.
  void start(unsigned slot) {
    for (const Port& port : flex_model::kInputs) transfer(slot, port, XCL_BO_SYNC_BO_TO_DEVICE);
    slots_.at(slot).run.start();
  }

  /// Waits for a started slot and fetches its outputs.
  ///
  /// Throws std::runtime_error when the run fails or does not end.
  void finish(unsigned slot) {
    const ert_cmd_state state = slots_.at(slot).run.wait(timeout_);
    require(state == ERT_CMD_STATE_COMPLETED,
            "the kernel did not complete (state " + std::to_string(static_cast<int>(state)) +
                "); look at `xrt-smi examine` and dmesg, and check that xclbin, program.bin and "
                "weights.bin are of one build");
    for (const Port& port : flex_model::kOutputs) transfer(slot, port, XCL_BO_SYNC_BO_FROM_DEVICE);
  }

 private:
  // Arguments of flex_kernel, in order.
  static constexpr int kProgram = 0;
  static constexpr int kWeights = 1;
  static constexpr int kActivations = 2;
  static constexpr int kOut = flex_model::kSums ? 4 : 3;
  static constexpr int kProgramFirst = kOut + 1;
  static constexpr int kProgramBeats = kOut + 2;

  struct Slot {
    xrt::bo tensors;
    std::uint8_t* memory;
    xrt::run run;
  };

  static void require(bool holds, const std::string& text) {
    if (!holds) throw std::runtime_error(text);
  }

  /// Builds of one network differ in content alone: sizes would not tell them apart.
  static void require_own(const std::string& name, const std::vector<std::uint8_t>& content,
                          std::uint64_t bytes, std::uint32_t checksum) {
    require(content.size() == bytes && crc32(content) == checksum,
            name + " is of another build than this host program; build both again");
  }

  void add_slot() {
    // As large as the whole image before the program: tensors keep their addresses.
    xrt::bo tensors(device_, flex_model::kTensorsEnd, kernel_.group_id(kActivations));
    std::uint8_t* memory = tensors.map<std::uint8_t*>();
    std::memset(memory, 0, tensors.size());
    tensors.sync(XCL_BO_SYNC_BO_TO_DEVICE);
    xrt::run run(kernel_);
    run.set_arg(kProgram, constant_);
    run.set_arg(kWeights, constant_);
    for (int port = kActivations; port <= kOut; ++port) run.set_arg(port, tensors);
    run.set_arg(kProgramFirst,
                static_cast<std::uint32_t>(flex_model::kProgramAddress / flex_model::kBeatBytes));
    run.set_arg(kProgramBeats,
                static_cast<std::uint32_t>(flex_model::kProgramBytes / flex_model::kBeatBytes));
    slots_.push_back(Slot{tensors, memory, run});
  }

  void transfer(unsigned slot, const Port& port, xclBOSyncDirection direction) {
    for (const Part& part : port.parts) {
      slots_.at(slot).tensors.sync(direction, part.bytes, part.address);
    }
  }

  std::chrono::milliseconds timeout_;
  xrt::device device_;
  xrt::kernel kernel_;
  xrt::bo constant_;
  std::vector<Slot> slots_;
};

}  // namespace flex

#endif  // FLEX_CARD_HPP_
