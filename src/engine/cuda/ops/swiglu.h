#pragma once
// The gated activation of Llama's feed-forward (Shazeer 2020): a[j] = silu(gate[j]) * up[j], silu(z) = z s, s =
// 1/(1+exp(-z)). Backward: dgate = da * up * s * (1 + gate * (1 - s)),  dup = da * gate * s.
#include "engine/cuda/device_memory.h"

namespace strider::cuda {

/// gate_up [rows, 2 * ffn], gate first; act [rows, ffn].
void swiglu_forward(cudaStream_t stream, std::int64_t rows, std::int64_t ffn, DeviceSpan<const float> gate_up,
                    DeviceSpan<float> act);

/// dact [rows, ffn] is replaced by act, computed again; gate_up holds gate and up on entry and dgate and dup
/// afterwards.
void swiglu_backward(cudaStream_t stream, std::int64_t rows, std::int64_t ffn, DeviceSpan<float> gate_up,
                     DeviceSpan<float> dact);

}  // namespace strider::cuda
