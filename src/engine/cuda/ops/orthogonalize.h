#pragma once
// Muon's orthogonalization (formulas and sources in engine/cpu/ops/orthogonalize.h) of many matrices of one shape at
// once: each product is one call for all of them. T is the type of the products' operands, float or Bfloat16, as in
// torch.optim.Muon, which rounds them to bfloat16.
#include <span>

#include "base/carver.h"
#include "engine/cpu/ops/orthogonalize.h"
#include "engine/cuda/products.h"

namespace strider::cuda {

/// `count` matrices of one shape, one after the other.
struct MatrixBatch {
  std::int64_t count = 0, rows = 0, columns = 0;

  std::int64_t shorter() const { return rows < columns ? rows : columns; }
  std::int64_t elements() const { return count * rows * columns; }
};

template <typename T>
struct OrthogonalizeMemory {
  DeviceSpan<T> matrices, next;  // [count, rows, columns]; the caller fills the first
  DeviceSpan<T> gram, quintic;   // [count, shorter side, shorter side]
  DeviceSpan<float> inverse;     // [count]

  /// Enough for any of these.
  void lay_out(Carver& carver, std::span<const MatrixBatch> batches);
};

/// Orthogonalizes memory.matrices; returns where the results are: one of memory.matrices and memory.next. `steps` and
/// `norm_factor` are orthogonalization_steps() and orthogonalization_norm_factor() of the method.
template <typename T>
DeviceSpan<const T> orthogonalize(MatrixProducts& products, cudaStream_t stream, std::span<const Quintic> steps,
                                  double norm_factor, const MatrixBatch& batch, const OrthogonalizeMemory<T>& memory);

}  // namespace strider::cuda
