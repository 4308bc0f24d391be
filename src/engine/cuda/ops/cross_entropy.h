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

/// T is the type of a product's operands, float or Bfloat16.
template <typename T>
struct LossBuffers {
  DeviceSpan<float> logits;         // [rows, stride]
  DeviceSpan<T> dlogits;            // [rows, stride]; for float the same memory
  std::int64_t columns = 0;         // vocab, or kLossColumns where that is less
  std::int64_t stride = 0;          // columns rounded up, so that rows begin where products read fast
  DeviceSpan<float> log_sum_exp;    // [rows]
  DeviceSpan<float> target_logits;  // [rows]
};

/// losses[r] for x [rows, hidden] and targets [rows] in [0, vocab) or kNoTarget.
template <typename T>
void cross_entropy_forward(MatrixProducts& products, cudaStream_t stream, LinearShape lm_head, std::int64_t rows,
                           DeviceSpan<const T> x, DeviceSpan<const T> weight, DeviceSpan<const std::int32_t> targets,
                           const LossBuffers<T>& buffers, DeviceSpan<float> losses);

/// After cross_entropy_forward with the same arguments: the gradient of scale[0] * (sum of the losses). dx [rows,
/// hidden] is replaced, or left alone where it has size 0; dweight [vocab, hidden] is added to.
template <typename T>
void cross_entropy_backward(MatrixProducts& products, cudaStream_t stream, LinearShape lm_head, std::int64_t rows,
                            DeviceSpan<const T> x, DeviceSpan<const T> weight, DeviceSpan<const std::int32_t> targets,
                            DeviceSpan<const float> scale, const LossBuffers<T>& buffers, DeviceSpan<float> dx,
                            DeviceSpan<float> dweight);

}  // namespace strider::cuda
