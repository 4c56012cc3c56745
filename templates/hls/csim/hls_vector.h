// SPDX-License-Identifier: Apache-2.0
//
// hls::vector for C simulation: an array that is a value.

#ifndef HLS_VECTOR_H_
#define HLS_VECTOR_H_

#include <cstddef>

namespace hls {

template <typename T, std::size_t Count>
class vector {
 public:
  vector() = default;
  vector(const T& value) {
    for (std::size_t i = 0; i < Count; ++i) data_[i] = value;
  }
  T& operator[](std::size_t index) { return data_[index]; }
  const T& operator[](std::size_t index) const { return data_[index]; }

 private:
  T data_[Count];
};

}  // namespace hls

#endif  // HLS_VECTOR_H_
