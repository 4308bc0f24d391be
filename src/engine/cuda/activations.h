#pragma once
// All memory of an engine on the device: parameters, gradient, optimizer state, and what a batch needs on its way.
#include <vector>

#include "base/carver.h"
#include "engine/cpu/optimizer_state.h"
#include "engine/cuda/batch.h"
#include "engine/cuda/ops/cross_entropy.h"
#include "engine/cuda/ops/rope.h"
#include "engine/cuda/rules/update_rule.h"

namespace strider::cuda {

/// Of a layer; kept for the backward pass. R rows, H hidden_size, F intermediate_size.
struct LayerActivations {
  DeviceSpan<float> input;           // [R, H], the residual stream before the layer
  DeviceSpan<float> input_normed;    // [R, H]
  DeviceSpan<float> input_inverse;   // [R]
  DeviceSpan<float> qkv;             // [R, qkv width], q and k rotated
  DeviceSpan<float> attention;       // [R, heads * head_dim]
  DeviceSpan<float> log_sum_exp;     // [R, heads]
  DeviceSpan<float> middle;          // [R, H], the residual stream after attention
  DeviceSpan<float> middle_normed;   // [R, H]
  DeviceSpan<float> middle_inverse;  // [R]
  DeviceSpan<float> gate_up;         // [R, 2 F]
};

struct Activations {
  std::vector<LayerActivations> layers;  // one for all in an engine that does not train
  DeviceSpan<float> output;              // [R, H], of the last layer
  DeviceSpan<float> output_normed;       // [R, H]
  DeviceSpan<float> output_inverse;      // [R]
  DeviceSpan<float> act;                 // [R, F]
  LossBuffers loss;
  DeviceSpan<float> losses;  // [R]
  // Gradients of activations, only in an engine that trains.
  DeviceSpan<float> dresidual, dnormed;  // [R, H]
  DeviceSpan<float> dattention;          // [R, heads * head_dim]
  DeviceSpan<float> dqkv;                // [R, qkv width]
  DeviceSpan<float> products;            // [R, heads]
  DeviceSpan<float> norm_scratch;

  void lay_out(Carver& carver, const LlamaConfig& config, std::int64_t rows, bool trains);
};

/// The pieces of all parameters that one rule updates, and where their state is.
struct RulePieces {
  std::string rule;
  std::vector<std::int64_t> numbers;  // [pieces, kUpdateNumbers]
  DeviceSpan<std::int64_t> pieces;    // the same on the device
  std::vector<DeviceSpan<float>> states;
};

struct EngineMemory {
  DeviceSpan<float> parameters, gradient;  // in the layout's order
  DeviceSpan<float> cosines, sines;        // [positions, frequencies]
  DeviceSpan<std::int32_t> numbers;        // of a batch
  Activations activations;
  std::vector<OptimizerBuffer> states;  // their memory is on the device
  std::vector<RulePieces> rules;
  DeviceSpan<float> loss_scale;    // [1]
  DeviceSpan<float> step_numbers;  // [1 + groups * kUpdateFactors]: max_grad_norm, and the groups' factors
  DeviceSpan<float> clip;          // [1]
  DeviceSpan<double> norm_scratch;
  DeviceSpan<double> norm;  // [1]

  /// Throws Error for a tensor that is in no group or in two.
  void lay_out(Carver& carver, const LlamaConfig& config, const EngineSettings& settings, const BatchLimits& limits);
};

AttentionShape attention_shape_of(const LlamaConfig& config);

}  // namespace strider::cuda
