#pragma once
// Stands in for cuBLASLt: products by their definition, in float32, one term after the other, with operands and results
// rounded as it does.
#include "cuda_on_cpu/cuda_runtime.h"
#include "engine/cuda/products.h"

namespace strider::test {

class PlainProducts : public cuda::MatrixProducts {
 private:
  void enqueue(cudaStream_t stream, const cuda::MatrixProduct& product) override {
    cuda_on_cpu::enqueue(stream, [product] {
      for (std::int64_t b = 0; b < product.batch; ++b) multiply_now(product, b);
    });
  }

  static float element(const cuda::DeviceMatrix& matrix, std::int64_t place) {
    if (matrix.type == cuda::ElementType::kFloat32) return static_cast<const float*>(matrix.values)[place];
    return cuda::to_float(static_cast<const cuda::Bfloat16*>(matrix.values)[place]);
  }

  static float at(const cuda::DeviceMatrix& matrix, std::int64_t batch, std::int64_t i, std::int64_t j) {
    const std::int64_t in_matrix = matrix.is_transposed ? j * matrix.stride + i : i * matrix.stride + j;
    return element(matrix, batch * matrix.batch_stride + in_matrix);
  }

  static void write(const cuda::DeviceMatrix& matrix, std::int64_t place, float value) {
    void* const values = const_cast<void*>(matrix.values);
    if (matrix.type == cuda::ElementType::kFloat32) {
      static_cast<float*>(values)[place] = value;
    } else {
      static_cast<cuda::Bfloat16*>(values)[place] = cuda::to_bfloat16(value);
    }
  }

  static void multiply_now(const cuda::MatrixProduct& p, std::int64_t batch) {
    for (std::int64_t i = 0; i < p.m; ++i) {
      for (std::int64_t j = 0; j < p.n; ++j) {
        float sum = 0.0F;
        for (std::int64_t l = 0; l < p.k; ++l) sum += at(p.a, batch, i, l) * at(p.b, batch, l, j);
        const std::int64_t place = batch * p.c.batch_stride + i * p.c.stride + j;
        const float before = p.addend.size == 0 ? 0.0F : p.addend.data[place];
        write(p.c, place, before + sum);
      }
    }
  }
};

}  // namespace strider::test
