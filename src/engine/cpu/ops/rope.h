#pragma once
// Rotary position embedding (Su et al. 2021) in the half-split form of transformers' Llama: with h = head_dim / 2 and
// angle(t, i) = t * theta^(-2i / head_dim), for i < h
//   y[i]     = x[i] cos - x[i + h] sin
//   y[i + h] = x[i + h] cos + x[i] sin
// The gradient is the rotation by the opposite angle.
#include <cstdint>

namespace strider {

/// cos and sin of every angle, [positions, head_dim / 2], in the float32 steps that torch takes.
class RopeTable {
 public:
  /// `memory` has floats(positions, head_dim) and outlives the table.
  RopeTable(std::int64_t positions, std::int64_t head_dim, double theta, float* memory);
  static std::int64_t floats(std::int64_t positions, std::int64_t head_dim) { return 2 * positions * (head_dim / 2); }
  std::int64_t positions() const { return positions_; }
  const float* cos(std::int64_t position) const { return cos_ + position * half_; }
  const float* sin(std::int64_t position) const { return sin_ + position * half_; }

 private:
  std::int64_t positions_, half_;
  float *cos_, *sin_;
};

}  // namespace strider
