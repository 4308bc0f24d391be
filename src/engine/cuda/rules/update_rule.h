#pragma once
// The optimizers' formulas on the device, each over all parameters that it updates in one launch. What changes from
// step to step (step number, learning rates, clipping) is in device memory, so that a captured launch serves all steps.
#include "engine/cuda/bfloat16.h"

namespace strider::cuda {

/// Parameters that a block updates, kUpdateNumbers whole numbers each: the first one's place in the flat parameters,
/// their count (at most kUpdateFloats), the place of their state in the rule's buffers, and their group.
inline constexpr int kUpdateNumbers = 4;
inline constexpr int kUpdateFloats = 1024;

/// Of a group and a step, kUpdateFactors floats; the host computes them in double and rounds them as torch does.
inline constexpr int kUpdateFactors = 8;
enum AdamWFactor {
  kDecay,  // 1 - lr wd
  kOneMinusBeta1,
  kBeta2,
  kOneMinusBeta2,
  kStepSize,     // lr / (1 - beta1^t)
  kInverseRoot,  // 1 / sqrt(1 - beta2^t)
  kEps,
};
enum SgdFactor { kLearningRate, kWeightDecay, kMomentum };
enum MuonFactor { kMuonDecay, kMuonLearningRate };  // 1 - lr wd, lr

struct UpdateBuffers {
  DeviceSpan<const std::int64_t> pieces;  // [count, kUpdateNumbers]
  std::int64_t piece_count = 0;
  DeviceSpan<const float> factors;   // [groups, kUpdateFactors]
  DeviceSpan<const float> clip;      // [1], what the gradient is multiplied by first; not a number: nothing changes
  DeviceSpan<const float> gradient;  // flat, as the parameters
  DeviceSpan<float> parameters;
  DeviceSpan<Bfloat16> rounded;  // gets the new parameters as operands, at the same places; of size 0: it does not
};

/// The formula is in engine/cpu/rules/adamw.cpp; states are exp_avg and exp_avg_sq.
void adamw_update(cudaStream_t stream, const UpdateBuffers& buffers, DeviceSpan<float> first, DeviceSpan<float> second);
/// The formula is in engine/cpu/rules/sgd.cpp; the state is momentum_buffer.
void sgd_update(cudaStream_t stream, const UpdateBuffers& buffers, DeviceSpan<float> momentum);

}  // namespace strider::cuda
