#include "train/weight_average.h"

#include <algorithm>

namespace strider {

WeightAverage::WeightAverage(std::int64_t parameters)
    : sums_(static_cast<std::size_t>(parameters)), weights_(static_cast<std::size_t>(parameters)) {}

void WeightAverage::set(std::span<const double> sums, std::int64_t steps) {
  std::ranges::copy(sums, sums_.begin());
  steps_ = steps;
}

void WeightAverage::add(const Engine& engine) {
  engine.copy_parameters(weights_);
  add(weights_);
}

void WeightAverage::add(std::span<const float> weights) {
  for (std::size_t i = 0; i < sums_.size(); ++i) sums_[i] += static_cast<double>(weights[i]);
  steps_ += 1;
}

std::span<const double> WeightAverage::sums() const {
  return steps_ > 0 ? std::span<const double>(sums_) : std::span<const double>();
}

std::vector<float> WeightAverage::mean() const {
  std::vector<float> mean(sums_.size());
  const auto steps = static_cast<double>(steps_);
  std::ranges::transform(sums_, mean.begin(), [&](double sum) { return static_cast<float>(sum / steps); });
  return mean;
}

std::uint64_t WeightAverage::memory_bytes(std::int64_t parameters) {
  return static_cast<std::uint64_t>(parameters) * (sizeof(double) + sizeof(float));
}

}  // namespace strider
