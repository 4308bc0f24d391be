#include "geometry/vector_fault.h"

#include <algorithm>
#include <cmath>

namespace strider {

std::optional<VectorFault> find_vector_fault(std::span<const float> values, std::size_t width) {
  bool varies = false;
  for (std::size_t row = 0; row * width < values.size(); ++row) {
    const std::span<const float> vector = values.subspan(row * width, width);
    bool is_zero = true;
    for (std::size_t column = 0; column < width; ++column) {
      if (!std::isfinite(vector[column])) return VectorFault{VectorFault::kNotFinite, row, column};
      is_zero = is_zero && vector[column] == 0.0F;
    }
    if (is_zero) return VectorFault{VectorFault::kZero, row, 0};
    varies = varies || !std::ranges::equal(vector, values.first(width));
  }
  if (!varies) return VectorFault{VectorFault::kAllTheSame, 0, 0};
  return std::nullopt;
}

}  // namespace strider
