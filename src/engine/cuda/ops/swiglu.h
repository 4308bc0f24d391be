#pragma once
// The gated activation of Llama's feed-forward (Shazeer 2020): a[j] = silu(gate[j]) * up[j], silu(z) = z s, s =
// 1/(1+exp(-z)). Backward: dgate = da * up * s * (1 + gate * (1 - s)),  dup = da * gate * s.
#include "engine/cuda/bfloat16.h"

namespace strider::cuda {

/// gate_up [rows, 2 * ffn], gate first; act [rows, ffn]. T is float or Bfloat16.
template <typename T>
void swiglu_forward(cudaStream_t stream, std::int64_t rows, std::int64_t ffn, DeviceSpan<const T> gate_up,
                    DeviceSpan<T> act);

/// dact [rows, ffn] is replaced by act, computed again; gate_up holds gate and up on entry and dgate and dup
/// afterwards.
template <typename T>
void swiglu_backward(cudaStream_t stream, std::int64_t rows, std::int64_t ffn, DeviceSpan<T> gate_up,
                     DeviceSpan<T> dact);

}  // namespace strider::cuda
