#pragma once
// Stands in for cuBLASLt: a product by its definition, in float32, one term after the other.
#include "cuda_on_cpu/cuda_runtime.h"
#include "engine/cuda/products.h"

namespace strider::test {

class PlainProducts : public cuda::MatrixProducts {
 private:
  void enqueue(cudaStream_t stream, const cuda::MatrixProduct& product) override {
    cuda_on_cpu::enqueue(stream, [product] { multiply_now(product); });
  }

  static float at(const cuda::DeviceMatrix& matrix, std::int64_t i, std::int64_t j) {
    return matrix.values.data[matrix.is_transposed ? j * matrix.stride + i : i * matrix.stride + j];
  }

  static void multiply_now(const cuda::MatrixProduct& p) {
    for (std::int64_t i = 0; i < p.m; ++i) {
      for (std::int64_t j = 0; j < p.n; ++j) {
        float sum = 0.0F;
        for (std::int64_t l = 0; l < p.k; ++l) sum += at(p.a, i, l) * at(p.b, l, j);
        const float before = p.addend.size == 0 ? 0.0F : p.addend.data[i * p.n + j];
        p.c.data[i * p.n + j] = before + sum;
      }
    }
  }
};

}  // namespace strider::test
