#pragma once
// Linear layers without bias, as in torch.nn.Linear: y = x W^T with W [out_features, in_features].
//   forward          y[r, o]  = sum_i x[r, i] W[o, i]
//   backward, input  dx[r, i] = sum_o dy[r, o] W[o, i]
//   backward, weight dW[o, i] += sum_r dy[r, o] x[r, i]
// T is the type of a product's operands, float or Bfloat16; sums are float32 in both. No matrix has gaps between its
// rows, but for those whose stride is given.
#include "engine/cuda/products.h"

namespace strider::cuda {

struct LinearShape {
  std::int64_t in_features = 0, out_features = 0;
};

/// y [rows, out_features] becomes the product, rounded to T.
template <typename T>
void linear_forward(MatrixProducts& products, cudaStream_t stream, LinearShape shape, std::int64_t rows,
                    DeviceSpan<const T> x, DeviceSpan<const T> weight, DeviceSpan<T> y);
/// y [rows, out_features] becomes the product plus `addend` (the residual stream; may be y).
template <typename T>
void linear_forward_add(MatrixProducts& products, cudaStream_t stream, LinearShape shape, std::int64_t rows,
                        DeviceSpan<const T> x, DeviceSpan<const T> weight, DeviceSpan<const float> addend,
                        DeviceSpan<float> y);
/// y [rows, stride] becomes the product, in float32.
template <typename T>
void linear_forward_float(MatrixProducts& products, cudaStream_t stream, LinearShape shape, std::int64_t rows,
                          DeviceSpan<const T> x, DeviceSpan<const T> weight, DeviceSpan<float> y, std::int64_t stride);
/// dx [rows, in_features] is replaced.
template <typename T>
void linear_backward_input(MatrixProducts& products, cudaStream_t stream, LinearShape shape, std::int64_t rows,
                           DeviceSpan<const T> dy, DeviceSpan<const T> weight, DeviceSpan<T> dx);
/// The same in float32, for dy [rows, stride]; dx is added to where `adds`.
template <typename T>
void linear_backward_input_float(MatrixProducts& products, cudaStream_t stream, LinearShape shape, std::int64_t rows,
                                 DeviceSpan<const T> dy, std::int64_t stride, DeviceSpan<const T> weight,
                                 DeviceSpan<float> dx, bool adds);
/// dweight [out_features, in_features] is added to, for dy [rows, stride].
template <typename T>
void linear_backward_weight(MatrixProducts& products, cudaStream_t stream, LinearShape shape, std::int64_t rows,
                            DeviceSpan<const T> dy, std::int64_t stride, DeviceSpan<const T> x,
                            DeviceSpan<float> dweight);

}  // namespace strider::cuda
