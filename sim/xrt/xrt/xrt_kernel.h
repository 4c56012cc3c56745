// SPDX-License-Identifier: Apache-2.0
//
// Stand-in: xrt::kernel and xrt::run.

#ifndef FLEX_XRT_KERNEL_H_
#define FLEX_XRT_KERNEL_H_

#include <type_traits>

#include "xrt/xrt_bo.h"

namespace xrt {

class kernel {
 public:
  kernel(const device&, const uuid&, const std::string& name) {
    if (name != "flex_kernel") throw std::runtime_error("no kernel " + name);
  }
  int group_id(int argument) const {
    return static_cast<int>(xrt_card::Card::instance().group_id(argument));
  }
};

class run {
 public:
  explicit run(const kernel&) {}
  void set_arg(int index, const bo& argument) { run_->buffers[index] = argument.buffer; }
  template <typename Value, typename = std::enable_if_t<std::is_arithmetic_v<Value>>>
  void set_arg(int index, Value value) {
    static_assert(sizeof(Value) == 4, "scalars of the kernel have 32 bits");
    run_->scalars[index] = static_cast<std::uint64_t>(value);
  }
  void start() { xrt_card::Card::instance().start(run_); }
  ert_cmd_state wait(const std::chrono::milliseconds& timeout) const {
    return xrt_card::Card::instance().wait(run_, timeout);
  }

 private:
  std::shared_ptr<xrt_card::Run> run_ = std::make_shared<xrt_card::Run>();
};

}  // namespace xrt

#endif  // FLEX_XRT_KERNEL_H_
