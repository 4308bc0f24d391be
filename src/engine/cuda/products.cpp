#include "engine/cuda/products.h"

#include <stdexcept>
#include <utility>

namespace strider::cuda {
namespace {

// `batch` matrices [rows, columns].
void expect_elements(const DeviceMatrix& matrix, std::int64_t rows, std::int64_t columns, std::int64_t batch) {
  if (matrix.is_transposed) std::swap(rows, columns);
  const std::int64_t last = (batch - 1) * matrix.batch_stride + (rows - 1) * matrix.stride + columns;
  if (matrix.stride < columns || matrix.size < last) {
    throw std::logic_error("an operand of a matrix product is too small for it");
  }
}

}  // namespace

void MatrixProducts::multiply(cudaStream_t stream, const MatrixProduct& product) {
  expect_elements(product.a, product.m, product.k, product.batch);
  expect_elements(product.b, product.k, product.n, product.batch);
  expect_elements(product.c, product.m, product.n, product.batch);
  const bool adds = product.addend.size != 0;
  if (product.a.type != product.b.type || product.c.is_transposed ||
      (adds && (product.addend.size != product.c.size || product.c.type != ElementType::kFloat32))) {
    throw std::logic_error("a matrix product of types that do not go together");
  }
  enqueue(stream, product);
}

}  // namespace strider::cuda
