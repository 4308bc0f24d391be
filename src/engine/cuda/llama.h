#pragma once
// The forward and backward pass of a Llama over one batch, as work for a stream. llama_forward.cpp and
// llama_backward.cpp go through the same operations in opposite order, as their twins in engine/cpu/ do.
#include "engine/cuda/activations.h"
#include "engine/cuda/products.h"

namespace strider::cuda {

/// What a pass works on.
struct Pass {
  const LlamaConfig& config;
  const ParameterLayout& layout;
  const EngineMemory& memory;
  BatchNumbers<DeviceSpan<const std::int32_t>> batch;
  BatchShape shape;
  MatrixProducts& products;
  cudaStream_t stream;

  LinearShape qkv() const;
  LinearShape o() const;
  LinearShape gate_up() const;
  LinearShape down() const;
  LinearShape lm_head() const;
  /// A tensor of the flat parameters, or of the gradient.
  DeviceSpan<const float> weight(std::int64_t offset, std::int64_t size) const;
  DeviceSpan<const float> weight(std::int64_t offset, LinearShape linear) const;
  DeviceSpan<float> gradient(std::int64_t offset, std::int64_t size) const;
  DeviceSpan<float> gradient(std::int64_t offset, LinearShape linear) const;
  /// The batch's rows of a buffer that is `width` wide.
  DeviceSpan<float> rows(DeviceSpan<float> buffer, std::int64_t width) const;
  const LayerActivations& layer(std::int64_t index) const;
  /// The residual stream after the layer.
  DeviceSpan<float> output_of(std::int64_t index) const;
};

/// From the tokens to activations.output_normed.
void llama_forward(const Pass& pass);
/// From there to activations.losses.
void llama_losses(const Pass& pass);
/// After both: the gradient of memory.loss_scale * (sum of the losses) is added to memory.gradient.
void llama_backward(const Pass& pass);

}  // namespace strider::cuda
