#pragma once
// What will soon be read and written but lies in a far cache, or in memory, is sent for.
#include <cstdint>

namespace strider {

inline void prefetch_rows(const float* first, std::int64_t rows, std::int64_t columns, std::int64_t stride) {
  constexpr std::int64_t kLine = 16;  // floats
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t i = 0; i < columns; i += kLine) __builtin_prefetch(first + r * stride + i, 1, 2);
  }
}

}  // namespace strider
