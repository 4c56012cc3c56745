// SPDX-License-Identifier: Apache-2.0
//
// The checksum by which files of one build know each other: CRC-32 as in zlib and in .zip files.

#ifndef FLEX_CRC32_HPP_
#define FLEX_CRC32_HPP_

#include <array>
#include <cstdint>
#include <vector>

namespace flex {

/// What eight zero bits behind a byte make of it: bits reversed, polynomial 0x04C11DB7.
inline std::array<std::uint32_t, 256> crc32_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t rest = byte;
    for (int bit = 0; bit < 8; ++bit) rest = (rest >> 1) ^ ((rest & 1) != 0 ? 0xEDB88320u : 0u);
    table[byte] = rest;
  }
  return table;
}

inline std::uint32_t crc32(const std::vector<std::uint8_t>& bytes) {
  static const std::array<std::uint32_t, 256> table = crc32_table();
  std::uint32_t rest = 0xFFFFFFFFu;
  for (const std::uint8_t byte : bytes) rest = (rest >> 8) ^ table[(rest ^ byte) & 0xFFu];
  return ~rest;
}

}  // namespace flex

#endif  // FLEX_CRC32_HPP_
