#include "ops/linear.h"

#include <algorithm>

#include "ops/cpu/small_gemm.h"

namespace strider {
namespace {

std::int64_t round_up(std::int64_t value, std::int64_t step) {
  return (value + step - 1) / step * step;
}

// y [rows, columns] (+)= x [rows, depth] times panels that stand `panel_stride` floats apart. A panel is read once for
// all rows, since weights are the larger stream; x stays in the cache.
void multiply_panels(const float* panels, std::int64_t panel_stride, std::int64_t columns, std::int64_t depth,
                     std::int64_t rows, ConstRows x, Rows y, Write write) {
  for (std::int64_t column = 0; column < columns; column += kPanel) {
    const float* panel = panels + column / kPanel * panel_stride;
    const std::int64_t width = std::min(kPanel, columns - column);
    GemmShape shape{.m = width,
                    .n = kGemmRows,
                    .k = depth,
                    .lda = kPanel,
                    .ldb = x.stride,
                    .ldc = y.stride,
                    .b_transposed = false,
                    .add = write == Write::kAdd};
    std::int64_t row = 0;
    if (rows >= kGemmRows) {
      const GemmKernel kernel(shape);
      for (; row + kGemmRows <= rows; row += kGemmRows) kernel(panel, x.row(row), y.row(row) + column);
    }
    if (row < rows) {
      shape.n = rows - row;
      GemmKernel{shape}(panel, x.row(row), y.row(row) + column);
    }
  }
}

}  // namespace

std::int64_t packed_forward_floats(LinearShape shape) {
  return round_up(shape.out_features, kPanel) * shape.in_features;
}

std::int64_t packed_backward_floats(LinearShape shape) {
  return round_up(shape.in_features, kPanel) * shape.out_features;
}

void pack_forward(LinearShape shape, const float* weight, std::int64_t first_row, std::int64_t last_row,
                  float* packed) {
  const std::int64_t in = shape.in_features;
  constexpr std::int64_t kTile = 16;  // one cache line of inputs for a panel's rows at a time
  for (std::int64_t base = first_row; base < last_row; base += kPanel) {
    float* panel = packed + base * in;
    const std::int64_t width = std::min(kPanel, last_row - base);
    for (std::int64_t i0 = 0; i0 < in; i0 += kTile) {
      const std::int64_t i1 = std::min(in, i0 + kTile);
      for (std::int64_t o = 0; o < width; ++o) {
        const float* row = weight + (base + o) * in;
        for (std::int64_t i = i0; i < i1; ++i) panel[i * kPanel + o] = row[i];
      }
    }
  }
}

void pack_backward(LinearShape shape, const float* weight, std::int64_t first_row, std::int64_t last_row,
                   float* packed) {
  const std::int64_t in = shape.in_features;
  for (std::int64_t o = first_row; o < last_row; ++o) {
    for (std::int64_t i = 0; i < in; i += kPanel) {
      const std::int64_t width = std::min(kPanel, in - i);
      std::copy_n(weight + o * in + i, width, packed + i * shape.out_features + o * kPanel);
    }
  }
}

void linear_forward(const PackedLinear& weight, OutRange range, std::int64_t rows, ConstRows x, Rows y, Write write) {
  const std::int64_t in = weight.shape.in_features;
  multiply_panels(weight.forward + range.first * in, kPanel * in, range.count, in, rows, x, y, write);
}

void linear_forward(const PackedLinear& weight, std::int64_t rows, ConstRows x, Rows y, Write write) {
  linear_forward(weight, {0, weight.shape.out_features}, rows, x, y, write);
}

void linear_backward_input(const PackedLinear& weight, OutRange range, std::int64_t rows, ConstRows dy, Rows dx,
                           Write write) {
  multiply_panels(weight.backward + range.first * kPanel, kPanel * weight.shape.out_features, weight.shape.in_features,
                  range.count, rows, dy, dx, write);
}

void linear_backward_input(const PackedLinear& weight, std::int64_t rows, ConstRows dy, Rows dx, Write write) {
  linear_backward_input(weight, {0, weight.shape.out_features}, rows, dy, dx, write);
}

// A tile of the gradient stays in the cache while all rows are added to it, since a whole gradient does not.
void linear_backward_weight(LinearShape shape, std::int64_t rows, ConstRows dy, ConstRows x, float* dweight,
                            Write write) {
  const std::int64_t in = shape.in_features;
  if (rows == 0 && write == Write::kReplace) std::fill_n(dweight, in * shape.out_features, 0.0F);
  for (std::int64_t i = 0; i < in; i += kPanel) {
    for (std::int64_t o = 0; o < shape.out_features; o += kGemmRows) {
      GemmShape gemm{.m = std::min(kPanel, in - i),
                     .n = std::min(kGemmRows, shape.out_features - o),
                     .k = 0,
                     .lda = x.stride,
                     .ldb = dy.stride,
                     .ldc = in,
                     .b_transposed = true,
                     .add = write == Write::kAdd};
      for (std::int64_t row = 0; row < rows; row += kGemmDepth) {
        gemm.k = std::min(kGemmDepth, rows - row);
        GemmKernel{gemm}(x.row(row) + i, dy.row(row) + o, dweight + o * in + i);
        gemm.add = true;
      }
    }
  }
}

}  // namespace strider
