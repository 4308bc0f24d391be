#include <cmath>

#include "engine/cuda/ops/block_sum.h"
#include "engine/cuda/ops/sum_gradients.h"
#include "engine/cuda/ops/warp.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

constexpr int kFloatsOfABlock = 4096;

// parts[b] = sum of gradient[i]^2 over block b's floats
__global__ void squares_kernel(std::int64_t count, DeviceSpan<const float> gradient, DeviceSpan<double> parts) {
  const std::int64_t first = std::int64_t{blockIdx.x} * kFloatsOfABlock;
  double sum = 0.0;
  for (int i = static_cast<int>(threadIdx.x); i < kFloatsOfABlock && first + i < count; i += kSumThreads) {
    const double value = gradient[first + i];
    sum += value * value;
  }
  const double total = block_sum(sum);
  if (threadIdx.x == 0) parts[blockIdx.x] = total;
}

// norm[0] = sqrt(sum of parts), one block.
__global__ void norm_kernel(int count, DeviceSpan<const double> parts, DeviceSpan<double> norm) {
  double sum = 0.0;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kSumThreads) sum += parts[i];
  const double total = block_sum(sum);
  if (threadIdx.x == 0) norm[0] = sqrt(total);
}

// factor[0] = min(1, most / (norm + 1e-6)), or not a number where the norm is not finite; one thread.
__global__ void clip_factor_kernel(DeviceSpan<const double> norm, DeviceSpan<const float> most,
                                   DeviceSpan<float> factor) {
  if (!isfinite(norm[0])) {
    factor[0] = NAN;
    return;
  }
  const double ratio = static_cast<double>(most[0]) / (norm[0] + 1e-6);
  factor[0] = most[0] > 0.0F && ratio < 1.0 ? static_cast<float>(ratio) : 1.0F;
}

__global__ void round_kernel(DeviceSpan<const float> from, DeviceSpan<Bfloat16> to) {
  const std::int64_t element = element_of_thread();
  if (element < from.size) store(to, element, from[element]);
}

}  // namespace

std::int64_t norm_scratch_doubles(std::int64_t count) {
  return blocks_for(count, kFloatsOfABlock);
}

void round_to_operands(cudaStream_t stream, DeviceSpan<const float> from, DeviceSpan<Bfloat16> to) {
  launch(stream, blocks_for(from.size, kElementThreads), kElementThreads, round_kernel, from, to);
}

void gradient_norm(cudaStream_t stream, DeviceSpan<const float> gradient, DeviceSpan<double> scratch,
                   DeviceSpan<double> norm) {
  const unsigned blocks = blocks_for(gradient.size, kFloatsOfABlock);
  launch(stream, blocks, kSumThreads, squares_kernel, gradient.size, gradient, scratch);
  launch(stream, 1U, kSumThreads, norm_kernel, blocks, scratch, norm);
}

void clip_factor(cudaStream_t stream, DeviceSpan<const double> norm, DeviceSpan<const float> most,
                 DeviceSpan<float> factor) {
  launch(stream, 1U, 1, clip_factor_kernel, norm, most, factor);
}

}  // namespace strider::cuda
