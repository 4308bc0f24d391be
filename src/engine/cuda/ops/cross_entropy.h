#pragma once
// The output layer and its loss in one: logits = x W^T for W = lm_head [vocab, hidden], and for a row with target y
//   loss = log sum_v exp(logits[v]) - logits[y],   dlogits[v] = scale * (softmax(logits)[v] - [v == y])
// A row with target -1 has loss 0 and no gradient. Logits are in a buffer of at most so many columns: a vocabulary that
// fits is computed once, a larger one in blocks, twice (once for the log-sum-exp, once for the gradient), so memory
// does not grow with it.
#include "engine/cuda/ops/linear.h"

namespace strider::cuda {

inline constexpr std::int64_t kLossColumns = 8192;
inline constexpr std::int32_t kNoTarget = -1;

struct LossBuffers {
  DeviceSpan<float> logits;         // [rows, columns]
  std::int64_t columns = 0;         // vocab, or kLossColumns where that is less
  DeviceSpan<float> log_sum_exp;    // [rows]
  DeviceSpan<float> target_logits;  // [rows]
};

/// losses[r] for x [rows, hidden] and targets [rows] in [0, vocab) or kNoTarget.
void cross_entropy_forward(MatrixProducts& products, cudaStream_t stream, LinearShape lm_head, std::int64_t rows,
                           DeviceSpan<const float> x, DeviceSpan<const float> weight,
                           DeviceSpan<const std::int32_t> targets, const LossBuffers& buffers,
                           DeviceSpan<float> losses);

/// After cross_entropy_forward with the same arguments: the gradient of scale[0] * (sum of the losses). dx [rows,
/// hidden] is replaced, dweight [vocab, hidden] added to.
void cross_entropy_backward(MatrixProducts& products, cudaStream_t stream, LinearShape lm_head, std::int64_t rows,
                            DeviceSpan<const float> x, DeviceSpan<const float> weight,
                            DeviceSpan<const std::int32_t> targets, DeviceSpan<const float> scale,
                            const LossBuffers& buffers, DeviceSpan<float> dx, DeviceSpan<float> dweight);

}  // namespace strider::cuda
