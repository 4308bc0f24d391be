#include "engine/cuda/ops/linear.h"

namespace strider::cuda {

void linear_forward(MatrixProducts& products, cudaStream_t stream, LinearShape shape, std::int64_t rows,
                    DeviceSpan<const float> x, DeviceSpan<const float> weight, DeviceSpan<float> y,
                    DeviceSpan<const float> addend) {
  products.multiply(stream, {.m = rows,
                             .n = shape.out_features,
                             .k = shape.in_features,
                             .a = {x, shape.in_features, false},
                             .b = {weight, shape.in_features, true},
                             .addend = addend,
                             .c = y});
}

void linear_backward_input(MatrixProducts& products, cudaStream_t stream, LinearShape shape, std::int64_t rows,
                           DeviceSpan<const float> dy, DeviceSpan<const float> weight, DeviceSpan<float> dx,
                           bool adds) {
  products.multiply(stream, {.m = rows,
                             .n = shape.in_features,
                             .k = shape.out_features,
                             .a = {dy, shape.out_features, false},
                             .b = {weight, shape.in_features, false},
                             .addend = adds ? DeviceSpan<const float>(dx) : DeviceSpan<const float>(),
                             .c = dx});
}

void linear_backward_weight(MatrixProducts& products, cudaStream_t stream, LinearShape shape, std::int64_t rows,
                            DeviceSpan<const float> dy, DeviceSpan<const float> x, DeviceSpan<float> dweight) {
  products.multiply(stream, {.m = shape.out_features,
                             .n = shape.in_features,
                             .k = rows,
                             .a = {dy, shape.out_features, true},
                             .b = {x, shape.in_features, false},
                             .addend = dweight,
                             .c = dweight});
}

}  // namespace strider::cuda
