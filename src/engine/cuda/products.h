#pragma once
// Matrix products on the device: cuBLASLt's on a GPU (cublaslt.h); in the tests a plain product stands in for it.
#include <cuda_runtime.h>

#include <cstdint>
#include <memory>

#include "engine/cuda/bfloat16.h"
#include "engine/cuda/device_memory.h"

namespace strider::cuda {

enum class ElementType { kFloat32, kBfloat16 };

template <typename T>
inline constexpr ElementType kElementTypeOf =
    std::is_same_v<std::remove_const_t<T>, float> ? ElementType::kFloat32 : ElementType::kBfloat16;

/// A matrix by rows: element (i, j) is values[i * stride + j]. Of a product that is many at once, matrix b begins
/// b * batch_stride elements later.
struct DeviceMatrix {
  const void* values = nullptr;
  std::int64_t size = 0;  // elements that are there
  ElementType type = ElementType::kFloat32;
  std::int64_t stride = 0;
  bool is_transposed = false;  // the product reads (j, i) for (i, j)
  std::int64_t batch_stride = 0;

  DeviceMatrix() = default;
  template <typename T>
  DeviceMatrix(DeviceSpan<T> from, std::int64_t row_stride, bool transposed = false, std::int64_t next = 0)
      : values(from.data),
        size(from.size),
        type(kElementTypeOf<T>),
        stride(row_stride),
        is_transposed(transposed),
        batch_stride(next) {}
};

/// c[i, j] = sum_l a(i, l) b(l, j), plus what is in `addend` at the same place, for i < m, j < n, l < k; `batch` times,
/// for matrices that follow each other.
struct MatrixProduct {
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t batch = 1;
  DeviceMatrix a, b;                 // of one type
  DeviceSpan<const float> addend{};  // as c lies, which is float32 then; may be c itself; of size 0: zeros
  DeviceMatrix c;                    // written; not transposed
};

class MatrixProducts {
 public:
  MatrixProducts() = default;
  virtual ~MatrixProducts() = default;
  MatrixProducts(const MatrixProducts&) = delete;
  MatrixProducts& operator=(const MatrixProducts&) = delete;

  /// Puts the product into the stream. Sums are float32, in an order that does not change from call to call. Throws
  /// std::logic_error where an operand has fewer elements than the product reads or writes.
  void multiply(cudaStream_t stream, const MatrixProduct& product);

 private:
  virtual void enqueue(cudaStream_t stream, const MatrixProduct& product) = 0;
};

}  // namespace strider::cuda
