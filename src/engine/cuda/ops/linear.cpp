#include "engine/cuda/ops/linear.h"

namespace strider::cuda {
namespace {

template <typename T>
MatrixProduct forward(LinearShape shape, std::int64_t rows, DeviceSpan<const T> x, DeviceSpan<const T> weight) {
  return {.m = rows,
          .n = shape.out_features,
          .k = shape.in_features,
          .a = {x, shape.in_features},
          .b = {weight, shape.in_features, true},
          .c = {}};
}

template <typename T>
MatrixProduct backward_input(LinearShape shape, std::int64_t rows, DeviceSpan<const T> dy, std::int64_t stride,
                             DeviceSpan<const T> weight) {
  return {.m = rows,
          .n = shape.in_features,
          .k = shape.out_features,
          .a = {dy, stride},
          .b = {weight, shape.in_features},
          .c = {}};
}

}  // namespace

template <typename T>
void linear_forward(MatrixProducts& products, cudaStream_t stream, LinearShape shape, std::int64_t rows,
                    DeviceSpan<const T> x, DeviceSpan<const T> weight, DeviceSpan<T> y) {
  MatrixProduct product = forward(shape, rows, x, weight);
  product.c = {y, shape.out_features};
  products.multiply(stream, product);
}

template <typename T>
void linear_forward_add(MatrixProducts& products, cudaStream_t stream, LinearShape shape, std::int64_t rows,
                        DeviceSpan<const T> x, DeviceSpan<const T> weight, DeviceSpan<const float> addend,
                        DeviceSpan<float> y) {
  MatrixProduct product = forward(shape, rows, x, weight);
  product.addend = addend;
  product.c = {y, shape.out_features};
  products.multiply(stream, product);
}

template <typename T>
void linear_forward_float(MatrixProducts& products, cudaStream_t stream, LinearShape shape, std::int64_t rows,
                          DeviceSpan<const T> x, DeviceSpan<const T> weight, DeviceSpan<float> y, std::int64_t stride) {
  MatrixProduct product = forward(shape, rows, x, weight);
  product.c = {y, stride};
  products.multiply(stream, product);
}

template <typename T>
void linear_backward_input(MatrixProducts& products, cudaStream_t stream, LinearShape shape, std::int64_t rows,
                           DeviceSpan<const T> dy, DeviceSpan<const T> weight, DeviceSpan<T> dx) {
  MatrixProduct product = backward_input(shape, rows, dy, shape.out_features, weight);
  product.c = {dx, shape.in_features};
  products.multiply(stream, product);
}

template <typename T>
void linear_backward_input_float(MatrixProducts& products, cudaStream_t stream, LinearShape shape, std::int64_t rows,
                                 DeviceSpan<const T> dy, std::int64_t stride, DeviceSpan<const T> weight,
                                 DeviceSpan<float> dx, bool adds) {
  MatrixProduct product = backward_input(shape, rows, dy, stride, weight);
  if (adds) product.addend = dx;
  product.c = {dx, shape.in_features};
  products.multiply(stream, product);
}

template <typename T>
void linear_backward_weight(MatrixProducts& products, cudaStream_t stream, LinearShape shape, std::int64_t rows,
                            DeviceSpan<const T> dy, std::int64_t stride, DeviceSpan<const T> x,
                            DeviceSpan<float> dweight) {
  products.multiply(stream, {.m = shape.out_features,
                             .n = shape.in_features,
                             .k = rows,
                             .a = {dy, stride, true},
                             .b = {x, shape.in_features},
                             .addend = dweight,
                             .c = {dweight, shape.in_features}});
}

#define STRIDER_LINEAR(T)                                                                                              \
  template void linear_forward<T>(MatrixProducts&, cudaStream_t, LinearShape, std::int64_t, DeviceSpan<const T>,       \
                                  DeviceSpan<const T>, DeviceSpan<T>);                                                 \
  template void linear_forward_add<T>(MatrixProducts&, cudaStream_t, LinearShape, std::int64_t, DeviceSpan<const T>,   \
                                      DeviceSpan<const T>, DeviceSpan<const float>, DeviceSpan<float>);                \
  template void linear_forward_float<T>(MatrixProducts&, cudaStream_t, LinearShape, std::int64_t, DeviceSpan<const T>, \
                                        DeviceSpan<const T>, DeviceSpan<float>, std::int64_t);                         \
  template void linear_backward_input<T>(MatrixProducts&, cudaStream_t, LinearShape, std::int64_t,                     \
                                         DeviceSpan<const T>, DeviceSpan<const T>, DeviceSpan<T>);                     \
  template void linear_backward_input_float<T>(MatrixProducts&, cudaStream_t, LinearShape, std::int64_t,               \
                                               DeviceSpan<const T>, std::int64_t, DeviceSpan<const T>,                 \
                                               DeviceSpan<float>, bool);                                               \
  template void linear_backward_weight<T>(MatrixProducts&, cudaStream_t, LinearShape, std::int64_t,                    \
                                          DeviceSpan<const T>, std::int64_t, DeviceSpan<const T>, DeviceSpan<float>)

STRIDER_LINEAR(float);
STRIDER_LINEAR(Bfloat16);
#undef STRIDER_LINEAR

}  // namespace strider::cuda
