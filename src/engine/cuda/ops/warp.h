#pragma once
// Sums and maxima over the 32 threads of a warp; every thread gets the same bits. For .cu files.
#include <cuda_runtime.h>

#include "engine/cuda/device_memory.h"

namespace strider::cuda {

inline constexpr int kWarpSize = 32;
inline constexpr unsigned kWholeWarp = 0xFFFFFFFFU;

__device__ inline float warp_sum(float value) {
  for (int lanes = kWarpSize / 2; lanes > 0; lanes /= 2) value += __shfl_xor_sync(kWholeWarp, value, lanes);
  return value;
}

__device__ inline int warp_sum(int value) {
  for (int lanes = kWarpSize / 2; lanes > 0; lanes /= 2) value += __shfl_xor_sync(kWholeWarp, value, lanes);
  return value;
}

__device__ inline float warp_max(float value) {
  for (int lanes = kWarpSize / 2; lanes > 0; lanes /= 2) {
    value = fmaxf(value, __shfl_xor_sync(kWholeWarp, value, lanes));
  }
  return value;
}

/// Kernels that give a row to a warp: blocks of kRowWarps rows.
inline constexpr int kRowWarps = 4;
inline constexpr int kRowThreads = kRowWarps * kWarpSize;

__device__ inline int lane_of_thread() {
  return static_cast<int>(threadIdx.x) % kWarpSize;
}
__device__ inline int row_of_warp() {
  return static_cast<int>(blockIdx.x) * kRowWarps + static_cast<int>(threadIdx.x) / kWarpSize;
}

/// Kernels over elements: blocks of kElementThreads.
inline constexpr int kElementThreads = 256;

__device__ inline std::int64_t element_of_thread() {
  return static_cast<std::int64_t>(blockIdx.x) * kElementThreads + static_cast<std::int64_t>(threadIdx.x);
}

}  // namespace strider::cuda
