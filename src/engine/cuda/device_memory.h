#pragma once
// Memory of the device as kernels see it. On a GPU these are a pointer with a length and an array; in the tests, which
// run kernels on the CPU, every access through them is checked (tests/cuda_on_cpu/checked.h).
#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#ifdef STRIDER_CUDA_ON_CPU
namespace strider::cuda {
using cuda_on_cpu::DeviceSpan;
using cuda_on_cpu::SharedArray;
}  // namespace strider::cuda
#else
namespace strider::cuda {

/// `size` elements of global memory.
template <typename T>
struct DeviceSpan {
  T* data = nullptr;
  std::int64_t size = 0;

  __host__ __device__ DeviceSpan() {}
  __host__ __device__ DeviceSpan(T* values, std::int64_t count) : data(values), size(count) {}
  template <typename U>
  requires(std::is_same_v<T, const U>) __host__ __device__ DeviceSpan(DeviceSpan<U> other)
      : data(other.data), size(other.size) {}
  __device__ T& operator[](std::int64_t i) const { return data[i]; }
};

/// For __shared__ variables.
template <typename T, int kSize>
struct SharedArray {
  __device__ T& operator[](int i) { return values[i]; }
  T values[kSize];
};

}  // namespace strider::cuda
#endif
