#pragma once
// PRECISION=auto: what this machine finds faster.
#include <span>

#include "engine/engine.h"

namespace strider {

struct PrecisionTrial {
  Precision faster = Precision::kFloat32;
  double ratio = 1.0;  // how many times as fast as the other one
};

/// Takes both through some blocks of walks of max_length for about an eighth of a second each, or once where that takes
/// longer; settings.groups must not be empty. Where the processor has no products of bfloat16, nothing has to be tried.
PrecisionTrial try_precisions(const LlamaConfig& config, EngineSettings settings, std::span<const float> parameters);

}  // namespace strider
