#pragma once
// Root mean square norm (Zhang and Sennrich 2019), as transformers' LlamaRMSNorm:
//   r = 1 / sqrt(mean_j x[j]^2 + eps),  y[j] = weight[j] * (x[j] * r)
// Backward, with g[j] = weight[j] * dy[j]:
//   dx[j] = r * g[j] - x[j] * r^3 * mean_k(g[k] x[k]),  dweight[j] = sum over rows of dy[j] * x[j] * r
#include "engine/cuda/bfloat16.h"

namespace strider::cuda {

enum class Write { kReplace, kAdd };

/// x, y [rows, hidden]; weight [hidden]; inverse_rms [rows] is written, for the backward pass. y is the operand of a
/// matrix product: T is float or Bfloat16.
template <typename T>
void rms_norm_forward(cudaStream_t stream, std::int64_t rows, std::int64_t hidden, float eps, DeviceSpan<const float> x,
                      DeviceSpan<const float> weight, DeviceSpan<T> y, DeviceSpan<float> inverse_rms);

/// Floats of scratch for the backward pass.
std::int64_t rms_norm_scratch_floats(std::int64_t rows, std::int64_t hidden);

/// dx [rows, hidden] replaces or is added to what is there, and may be dy where it replaces; dweight [hidden] is added
/// to. `rounded` [rows, hidden] gets a copy of dx as the operand of a product; of size 0 it gets none. T is the type of
/// dy: float or Bfloat16.
template <typename T>
void rms_norm_backward(cudaStream_t stream, std::int64_t rows, std::int64_t hidden, DeviceSpan<const float> x,
                       DeviceSpan<const float> weight, DeviceSpan<const float> inverse_rms, DeviceSpan<const T> dy,
                       DeviceSpan<float> dx, Write write, DeviceSpan<Bfloat16> rounded, DeviceSpan<float> dweight,
                       DeviceSpan<float> scratch);

}  // namespace strider::cuda
