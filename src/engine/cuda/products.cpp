#include "engine/cuda/products.h"

#include <stdexcept>

namespace strider::cuda {
namespace {

void expect_elements(const DeviceMatrix& matrix, std::int64_t rows, std::int64_t columns) {
  if (matrix.is_transposed) std::swap(rows, columns);
  if (matrix.stride < columns || matrix.values.size < (rows - 1) * matrix.stride + columns) {
    throw std::logic_error("an operand of a matrix product is too small for it");
  }
}

}  // namespace

void MatrixProducts::multiply(cudaStream_t stream, const MatrixProduct& product) {
  expect_elements(product.a, product.m, product.k);
  expect_elements(product.b, product.k, product.n);
  const std::int64_t results = product.m * product.n;
  if (product.c.size != results || (product.addend.size != 0 && product.addend.size != results)) {
    throw std::logic_error("the result of a matrix product has another size");
  }
  enqueue(stream, product);
}

}  // namespace strider::cuda
