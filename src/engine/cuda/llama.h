#pragma once
// The forward and backward pass of a Llama over one batch, as work for a stream. llama_forward.cpp and
// llama_backward.cpp go through the same operations in opposite order, as their twins in engine/cpu/ do.
#include "engine/cuda/activations.h"
#include "engine/cuda/products.h"
#include "engine/cuda/runtime.h"
#include "engine/learning.h"

namespace strider::cuda {

/// What a pass works on. T is the type of the operands of matrix products, float or Bfloat16.
template <typename T>
struct Pass {
  const LlamaConfig& config;
  const ParameterLayout& layout;
  const EngineMemory<T>& memory;
  BatchNumbers<DeviceSpan<const std::int32_t>> batch;
  BatchShape shape;
  MatrixProducts& products;
  cudaStream_t stream;
  DeviceSpan<float> losses;  // [rows], where they go
  Learning learning;

  LinearShape qkv() const;
  LinearShape o() const;
  LinearShape gate_up() const;
  LinearShape down() const;
  LinearShape lm_head() const;
  /// A tensor of the flat parameters, one as a product's operand, or one of the gradient.
  DeviceSpan<const float> weight(std::int64_t offset, std::int64_t size) const;
  DeviceSpan<const T> operand(std::int64_t offset, LinearShape linear) const;
  DeviceSpan<float> gradient(std::int64_t offset, std::int64_t size) const;
  DeviceSpan<float> gradient(std::int64_t offset, LinearShape linear) const;
  /// The batch's rows of a buffer that is `width` wide.
  template <typename Value>
  DeviceSpan<Value> rows(DeviceSpan<Value> buffer, std::int64_t width) const {
    return part(buffer, 0, shape.rows * width);
  }
  const LayerActivations<T>& layer(std::int64_t index) const;
  /// The residual stream after the layer.
  DeviceSpan<float> output_of(std::int64_t index) const;
  void norm(std::int64_t weight_offset, DeviceSpan<const float> x, DeviceSpan<T> y, DeviceSpan<float> inverse) const;
};

/// From the tokens to the first layer's input.
template <typename T>
void llama_embedding(const Pass<T>& pass);
/// From a layer's input to its `middle`, and from there to its output.
template <typename T>
void llama_attention(const Pass<T>& pass, std::int64_t layer);
template <typename T>
void llama_feed_forward(const Pass<T>& pass, std::int64_t layer);
/// Those of pass.learning, and the final norm: to activations.output_normed.
template <typename T>
void llama_forward(const Pass<T>& pass);
/// From there to pass.losses.
template <typename T>
void llama_losses(const Pass<T>& pass);

/// After both: the gradient of loss_scale[0] * (sum of the losses) with respect to what learns is added to
/// memory.gradient.
template <typename T>
void llama_backward(const Pass<T>& pass, DeviceSpan<const float> loss_scale);

}  // namespace strider::cuda
