#pragma once
// Rotary position embedding (Su et al. 2021) in the half-split form of transformers' Llama: with h = head_dim / 2 and
// angle(t, i) = t * theta^(-2i / head_dim), for i < h
//   y[i]     = x[i] cos - x[i + h] sin
//   y[i + h] = x[i + h] cos + x[i] sin
// The gradient is the rotation by the opposite angle.
//
// head_dim 1 has no pair to rotate. There transformers' arithmetic repeats the angle and broadcasts: both values of the
// rotated vector are x (cos - sin). Strider keeps one of them and counts the score twice (score_scale).
#include <cmath>
#include <cstdint>

namespace strider {

/// What a product of rotated rows is multiplied by to be a score.
inline float score_scale(std::int64_t head_dim) {
  return head_dim == 1 ? 2.0F : 1.0F / std::sqrt(static_cast<float>(head_dim));
}

/// cos and sin of every angle, [positions, frequencies], in the float32 steps that torch takes.
class RopeTable {
 public:
  /// `memory` has floats(positions, head_dim) and outlives the table.
  RopeTable(std::int64_t positions, std::int64_t head_dim, double theta, float* memory);
  /// Half of an even head_dim, and 1 for head_dim 1.
  static std::int64_t frequencies(std::int64_t head_dim) { return (head_dim + 1) / 2; }
  static std::int64_t floats(std::int64_t positions, std::int64_t head_dim) {
    return 2 * positions * frequencies(head_dim);
  }
  std::int64_t positions() const { return positions_; }
  const float* cos(std::int64_t position) const { return cos_ + position * half_; }
  const float* sin(std::int64_t position) const { return sin_ + position * half_; }

 private:
  std::int64_t positions_, half_;
  float *cos_, *sin_;
};

}  // namespace strider
