#pragma once
// Root mean square norm (Zhang and Sennrich 2019), as transformers' LlamaRMSNorm:
//   r = 1 / sqrt(mean_j x[j]^2 + eps),  y[j] = weight[j] * (x[j] * r)
// Backward, with g[j] = weight[j] * dy[j]:
//   dx[j] = r * g[j] - x[j] * r^3 * mean_k(g[k] x[k]),  dweight[j] = sum over rows of dy[j] * x[j] * r
#include <cstdint>

#include "engine/cpu/ops/rows.h"

namespace strider {

/// x, y [rows, hidden]; weight [hidden]; inverse_rms [rows] is written, for the backward pass.
void rms_norm_forward(std::int64_t rows, std::int64_t hidden, float eps, ConstRows x, const float* weight, Rows y,
                      float* inverse_rms);

/// y again from a kept inverse_rms.
void rms_norm_apply(std::int64_t rows, std::int64_t hidden, ConstRows x, const float* weight, const float* inverse_rms,
                    Rows y);

/// dx [rows, hidden] replaces or is added to what is there; dweight [hidden] is added to.
void rms_norm_backward(std::int64_t rows, std::int64_t hidden, ConstRows x, const float* weight,
                       const float* inverse_rms, ConstRows dy, Rows dx, Write write, float* dweight);

}  // namespace strider
