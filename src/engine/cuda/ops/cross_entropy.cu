#include <cmath>

#include "engine/cuda/ops/cross_entropy.h"
#include "engine/cuda/ops/warp.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

// Columns [first, first + count) of the vocabulary, whose logits are in the buffer.
struct Columns {
  int first = 0, count = 0;
};

// log_sum_exp[r] over these columns and, but for the first block, what is there already; the target's logit where it is
// among them. A warp for each row.
__global__ void log_sum_exp_kernel(int rows, Columns columns, DeviceSpan<const std::int32_t> targets,
                                   DeviceSpan<const float> logits, DeviceSpan<float> log_sum_exp,
                                   DeviceSpan<float> target_logits) {
  const int row = row_of_warp();
  if (row >= rows) return;
  const int lane = lane_of_thread();
  const std::int64_t at = std::int64_t{row} * columns.count;
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

// logits[r, c] <- scale (exp(logits[r, c] - log_sum_exp[r]) - [c == y]), a thread for each element.
__global__ void dlogits_kernel(int rows, Columns columns, DeviceSpan<const std::int32_t> targets,
                               DeviceSpan<const float> scale, DeviceSpan<const float> log_sum_exp,
                               DeviceSpan<float> logits) {
  const std::int64_t element = element_of_thread();
  if (element >= std::int64_t{rows} * columns.count) return;
  const std::int64_t row = element / columns.count;
  const int column = columns.first + static_cast<int>(element % columns.count);
  const int target = targets[row];
  const float probability = expf(logits[element] - log_sum_exp[row]);
  const float gradient = scale[0] * (probability - (column == target ? 1.0F : 0.0F));
  logits[element] = target == kNoTarget ? 0.0F : gradient;
}

// Calls use(shape, first column, the block's part of weight, its logits) for each block of the vocabulary.
template <typename Use>
void for_blocks(LinearShape lm_head, std::int64_t rows, const LossBuffers& buffers, const Use& use) {
  for (std::int64_t first = 0; first < lm_head.out_features; first += buffers.columns) {
    const std::int64_t left = lm_head.out_features - first;
    const LinearShape shape{lm_head.in_features, left < buffers.columns ? left : buffers.columns};
    use(shape, first, part(buffers.logits, 0, rows * shape.out_features));
  }
}

DeviceSpan<const float> rows_of(DeviceSpan<const float> weight, LinearShape shape, std::int64_t first) {
  return part(weight, first * shape.in_features, shape.out_features * shape.in_features);
}

Columns columns_of(LinearShape shape, std::int64_t first) {
  return {static_cast<int>(first), static_cast<int>(shape.out_features)};
}

}  // namespace

void cross_entropy_forward(MatrixProducts& products, cudaStream_t stream, LinearShape lm_head, std::int64_t rows,
                           DeviceSpan<const float> x, DeviceSpan<const float> weight,
                           DeviceSpan<const std::int32_t> targets, const LossBuffers& buffers,
                           DeviceSpan<float> losses) {
  for_blocks(lm_head, rows, buffers, [&](LinearShape shape, std::int64_t first, DeviceSpan<float> logits) {
    linear_forward(products, stream, shape, rows, x, rows_of(weight, shape, first), logits);
    launch(stream, blocks_for(rows, kRowWarps), kRowThreads, log_sum_exp_kernel, rows, columns_of(shape, first),
           targets, logits, buffers.log_sum_exp, buffers.target_logits);
  });
  launch(stream, blocks_for(rows, kElementThreads), kElementThreads, losses_kernel, rows, targets, buffers.log_sum_exp,
         buffers.target_logits, losses);
}

void cross_entropy_backward(MatrixProducts& products, cudaStream_t stream, LinearShape lm_head, std::int64_t rows,
                            DeviceSpan<const float> x, DeviceSpan<const float> weight,
                            DeviceSpan<const std::int32_t> targets, DeviceSpan<const float> scale,
                            const LossBuffers& buffers, DeviceSpan<float> dx, DeviceSpan<float> dweight) {
  const bool is_one_block = lm_head.out_features <= buffers.columns;
  for_blocks(lm_head, rows, buffers, [&](LinearShape shape, std::int64_t first, DeviceSpan<float> logits) {
    const DeviceSpan<const float> block = rows_of(weight, shape, first);
    if (!is_one_block) linear_forward(products, stream, shape, rows, x, block, logits);
    launch(stream, blocks_for(rows * shape.out_features, kElementThreads), kElementThreads, dlogits_kernel, rows,
           columns_of(shape, first), targets, scale, buffers.log_sum_exp, logits);
    linear_backward_input(products, stream, shape, rows, logits, block, dx, first > 0);
    linear_backward_weight(products, stream, shape, rows, logits, x,
                           part(dweight, first * shape.in_features, shape.out_features * shape.in_features));
  });
}

}  // namespace strider::cuda
