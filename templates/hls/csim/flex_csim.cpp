// SPDX-License-Identifier: Apache-2.0
//
// Entry of the C simulation: runs the kernel on a memory image.

#include <cstdint>
#include <cstring>
#include <exception>

#include "flex_kernel.cpp"

namespace {

using port_t = hls::burst_maxi<flex_beat>;

[[maybe_unused]] void run(void (*kernel)(port_t, port_t, port_t, port_t, uint32_t, uint32_t),
                          const port_t& memory, uint32_t first, uint32_t beats) {
  kernel(memory, memory, memory, memory, first, beats);
}

[[maybe_unused]] void run(void (*kernel)(port_t, port_t, port_t, port_t, port_t, uint32_t, uint32_t),
                          const port_t& memory, uint32_t first, uint32_t beats) {
  kernel(memory, memory, memory, memory, memory, first, beats);
}

}  // namespace

/// Runs the program of `beats` beats at byte `offset` on `memory` of `bytes` bytes; 0, or 1 with the reason in `message`.
extern "C" __attribute__((visibility("default"))) int flex_csim_run(
    uint8_t* memory, uint64_t bytes, uint64_t offset, uint32_t beats, char* message,
    uint64_t message_bytes) {
  try {
    csim::check(bytes % sizeof(flex_beat) == 0, "memory is no whole number of beats");
    csim::check(offset % sizeof(flex_beat) == 0, "the program begins within a beat");
    const port_t port(reinterpret_cast<flex_beat*>(memory), bytes / sizeof(flex_beat));
    run(flex_kernel, port, static_cast<uint32_t>(offset / sizeof(flex_beat)), beats);
    return 0;
  } catch (const std::exception& error) {
    std::strncpy(message, error.what(), message_bytes - 1);
    message[message_bytes - 1] = '\0';
    return 1;
  }
}
