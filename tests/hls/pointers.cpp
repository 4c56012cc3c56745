// SPDX-License-Identifier: Apache-2.0
//
// The accelerator on plain pointers instead of hls::burst_maxi.

#include <cstdint>
#include <cstring>
#include <exception>

#include "flex/accelerator.hpp"
#include "flex_config.hpp"

extern "C" __attribute__((visibility("default"))) int flex_csim_run(
    uint8_t* memory, uint64_t, uint64_t offset, uint32_t beats, char* message, uint64_t message_bytes) {
  try {
    auto* first = reinterpret_cast<flex::beat_t<flex_config>*>(memory);
    flex::accelerator<flex_config>(first, first, first, first, first, offset, beats);
    return 0;
  } catch (const std::exception& error) {
    std::strncpy(message, error.what(), message_bytes - 1);
    message[message_bytes - 1] = '\0';
    return 1;
  }
}
