#pragma once
// Rotary position embedding (Su et al. 2021) over the rows that the q, k, v projections gave, in place. The formula,
// and what head_dim 1 is, are in engine/cpu/ops/rope.h, whose table this takes.
#include "engine/cuda/bfloat16.h"

namespace strider::cuda {

struct AttentionShape {
  int heads = 0, kv_heads = 0, head_dim = 0;
  __host__ __device__ int qkv_width() const { return (heads + 2 * kv_heads) * head_dim; }
};

/// Rotates the q and k heads of qkv [rows, qkv width] by their positions' angles (direction 1) or back (-1, for
/// gradients). cosines, sines [positions, frequencies]; positions [rows]. T is float or Bfloat16.
template <typename T>
void rope(cudaStream_t stream, std::int64_t rows, AttentionShape shape, float direction,
          DeviceSpan<const std::int32_t> positions, DeviceSpan<const float> cosines, DeviceSpan<const float> sines,
          DeviceSpan<T> qkv);

}  // namespace strider::cuda
