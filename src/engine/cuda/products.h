#pragma once
// Matrix products on the device: cuBLASLt's on a GPU (cublaslt.h); in the tests a plain product stands in for it.
#include <cuda_runtime.h>

#include <cstdint>
#include <memory>

#include "engine/cuda/device_memory.h"

namespace strider::cuda {

/// A matrix by rows: element (i, j) is values[i * stride + j].
struct DeviceMatrix {
  DeviceSpan<const float> values;
  std::int64_t stride = 0;
  bool is_transposed = false;  // the product reads (j, i) for (i, j)
};

/// c[i, j] = sum_l a(i, l) b(l, j) + addend[i, j] for i < m, j < n, l < k. c and addend have n columns and no gaps.
struct MatrixProduct {
  std::int64_t m = 0, n = 0, k = 0;
  DeviceMatrix a, b;
  DeviceSpan<const float> addend;  // of size 0: zeros; may be c itself
  DeviceSpan<float> c;
};

class MatrixProducts {
 public:
  MatrixProducts() = default;
  virtual ~MatrixProducts() = default;
  MatrixProducts(const MatrixProducts&) = delete;
  MatrixProducts& operator=(const MatrixProducts&) = delete;

  /// Puts the product into the stream. float32 throughout, with sums in an order that does not change from call to
  /// call. Throws std::logic_error where an operand has fewer elements than the product reads.
  void multiply(cudaStream_t stream, const MatrixProduct& product);

 private:
  virtual void enqueue(cudaStream_t stream, const MatrixProduct& product) = 0;
};

}  // namespace strider::cuda
