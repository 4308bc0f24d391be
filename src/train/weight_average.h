#pragma once
// The mean of a run's weights over some of its last steps: stochastic weight averaging (Izmailov et al. 2018,
// arXiv:1803.05407), with equal shares and without changing how the run goes on. AVERAGE_SHARE asks for it.
#include <cstdint>
#include <span>
#include <vector>

#include "engine/engine.h"

namespace strider {

/// Each parameter's sum over steps, in double. A float has 24 bits and a double 53, so that up to 2^29 equal values add
/// up without any error, and weights that differ with a relative error of the sum of n of them below n 2^-53 (1e-11
/// after 100,000), far below the 2^-24 that the mean is rounded to. One thread adds, in the order of the steps: the
/// same bits however many threads there are and however often the run was interrupted.
class WeightAverage {
 public:
  explicit WeightAverage(std::int64_t parameters);

  /// Goes on from the sums over `steps` steps, [parameters].
  void set(std::span<const double> sums, std::int64_t steps);
  /// The weights as they are now.
  void add(const Engine& engine);
  /// [parameters].
  void add(std::span<const float> weights);

  std::int64_t steps() const { return steps_; }
  /// [parameters]; empty while there was no step.
  std::span<const double> sums() const;
  /// sums / steps, rounded to float, [parameters]. Wants a step at least.
  std::vector<float> mean() const;

  static std::uint64_t memory_bytes(std::int64_t parameters);

 private:
  std::vector<double> sums_;
  std::vector<float> weights_;  // the engine's, while they are added
  std::int64_t steps_ = 0;
};

}  // namespace strider
