#pragma once
// A matrix of activations: rows one after the other, `stride` floats apart.
#include <cstdint>

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

/// Whether a result replaces what stands in its place or is added to it.
enum class Write { kReplace, kAdd };

}  // namespace strider
