#pragma once
// Linear layers without bias, as in torch.nn.Linear: y = x W^T with W [out_features, in_features].
//   forward          y[r, o]  = sum_i x[r, i] W[o, i]
//   backward, input  dx[r, i] = sum_o dy[r, o] W[o, i]
//   backward, weight dW[o, i] += sum_r dy[r, o] x[r, i]
// No matrix has gaps between its rows.
#include "engine/cuda/products.h"

namespace strider::cuda {

struct LinearShape {
  std::int64_t in_features = 0, out_features = 0;
};

/// y [rows, out_features] becomes the product, plus `addend` where that has elements (the residual stream; may be y).
void linear_forward(MatrixProducts& products, cudaStream_t stream, LinearShape shape, std::int64_t rows,
                    DeviceSpan<const float> x, DeviceSpan<const float> weight, DeviceSpan<float> y,
                    DeviceSpan<const float> addend = {});
/// dx [rows, in_features] is replaced, or added to.
void linear_backward_input(MatrixProducts& products, cudaStream_t stream, LinearShape shape, std::int64_t rows,
                           DeviceSpan<const float> dy, DeviceSpan<const float> weight, DeviceSpan<float> dx,
                           bool adds = false);
/// dweight [out_features, in_features] is added to.
void linear_backward_weight(MatrixProducts& products, cudaStream_t stream, LinearShape shape, std::int64_t rows,
                            DeviceSpan<const float> dy, DeviceSpan<const float> x, DeviceSpan<float> dweight);

}  // namespace strider::cuda
