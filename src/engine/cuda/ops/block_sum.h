#pragma once
// The sum of a block's values in one order. For .cu files.
#include <cuda_runtime.h>

#include "engine/cuda/device_memory.h"

namespace strider::cuda {

/// Threads of a block that sums.
inline constexpr int kSumThreads = 128;

/// The sum of the threads' values, in thread 0: neighbours first, then pairs of pairs. Once in a kernel.
__device__ inline double block_sum(double value) {
  __shared__ SharedArray<double, kSumThreads> sums;
  const int thread = static_cast<int>(threadIdx.x);
  sums[thread] = value;
  for (int half = kSumThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (thread < half) sums[thread] += sums[thread + half];
  }
  return thread == 0 ? static_cast<double>(sums[0]) : 0.0;
}

}  // namespace strider::cuda
