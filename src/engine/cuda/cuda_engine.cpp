#include "engine/cuda/cuda_engine.h"

#include <fmt/format.h>

#include "base/error.h"
#include "engine/cuda/ops/attention.h"
#include "engine/cuda/typed_engine.h"

namespace strider::cuda {

std::unique_ptr<Engine> make_engine_with(const LlamaConfig& config, const EngineSettings& settings,
                                         std::unique_ptr<MatrixProducts> products, std::int64_t batch_rows) {
  if (const auto obstacle = cuda_engine_obstacle(config, settings)) {
    throw Error(*obstacle, {.file = {}, .place = {}, .advice = "DEVICE=cpu can do this."});
  }
  if (settings.precision == Precision::kBfloat16) {
    return std::make_unique<TypedEngine<Bfloat16>>(config, settings, std::move(products), batch_rows);
  }
  return std::make_unique<TypedEngine<float>>(config, settings, std::move(products), batch_rows);
}

std::optional<std::string> cuda_engine_obstacle(const LlamaConfig& config, const EngineSettings& settings) {
  if (config.head_dim > kMostHeadDim) {
    return fmt::format("the GPU engine has attention for a head_dim of up to {}, and the model has {}", kMostHeadDim,
                       config.head_dim);
  }
  for (const ParameterGroup& group : settings.groups) {
    if (group.rule.name != "adamw" && group.rule.name != "sgd" && group.rule.name != "muon") {
      return fmt::format("the GPU engine has no optimizer {}", group.rule.name);
    }
  }
  if (settings.ranks != nullptr) return "the GPU engine does not share its steps with other processes";
  return std::nullopt;
}

std::uint64_t cuda_engine_memory_bytes(const LlamaConfig& config, const EngineSettings& settings,
                                       std::int64_t batch_rows) {
  const BatchLimits limits = batch_limits(config, settings, batch_rows);
  return carved_bytes([&](Carver& carver) {
    if (settings.precision == Precision::kBfloat16) {
      EngineMemory<Bfloat16>().lay_out(carver, config, settings, limits);
    } else {
      EngineMemory<float>().lay_out(carver, config, settings, limits);
    }
  });
}

}  // namespace strider::cuda
