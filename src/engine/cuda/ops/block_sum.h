#pragma once
// The sum of a block's values in one order. For .cu files.
#include <cuda_runtime.h>

#include "engine/cuda/device_memory.h"

namespace strider::cuda {

/// Threads of a block that sums.
inline constexpr int kSumThreads = 128;

/// Of several values of each thread at once: in thread 0 `values` become the sums over the threads, neighbours first,
/// then pairs of pairs. Once in a kernel for each number of values.
template <int kValues>
__device__ void block_sums(double (&values)[kValues]) {
  __shared__ SharedArray<double, kValues * kSumThreads> sums;  // [value, thread]
  const int thread = static_cast<int>(threadIdx.x);
  for (int i = 0; i < kValues; ++i) sums[i * kSumThreads + thread] = values[i];
  for (int half = kSumThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (thread >= half) continue;
    for (int i = 0; i < kValues; ++i) sums[i * kSumThreads + thread] += sums[i * kSumThreads + thread + half];
  }
  if (thread != 0) return;
  for (int i = 0; i < kValues; ++i) values[i] = sums[i * kSumThreads];
}

/// The sum of the threads' values, in thread 0.
__device__ inline double block_sum(double value) {
  double values[1] = {value};
  block_sums(values);
  return threadIdx.x == 0 ? values[0] : 0.0;
}

}  // namespace strider::cuda
