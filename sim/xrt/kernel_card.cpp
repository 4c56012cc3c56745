// SPDX-License-Identifier: Apache-2.0
//
// Linked to a host, makes the stand-in card run the HLS kernel on the device side of its buffers.

#include <cstdio>

#include "flex_kernel.cpp"
#include "xrt/xrt_kernel.h"

namespace {

using port_t = hls::burst_maxi<flex_beat>;

port_t port_of(xrt_card::Run& run, int argument) {
  xrt_card::Bytes& bytes = run.buffers.at(argument)->device;
  return {reinterpret_cast<flex_beat*>(bytes.data()), bytes.size() / sizeof(flex_beat)};
}

[[maybe_unused]] void call(void (*kernel)(port_t, port_t, port_t, port_t, uint32_t, uint32_t),
                           xrt_card::Run& run) {
  kernel(port_of(run, 0), port_of(run, 1), port_of(run, 2), port_of(run, 3),
         static_cast<uint32_t>(run.scalars.at(4)), static_cast<uint32_t>(run.scalars.at(5)));
}

[[maybe_unused]] void call(
    void (*kernel)(port_t, port_t, port_t, port_t, port_t, uint32_t, uint32_t),
    xrt_card::Run& run) {
  kernel(port_of(run, 0), port_of(run, 1), port_of(run, 2), port_of(run, 3), port_of(run, 4),
         static_cast<uint32_t>(run.scalars.at(5)), static_cast<uint32_t>(run.scalars.at(6)));
}

bool execute(xrt_card::Run& run) {
  try {
    call(flex_kernel, run);
    return true;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "stand-in card: %s\n", error.what());
    return false;
  }
}

const bool installed = (xrt_card::executor() = execute, true);

}  // namespace
