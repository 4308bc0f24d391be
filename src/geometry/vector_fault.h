#pragma once
// What the measures cannot compare: vectors without a direction, or without a difference.
#include <cstddef>
#include <optional>
#include <span>

namespace strider {

struct VectorFault {
  enum What { kNotFinite, kZero, kAllTheSame };
  What what = kNotFinite;
  std::size_t row = 0, column = 0;  // of the first such row; the column where a value is not finite
};

/// The first fault of `values` [rows, width]; nothing where they can be measured.
std::optional<VectorFault> find_vector_fault(std::span<const float> values, std::size_t width);

}  // namespace strider
