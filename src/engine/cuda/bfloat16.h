#pragma once
// bfloat16 as kernels and matrix products see it: the upper half of a float32, rounded to nearest, ties to even. And
// how kernels read and write elements of either type: they compute in float32.
#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "engine/cuda/device_memory.h"

namespace strider::cuda {

struct Bfloat16 {
  std::uint16_t bits;
};

__host__ __device__ inline Bfloat16 to_bfloat16(float value) {
  std::uint32_t bits = 0;
  memcpy(&bits, &value, sizeof(bits));
  // Not a number stays one: rounding up could carry its bits into those of infinity.
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return {static_cast<std::uint16_t>((bits >> 16U) | 0x40U)};
  const std::uint32_t is_odd = (bits >> 16U) & 1U;
  return {static_cast<std::uint16_t>((bits + 0x7FFFU + is_odd) >> 16U)};
}

__host__ __device__ inline float to_float(Bfloat16 value) {
  const std::uint32_t bits = std::uint32_t{value.bits} << 16U;
  float result = 0.0F;
  memcpy(&result, &bits, sizeof(result));
  return result;
}
__host__ __device__ inline float to_float(float value) {
  return value;
}

template <typename T>
__host__ __device__ T rounded_to(float value) {
  if constexpr (std::is_same_v<T, float>) {
    return value;
  } else {
    return to_bfloat16(value);
  }
}

/// Element i of memory of either type, as float32.
template <typename T>
__device__ float load(DeviceSpan<T> from, std::int64_t i) {
  return to_float(static_cast<std::remove_const_t<T>>(from[i]));
}
template <typename T>
__device__ void store(DeviceSpan<T> to, std::int64_t i, float value) {
  to[i] = rounded_to<T>(value);
}

}  // namespace strider::cuda
