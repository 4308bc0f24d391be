#pragma once
// Memory of the device as kernels see it. On a GPU these are a pointer with a length and an array; in the tests, which
// run kernels on the CPU, every access through them is checked (tests/cuda_on_cpu/checked.h).
#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#ifdef STRIDER_CUDA_ON_CPU
namespace strider::cuda {
using cuda_on_cpu::DeviceSpan;
using cuda_on_cpu::load_vector;
using cuda_on_cpu::SharedArray;
using cuda_on_cpu::store_vector;
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

/// For __shared__ variables. Elements of 2 bytes are read many at once; with larger ones ptxas, told of an alignment,
/// would do the same and spill registers.
template <typename T, int kSize>
struct SharedArray {
  __device__ T& operator[](int i) { return values[i]; }
  alignas(sizeof(T) == 2 ? 16 : alignof(T)) T values[kSize];
};

/// As many elements as fill a Vector, from element i on, in one access; they begin at a multiple of its size.
template <typename Vector, typename T>
__device__ Vector load_vector(DeviceSpan<const T> from, std::int64_t i) {
  return *reinterpret_cast<const Vector*>(&from[i]);
}
template <typename Vector, typename T, int kSize>
__device__ Vector load_vector(SharedArray<T, kSize>& from, int i) {
  return *reinterpret_cast<const Vector*>(&from[i]);
}
template <typename Vector, typename T>
__device__ void store_vector(DeviceSpan<T> to, std::int64_t i, const Vector& vector) {
  *reinterpret_cast<Vector*>(&to[i]) = vector;
}
template <typename Vector, typename T, int kSize>
__device__ void store_vector(SharedArray<T, kSize>& to, int i, const Vector& vector) {
  *reinterpret_cast<Vector*>(&to[i]) = vector;
}

}  // namespace strider::cuda
#endif
