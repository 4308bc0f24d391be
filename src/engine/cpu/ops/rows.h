#pragma once
// A matrix of activations: rows one after the other, `stride` floats apart.
#include <algorithm>
#include <cstdint>

#include "base/carver.h"

namespace strider {

struct ConstRows {
  const float* data = nullptr;
  std::int64_t stride = 0;
  const float* row(std::int64_t i) const { return data + i * stride; }
  ConstRows from(std::int64_t first_row, std::int64_t first_column = 0) const {
    return {data + first_row * stride + first_column, stride};
  }
};

struct Rows {
  float* data = nullptr;
  std::int64_t stride = 0;
  float* row(std::int64_t i) const { return data + i * stride; }
  Rows from(std::int64_t first_row, std::int64_t first_column = 0) const {
    return {data + first_row * stride + first_column, stride};
  }
  operator ConstRows() const { return {data, stride}; }  // NOLINT: reading what may be written is always right
};

/// Rows that each begin on a cache line.
inline Rows take_rows(Carver& carver, std::int64_t rows, std::int64_t width) {
  constexpr auto kFloats = static_cast<std::int64_t>(kCacheLine / sizeof(float));
  const std::int64_t stride = (width + kFloats - 1) / kFloats * kFloats;
  return {carver.take<float>(rows * stride), stride};
}

inline void copy_rows(std::int64_t rows, std::int64_t width, ConstRows from, Rows to) {
  for (std::int64_t r = 0; r < rows; ++r) std::copy_n(from.row(r), width, to.row(r));
}

/// Whether a result replaces what is in its place or is added to it.
enum class Write { kReplace, kAdd };

}  // namespace strider
