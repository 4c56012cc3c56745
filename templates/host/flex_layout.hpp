// SPDX-License-Identifier: Apache-2.0
//
// Between the arrays of a model and the accelerator's memory: float32 to int8 and back, and the
// place of every element. docs/program.md and plan.json of a build say the same in words.

#ifndef FLEX_LAYOUT_HPP_
#define FLEX_LAYOUT_HPP_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace flex {

/// An array of the model, of float32.
struct Array {
  std::string name;
  std::string shape;
  std::size_t elements;
};

/// One axis of a packed tensor: position X of lane j is pixel X * step + j * distance - offset.
/// Pixels outside 0..size-1 are padding. Without packing: one lane, step 1.
struct Axis {
  std::int64_t lanes, distance, step, offset, size, extent;
};

/// Channels of a tensor that lie together: planes [height][width][lanes], one per `lanes` channels.
struct Part {
  std::uint64_t address;
  std::uint64_t bytes;
  std::int64_t first_channel;
  std::int64_t channels;
  std::uint64_t row_pitch;
  std::uint64_t plane_pitch;
  std::int8_t dead;  // what lanes without a channel hold
};

/// A tensor that the host writes or reads, and the array whose values it holds.
///
/// Outputs may have 16 bits: the first half of the parts holds the upper bytes, the second half the
/// lower ones less 128.
struct Port {
  std::size_t array;
  std::int64_t channels;  // before packing
  std::size_t channel_stride, row_stride, column_stride;  // elements of the array
  Axis y, x;
  float scale;
  std::int16_t zero_point;
  bool wide;
  std::vector<Part> parts;
};

/// Calls visit(offset, element) for every byte of `part` that is a pixel. `element` is the index in
/// the array, kPadding for pixels outside the image, kDead for lanes without a channel.
constexpr std::int64_t kPadding = -1;
constexpr std::int64_t kDead = -2;

template <typename Visit>
void for_each_byte(const Port& port, const Part& part, std::int64_t lanes, Visit visit) {
  const std::int64_t planes = (part.channels + lanes - 1) / lanes;
  for (std::int64_t plane = 0; plane < planes; ++plane) {
    for (std::int64_t row = 0; row < port.y.extent; ++row) {
      for (std::int64_t lane = 0; lane < lanes; ++lane) {
        const std::int64_t within = plane * lanes + lane;
        const std::int64_t packed = part.first_channel + within;
        const std::int64_t block = packed / port.channels, channel = packed % port.channels;
        const std::int64_t y =
            row * port.y.step + block / port.x.lanes * port.y.distance - port.y.offset;
        const std::int64_t shift = block % port.x.lanes * port.x.distance - port.x.offset;
        const bool inside = y >= 0 && y < port.y.size;
        const std::uint64_t base = static_cast<std::uint64_t>(plane) * part.plane_pitch +
                                   static_cast<std::uint64_t>(row) * part.row_pitch +
                                   static_cast<std::uint64_t>(lane);
        const std::int64_t first = channel * static_cast<std::int64_t>(port.channel_stride) +
                                   y * static_cast<std::int64_t>(port.row_stride);
        for (std::int64_t column = 0; column < port.x.extent; ++column) {
          const std::int64_t x = column * port.x.step + shift;
          std::int64_t element = kDead;
          if (within < part.channels) {
            element = inside && x >= 0 && x < port.x.size
                          ? first + x * static_cast<std::int64_t>(port.column_stride)
                          : kPadding;
          }
          visit(base + static_cast<std::uint64_t>(column * lanes), element);
        }
      }
    }
  }
}

/// saturate(round_half_even(value / scale) + zero_point), in float32 as ONNX has it.
inline std::int8_t quantize(float value, float scale, std::int16_t zero_point) {
  if (std::isnan(value)) throw std::invalid_argument("an input holds NaN; remove it");
  const float steps = std::nearbyint(value / scale);
  const float low = static_cast<float>(-128 - zero_point);
  const float high = static_cast<float>(127 - zero_point);
  const float clamped = steps < low ? low : steps > high ? high : steps;
  return static_cast<std::int8_t>(static_cast<int>(clamped) + zero_point);
}

/// Writes the array `values` into the memory of an image, byte 0 of which is `memory`.
inline void pack(const Port& port, std::int64_t lanes, const float* values, std::size_t elements,
                 std::uint8_t* memory) {
  std::vector<std::int8_t> integers(elements);
  for (std::size_t i = 0; i < elements; ++i) {
    integers[i] = quantize(values[i], port.scale, port.zero_point);
  }
  for (const Part& part : port.parts) {
    std::uint8_t* bytes = memory + part.address;
    for_each_byte(port, part, lanes, [&](std::uint64_t offset, std::int64_t element) {
      const std::int8_t value = element == kDead      ? part.dead
                                : element == kPadding ? static_cast<std::int8_t>(port.zero_point)
                                                      : integers[static_cast<std::size_t>(element)];
      bytes[offset] = static_cast<std::uint8_t>(value);
    });
  }
}

/// Reads the array of a port from the memory of an image: scale * (value - zero_point).
inline void unpack(const Port& port, std::int64_t lanes, const std::uint8_t* memory,
                   float* values) {
  const std::size_t uppers = port.wide ? port.parts.size() / 2 : 0;
  for (std::size_t i = 0; i < port.parts.size(); ++i) {
    const std::uint8_t* bytes = memory + port.parts[i].address;
    for_each_byte(port, port.parts[i], lanes, [&](std::uint64_t offset, std::int64_t element) {
      if (element < 0) return;
      int value = static_cast<std::int8_t>(bytes[offset]);
      if (i < uppers) {
        // Kept until the lower byte comes; float32 has 16 bits exactly.
        values[element] = static_cast<float>(256 * value);
        return;
      }
      if (port.wide) value += 128 + static_cast<int>(values[element]);
      values[element] = static_cast<float>(value - port.zero_point) * port.scale;
    });
  }
}

}  // namespace flex

#endif  // FLEX_LAYOUT_HPP_
