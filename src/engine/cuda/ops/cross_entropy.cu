#include <cmath>

#include "engine/cuda/ops/cross_entropy.h"
#include "engine/cuda/ops/warp.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

// Columns [first, first + count) of the vocabulary, whose logits are in the buffer, `stride` from row to row.
struct Columns {
  int first = 0, count = 0, stride = 0;
};

// log_sum_exp[r] over these columns and, but for the first block, what is there already; the target's logit where it is
// among them. A warp for each row.
__global__ void log_sum_exp_kernel(int rows, Columns columns, DeviceSpan<const std::int32_t> targets,
                                   DeviceSpan<const float> logits, DeviceSpan<float> log_sum_exp,
                                   DeviceSpan<float> target_logits) {
  const int row = row_of_warp();
  if (row >= rows) return;
  const int lane = lane_of_thread();
  const std::int64_t at = std::int64_t{row} * columns.stride;
  float most = -INFINITY;
  for (int c = lane; c < columns.count; c += kWarpSize) most = fmaxf(most, logits[at + c]);
  most = warp_max(most);
  float sum = 0.0F;
  for (int c = lane; c < columns.count; c += kWarpSize) sum += expf(logits[at + c] - most);
  sum = warp_sum(sum);
  if (lane != 0) return;
  float result = most + logf(sum);
  if (columns.first > 0) {
    const float before = log_sum_exp[row];
    const float larger = fmaxf(before, result);
    result = larger + logf(expf(before - larger) + expf(result - larger));
  }
  log_sum_exp[row] = result;
  const int target = targets[row] - columns.first;
  if (target >= 0 && target < columns.count) target_logits[row] = logits[at + target];
}

// losses[r] = log_sum_exp[r] - logits[r, y], a thread for each row.
__global__ void losses_kernel(int rows, DeviceSpan<const std::int32_t> targets, DeviceSpan<const float> log_sum_exp,
                              DeviceSpan<const float> target_logits, DeviceSpan<float> losses) {
  const std::int64_t row = element_of_thread();
  if (row >= rows) return;
  losses[row] = targets[row] == kNoTarget ? 0.0F : log_sum_exp[row] - target_logits[row];
}

// dlogits[r, c] = scale (exp(logits[r, c] - log_sum_exp[r]) - [c == y]), a thread for each element.
template <typename T>
__global__ void dlogits_kernel(int rows, Columns columns, DeviceSpan<const std::int32_t> targets,
                               DeviceSpan<const float> scale, DeviceSpan<const float> log_sum_exp,
                               DeviceSpan<float> logits, DeviceSpan<T> dlogits) {
  const std::int64_t element = element_of_thread();
  if (element >= std::int64_t{rows} * columns.count) return;
  const std::int64_t row = element / columns.count;
  const int column = columns.first + static_cast<int>(element % columns.count);
  const int target = targets[row];
  const std::int64_t at = row * columns.stride + element % columns.count;
  const float probability = expf(logits[at] - log_sum_exp[row]);
  const float gradient = scale[0] * (probability - (column == target ? 1.0F : 0.0F));
  store(dlogits, at, target == kNoTarget ? 0.0F : gradient);
}

// Calls use(shape, columns) for each block of the vocabulary.
template <typename T, typename Use>
void for_blocks(LinearShape lm_head, const LossBuffers<T>& buffers, const Use& use) {
  for (std::int64_t first = 0; first < lm_head.out_features; first += buffers.columns) {
    const std::int64_t left = lm_head.out_features - first;
    const LinearShape shape{lm_head.in_features, left < buffers.columns ? left : buffers.columns};
    use(shape,
        Columns{static_cast<int>(first), static_cast<int>(shape.out_features), static_cast<int>(buffers.stride)});
  }
}

// The block's rows of W or of its gradient.
template <typename T>
DeviceSpan<T> rows_of(DeviceSpan<T> weight, LinearShape shape, Columns columns) {
  return part(weight, columns.first * shape.in_features, shape.out_features * shape.in_features);
}

}  // namespace

template <typename T>
void cross_entropy_forward(MatrixProducts& products, cudaStream_t stream, LinearShape lm_head, std::int64_t rows,
                           DeviceSpan<const T> x, DeviceSpan<const T> weight, DeviceSpan<const std::int32_t> targets,
                           const LossBuffers<T>& buffers, DeviceSpan<float> losses) {
  const DeviceSpan<float> logits = part(buffers.logits, 0, rows * buffers.stride);
  for_blocks(lm_head, buffers, [&](LinearShape shape, Columns columns) {
    linear_forward_float(products, stream, shape, rows, x, rows_of(weight, shape, columns), logits, buffers.stride);
    launch(stream, blocks_for(rows, kRowWarps), kRowThreads, log_sum_exp_kernel, rows, columns, targets, logits,
           buffers.log_sum_exp, buffers.target_logits);
  });
  launch(stream, blocks_for(rows, kElementThreads), kElementThreads, losses_kernel, rows, targets, buffers.log_sum_exp,
         buffers.target_logits, losses);
}

template <typename T>
void cross_entropy_backward(MatrixProducts& products, cudaStream_t stream, LinearShape lm_head, std::int64_t rows,
                            DeviceSpan<const T> x, DeviceSpan<const T> weight, DeviceSpan<const std::int32_t> targets,
                            DeviceSpan<const float> scale, const LossBuffers<T>& buffers, DeviceSpan<float> dx,
                            DeviceSpan<float> dweight) {
  const bool is_one_block = lm_head.out_features <= buffers.columns;
  const DeviceSpan<float> logits = part(buffers.logits, 0, rows * buffers.stride);
  const DeviceSpan<T> dlogits = part(buffers.dlogits, 0, rows * buffers.stride);
  for_blocks(lm_head, buffers, [&](LinearShape shape, Columns columns) {
    const DeviceSpan<const T> block = rows_of(weight, shape, columns);
    if (!is_one_block) linear_forward_float(products, stream, shape, rows, x, block, logits, buffers.stride);
    launch(stream, blocks_for(rows * shape.out_features, kElementThreads), kElementThreads, dlogits_kernel<T>, rows,
           columns, targets, scale, buffers.log_sum_exp, logits, dlogits);
    if (dx.size > 0) {
      linear_backward_input_float<T>(products, stream, shape, rows, dlogits, buffers.stride, block, dx,
                                     columns.first > 0);
    }
    linear_backward_weight<T>(products, stream, shape, rows, dlogits, buffers.stride, x,
                              rows_of(dweight, shape, columns));
  });
}

#define STRIDER_CROSS_ENTROPY(T)                                                                                    \
  template void cross_entropy_forward<T>(MatrixProducts&, cudaStream_t, LinearShape, std::int64_t,                  \
                                         DeviceSpan<const T>, DeviceSpan<const T>, DeviceSpan<const std::int32_t>,  \
                                         const LossBuffers<T>&, DeviceSpan<float>);                                 \
  template void cross_entropy_backward<T>(MatrixProducts&, cudaStream_t, LinearShape, std::int64_t,                 \
                                          DeviceSpan<const T>, DeviceSpan<const T>, DeviceSpan<const std::int32_t>, \
                                          DeviceSpan<const float>, const LossBuffers<T>&, DeviceSpan<float>,        \
                                          DeviceSpan<float>)

STRIDER_CROSS_ENTROPY(float);
STRIDER_CROSS_ENTROPY(Bfloat16);
#undef STRIDER_CROSS_ENTROPY

}  // namespace strider::cuda
