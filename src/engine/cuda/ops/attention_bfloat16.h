#pragma once
// What attention.h declares, for Bfloat16: on the tensor cores (mma.h), in the way of FlashAttention-2 (Dao 2023). The
// operands of all products are bfloat16, so P and dS are rounded for theirs; scores, exponentials and sums are float32.
// qkv, out, dout and dqkv begin at multiples of 16 bytes.
#include "engine/cuda/ops/attention.h"

namespace strider::cuda {

int bfloat16_attention_tile(int head_dim);

void bfloat16_attention_forward(cudaStream_t stream, AttentionShape shape, float scale, std::int64_t tile_count,
                                DeviceSpan<const std::int32_t> tiles, DeviceSpan<const Bfloat16> qkv,
                                DeviceSpan<Bfloat16> out, DeviceSpan<float> log_sum_exp);

void bfloat16_attention_backward(cudaStream_t stream, AttentionShape shape, float scale, std::int64_t tile_count,
                                 DeviceSpan<const std::int32_t> tiles, DeviceSpan<const Bfloat16> qkv,
                                 DeviceSpan<const Bfloat16> out, DeviceSpan<const Bfloat16> dout,
                                 DeviceSpan<const float> log_sum_exp, DeviceSpan<float> products,
                                 DeviceSpan<Bfloat16> dqkv);

}  // namespace strider::cuda
