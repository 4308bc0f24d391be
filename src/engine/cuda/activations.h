#pragma once
// All memory of an engine on the device: parameters, gradient, optimizer state, and what a batch needs on its way. T is
// the type of the operands of matrix products, float or Bfloat16. What is summed over layers or steps is float32
// always: parameters, gradient, optimizer state, the residual stream and its gradient.
#include <vector>

#include "base/carver.h"
#include "engine/cpu/optimizer_state.h"
#include "engine/cuda/batch.h"
#include "engine/cuda/held_walks.h"
#include "engine/cuda/ops/cross_entropy.h"
#include "engine/cuda/ops/rope.h"
#include "engine/cuda/rules/muon.h"
#include "engine/cuda/rules/update_rule.h"

namespace strider::cuda {

/// Of a layer; kept for the backward pass. R rows, H hidden_size, F intermediate_size.
template <typename T>
struct LayerActivations {
  DeviceSpan<float> input;           // [R, H], the residual stream before the layer
  DeviceSpan<T> input_normed;        // [R, H]
  DeviceSpan<float> input_inverse;   // [R]
  DeviceSpan<T> qkv;                 // [R, qkv width], q and k rotated
  DeviceSpan<T> attention;           // [R, heads * head_dim]
  DeviceSpan<float> log_sum_exp;     // [R, heads]
  DeviceSpan<float> middle;          // [R, H], the residual stream after attention
  DeviceSpan<T> middle_normed;       // [R, H]
  DeviceSpan<float> middle_inverse;  // [R]
  DeviceSpan<T> gate_up;             // [R, 2 F]
};

template <typename T>
struct Activations {
  std::vector<LayerActivations<T>> layers;  // one for all in an engine that does not train
  DeviceSpan<float> output;                 // [R, H], of the last layer
  DeviceSpan<T> output_normed;              // [R, H]
  DeviceSpan<float> output_inverse;         // [R]
  DeviceSpan<T> act;                        // [R, F]
  LossBuffers<T> loss;
  // Gradients of activations, only in an engine that trains.
  DeviceSpan<float> dresidual;      // [R, H]
  DeviceSpan<T> dresidual_operand;  // [R, H], the same as an operand; for float the same memory
  DeviceSpan<T> dnormed;            // [R, H]
  DeviceSpan<T> dattention;         // [R, heads * head_dim]
  DeviceSpan<T> dqkv;               // [R, qkv width]
  DeviceSpan<float> products;       // [R, heads]
  DeviceSpan<float> norm_scratch;

  void lay_out(Carver& carver, const LlamaConfig& config, std::int64_t rows, bool trains);
};

/// The pieces of all parameters that one rule updates, and where their state is.
struct RulePieces {
  std::string rule;
  std::vector<std::int64_t> numbers;  // [pieces, kUpdateNumbers], in the order of the parameters
  DeviceSpan<std::int64_t> pieces;    // the same on the device
  std::vector<DeviceSpan<float>> states;
};

/// What the device gets of a step before it begins, in one copy: a few floats, and the whole numbers of each batch or,
/// of walks that it holds, what it makes them from.
struct Inbox {
  DeviceSpan<float> step;            // [kStepFloats + groups * kUpdateFactors]
  DeviceSpan<std::int32_t> numbers;  // [batches, BatchLimits::numbers()]

  void lay_out(Carver& carver, std::size_t groups, const BatchLimits& limits);
  /// From `step` to the end of the first so many numbers.
  std::uint64_t bytes_of(std::int64_t count) const;
};
enum StepFloat { kMaxGradNorm, kLossScale, kStepFloats };

/// What the host gets of it afterwards, in one copy.
struct Outbox {
  DeviceSpan<double> norm;   // [1]
  DeviceSpan<float> losses;  // [batches * rows], batch after batch

  void lay_out(Carver& carver, const BatchLimits& limits);
  /// From `norm` to the end of the first so many losses.
  std::uint64_t bytes_of(std::int64_t count) const;
};

template <typename T>
struct EngineMemory {
  DeviceSpan<float> parameters, gradient;  // in the layout's order
  DeviceSpan<T> operands;                  // the parameters as operands; for float the same memory
  DeviceSpan<float> cosines, sines;        // [positions, frequencies]
  Inbox inbox;
  Outbox outbox;
  HeldMemory held;  // empty where settings.held_tokens is 0
  Activations<T> activations;
  std::vector<OptimizerBuffer> states;  // their memory is on the device
  std::vector<RulePieces> rules;
  MuonMemory<T> muon;
  DeviceSpan<float> snapshot;  // of parameters and states, one after the other, for a copy to the host
  DeviceSpan<float> clip;      // [1]
  DeviceSpan<double> norm_scratch;

  /// Throws Error for a tensor that is in no group or in two, or that its rule cannot update.
  void lay_out(Carver& carver, const LlamaConfig& config, const EngineSettings& settings, const BatchLimits& limits);
};

AttentionShape attention_shape_of(const LlamaConfig& config);

}  // namespace strider::cuda
