#pragma once
// AdamW (Loshchilov and Hutter 2019) in the steps of torch.optim.AdamW, for a run of parameters, with g already
// clipped:
//   p *= 1 - lr wd,  m += (1 - beta1) (g - m),  v = beta2 v + (1 - beta2) g^2,
//   p -= lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
#include <cstdint>

namespace strider {

struct AdamWStep {
  float decay = 1.0F;  // 1 - lr wd; 1 for parameters without weight decay
  float one_minus_beta1 = 0.1F;
  float beta2 = 0.999F;
  float one_minus_beta2 = 0.001F;
  float step_size = 0.0F;     // lr / (1 - beta1^t)
  float inverse_root = 1.0F;  // 1 / sqrt(1 - beta2^t)
  float eps = 1e-8F;
  float gradient_scale = 1.0F;  // the clip factor
};

void adamw_update(const AdamWStep& step, std::int64_t count, const float* gradient, float* parameters, float* first,
                  float* second);

/// sum[i] = parts[0][i] + parts[1][i] + ..., in that order; returns the sum of squares of the result (in double).
double sum_gradients(std::int64_t count, const float* const* parts, std::int64_t part_count, float* sum);

}  // namespace strider
