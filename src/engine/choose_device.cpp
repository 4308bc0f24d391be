#include "engine/choose_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"

namespace strider {
namespace {

struct Figures {
  double loss = 0.0;  // per predicted token
  double gradient_norm = 0.0;
};

Figures figures_of(Device device, const LlamaConfig& config, const EngineSettings& settings,
                   std::span<const float> parameters, std::span<const WalkView> walks) {
  const std::unique_ptr<Engine> engine = make_engine_on(device, config, settings);
  engine->set_parameters(parameters);
  double predicted = 0.0;
  for (const WalkView walk : walks) predicted += static_cast<double>(walk.size()) - 1.0;
  std::vector<double> losses(walks.size());
  Figures figures;
  if (settings.groups.empty()) {
    engine->evaluate(walks, losses);
  } else {
    engine->forward_backward(walks, predicted, losses);
    figures.gradient_norm = engine->gradient_norm();
  }
  for (const double loss : losses) figures.loss += loss / predicted;
  return figures;
}

bool agree(double a, double b, double tolerance) {
  return std::abs(a - b) <= tolerance * std::abs(b);  // false where either is not a number
}

// A run that the CPU gets.
DeviceChoice on_cpu(const EngineSettings& settings, const std::string& why) {
  if (settings.precision == Precision::kTf32) {
    throw Error(fmt::format("PRECISION=tf32 is for the GPU, and {}", why),
                {.file = {}, .place = {}, .advice = "PRECISION=float32 or bfloat16 trains on the CPU."});
  }
  return {Device::kCpu, why};
}

}  // namespace

DeviceChoice choose_device(Device asked, const LlamaConfig& config, const EngineSettings& settings) {
  if (asked == Device::kCpu) return on_cpu(settings, "DEVICE=cpu: the run is on the CPU");
  const std::optional<std::string> obstacle = cuda_obstacle(config, settings);
  if (!obstacle) {
    return {Device::kCuda, fmt::format("DEVICE={}: the run is on the GPU, {}", name_of(asked), cuda_device_name())};
  }
  if (asked == Device::kCuda) {
    throw Error(fmt::format("DEVICE=cuda asks for the GPU, and {}", *obstacle),
                {.file = {}, .place = {}, .advice = "DEVICE=auto or cpu trains on the CPU."});
  }
  return on_cpu(settings, fmt::format("DEVICE=auto: the run is on the CPU, since {}", *obstacle));
}

HoldingChoice choose_holding(const LlamaConfig& config, const EngineSettings& settings) {
  // The device counts tokens in 32 bits.
  if (settings.held_tokens > std::numeric_limits<std::int32_t>::max()) {
    return {false, "The processors send the GPU each step's walks, since the dataset has more than 2^31 tokens"};
  }
  const auto needed = static_cast<std::uint64_t>(settings.held_tokens * held_token_bytes(config.vocab_size));
  const std::uint64_t room = cuda_bytes_for_walks(config, settings);
  const auto megabytes = [](std::uint64_t bytes) { return static_cast<double>(bytes) / 1e6; };
  if (needed <= room)
    return {true, fmt::format("The GPU holds the dataset, {:.1f} MB of its memory", megabytes(needed))};
  return {false, fmt::format("The processors send the GPU each step's walks: the dataset is {:.1f} MB, more than the "
                             "{:.1f} MB that are a quarter of the memory which the run leaves free",
                             megabytes(needed), megabytes(room))};
}

std::unique_ptr<Engine> make_engine_on(Device device, const LlamaConfig& config, const EngineSettings& settings) {
  return device == Device::kCuda ? make_cuda_engine(config, settings) : make_engine(config, settings);
}

double device_tolerance(Precision precision) {
  switch (precision) {
    case Precision::kFloat32:
      return 1e-4;
    case Precision::kTf32:
      return 5e-3;
    case Precision::kBfloat16:
      return 2e-2;
  }
  return 0.0;
}

void check_device(const LlamaConfig& config, const EngineSettings& settings, std::span<const float> parameters) {
  constexpr std::int64_t kWalks = 3;
  EngineSettings few = settings;
  few.max_length = std::max<std::int64_t>(2, settings.max_length);  // of which one is predicted
  few.walks_per_step = std::min(kWalks, settings.walks_per_step);
  few.held_tokens = 0;
  // Of different lengths, through all tokens of a small vocabulary.
  std::vector<std::vector<std::int32_t>> walks(static_cast<std::size_t>(few.walks_per_step));
  std::int64_t token = 0;
  for (std::size_t i = 0; i < walks.size(); ++i) {
    const std::int64_t length = std::max<std::int64_t>(2, few.max_length - static_cast<std::int64_t>(i));
    for (std::int64_t t = 0; t < length; ++t)
      walks[i].push_back(static_cast<std::int32_t>(token++ % config.vocab_size));
  }
  const std::vector<WalkView> views(walks.begin(), walks.end());
  const Figures gpu = figures_of(Device::kCuda, config, few, parameters, views);
  const double tolerance = device_tolerance(settings.precision);
  if (few.precision == Precision::kTf32) few.precision = Precision::kFloat32;  // the CPU has no such products
  const Figures cpu = figures_of(Device::kCpu, config, few, parameters, views);
  if (agree(gpu.loss, cpu.loss, tolerance) && agree(gpu.gradient_norm, cpu.gradient_norm, tolerance)) return;
  throw Error(fmt::format("the GPU does not compute what the CPU does: loss {:.7g} instead of {:.7g}, gradient norm "
                          "{:.7g} instead of {:.7g}",
                          gpu.loss, cpu.loss, gpu.gradient_norm, cpu.gradient_norm),
              {.file = {}, .place = {}, .advice = "USE_CPU=true trains on the CPU; please report these figures."});
}

}  // namespace strider
