// SPDX-License-Identifier: Apache-2.0
//
// Stand-in: xrt::bo.

#ifndef FLEX_XRT_BO_H_
#define FLEX_XRT_BO_H_

#include "xrt/xrt_device.h"

namespace xrt {

using memory_group = std::uint32_t;

class bo {
 public:
  bo(const device&, std::size_t size, memory_group)
      : buffer(std::make_shared<xrt_card::Buffer>(size)) {}
  std::size_t size() const { return buffer->host.size(); }
  template <typename Pointer>
  Pointer map() {
    return reinterpret_cast<Pointer>(buffer->host.data());
  }
  void sync(xclBOSyncDirection direction, std::size_t size, std::size_t offset) {
    xrt_card::Card::instance().sync(*buffer, direction, size, offset);
  }
  void sync(xclBOSyncDirection direction) { sync(direction, size(), 0); }

  std::shared_ptr<xrt_card::Buffer> buffer;  // of the stand-in alone
};

}  // namespace xrt

#endif  // FLEX_XRT_BO_H_
