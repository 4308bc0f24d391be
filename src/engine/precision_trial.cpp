#include "engine/precision_trial.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "base/clock.h"

namespace strider {
namespace {

constexpr std::chrono::milliseconds kTime{125};

// Shortest time of a forward and backward pass over `walks`, after one that makes kernels and fills caches.
double seconds_of_a_pass(const LlamaConfig& config, const EngineSettings& settings, std::span<const float> parameters,
                         std::span<const WalkView> walks) {
  const std::unique_ptr<Engine> engine = make_engine(config, settings);
  engine->set_parameters(parameters);
  std::vector<double> losses(walks.size());
  engine->forward_backward(walks, 1.0, losses);
  std::chrono::duration<double> shortest = std::chrono::hours(1);
  const Clock::time_point until = Clock::now() + kTime;
  do {
    const Clock::time_point began = Clock::now();
    engine->forward_backward(walks, 1.0, losses);
    shortest = std::min<std::chrono::duration<double>>(shortest, Clock::now() - began);
  } while (Clock::now() < until);
  return shortest.count();
}

}  // namespace

PrecisionTrial try_precisions(const LlamaConfig& config, EngineSettings settings, std::span<const float> parameters) {
  if (!has_bfloat16_products()) return {};
  // A few blocks for every thread, as a step has.
  constexpr std::int64_t kRowsOfAThread = 512;
  settings.walks_per_step =
      settings.threads * std::max<std::int64_t>(1, kRowsOfAThread / std::max<std::int64_t>(1, settings.max_length));
  std::vector<std::int32_t> walk(static_cast<std::size_t>(settings.max_length));
  for (std::size_t i = 0; i < walk.size(); ++i)
    walk[i] = static_cast<std::int32_t>(static_cast<std::int64_t>(i) % config.vocab_size);
  const std::vector<WalkView> walks(static_cast<std::size_t>(settings.walks_per_step), walk);
  settings.precision = Precision::kFloat32;
  const double float32 = seconds_of_a_pass(config, settings, parameters, walks);
  settings.precision = Precision::kBfloat16;
  const double bfloat16 = seconds_of_a_pass(config, settings, parameters, walks);
  if (bfloat16 < float32) return {Precision::kBfloat16, float32 / bfloat16};
  return {Precision::kFloat32, bfloat16 / float32};
}

}  // namespace strider
