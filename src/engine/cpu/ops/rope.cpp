#include "engine/cpu/ops/rope.h"

#include <cmath>

namespace strider {

RopeTable::RopeTable(std::int64_t positions, std::int64_t head_dim, double theta, float* memory)
    : positions_(positions), half_(frequencies(head_dim)), cos_(memory), sin_(memory + positions * half_) {
  for (std::int64_t i = 0; i < half_; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_dim);
    const float frequency = 1.0F / std::pow(static_cast<float>(theta), exponent);
    for (std::int64_t t = 0; t < positions; ++t) {
      const float angle = static_cast<float>(t) * frequency;
      cos_[t * half_ + i] = std::cos(angle);
      sin_[t * half_ + i] = std::sin(angle);
    }
  }
}

}  // namespace strider
