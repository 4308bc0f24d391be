#include "engine/cpu/ops/linear.h"

#include <algorithm>

#include "engine/cpu/ops/bfloat16.h"
#include "engine/cpu/ops/prefetch.h"
#include "engine/cpu/ops/small_gemm.h"

namespace strider {
namespace {

std::int64_t round_up(std::int64_t value, std::int64_t step) {
  return (value + step - 1) / step * step;
}

// y [rows, columns] (+)= x [rows, depth] times panels `panel_stride` floats apart. A panel is read once for
// all rows, since weights are the larger stream; x stays in the cache.
void multiply_panels(const float* panels, std::int64_t panel_stride, std::int64_t columns, std::int64_t depth,
                     std::int64_t rows, ConstRows x, Rows y, Write write) {
  KeptKernel full, last;
  for (std::int64_t column = 0; column < columns; column += kPanel) {
    const float* panel = panels + column / kPanel * panel_stride;
    GemmShape shape{.m = std::min(kPanel, columns - column),
                    .n = kGemmRows,
                    .k = depth,
                    .a_stride = kPanel,
                    .b_stride = x.stride,
                    .c_stride = y.stride,
                    .add = write == Write::kAdd};
    std::int64_t row = 0;
    if (rows >= kGemmRows) {
      const GemmKernel& kernel = full.of(shape);
      for (; row + kGemmRows <= rows; row += kGemmRows) kernel(panel, x.row(row), y.row(row) + column);
    }
    if (row < rows) {
      shape.n = rows - row;
      last.of(shape)(panel, x.row(row), y.row(row) + column);
    }
  }
}

// The same with rows and panels of pairs; here whole panels are one call.
void multiply_panels(const Bfloat16Pair* panels, std::int64_t panel_stride, std::int64_t columns, std::int64_t depth,
                     std::int64_t rows, const Bfloat16Pair* x, Rows y, Write write) {
  for (std::int64_t column = 0; column < columns; column += kPanel) {
    bfloat16_gemm({.m = std::min(kPanel, columns - column),
                   .n = rows,
                   .k = depth,
                   .a_stride = kPanel,
                   .b_stride = depth,
                   .c_stride = y.stride,
                   .add = write == Write::kAdd},
                  panels + column / kPanel * panel_stride, x, y.data + column);
  }
}

std::int64_t depth_of(std::int64_t values, Precision precision) {
  return precision == Precision::kFloat32 ? values : pairs_of(values);
}

// A tile of the gradient stays in the cache while all rows are added to it, since a whole gradient does not; the next
// one is on its way from memory while this one is computed. Rows go in runs of kGemmDepth.
void backward_weight_float32(LinearShape shape, std::int64_t rows, ConstRows dy, ConstRows x, float* dweight,
                             Write write) {
  const std::int64_t in = shape.in_features;
  KeptKernel first, middle, last;
  for (std::int64_t i = 0; i < in; i += kPanel) {
    const std::int64_t width = std::min(kPanel, in - i);
    for (std::int64_t o = 0; o < shape.out_features; o += kGemmRows) {
      const std::int64_t height = std::min(kGemmRows, shape.out_features - o);
      const std::int64_t next = o + height;
      prefetch_rows(dweight + next * in + i, std::min(kGemmRows, shape.out_features - next), width, in);
      GemmShape gemm{.m = width,
                     .n = height,
                     .a_stride = x.stride,
                     .b_stride = 1,
                     .b_depth = dy.stride,
                     .c_stride = in,
                     .add = write == Write::kAdd};
      for (std::int64_t row = 0; row < rows; row += kGemmDepth) {
        gemm.k = std::min(kGemmDepth, rows - row);
        KeptKernel& kept = row == 0 ? first : row + kGemmDepth < rows ? middle : last;
        kept.of(gemm)(x.row(row) + i, dy.row(row) + o, dweight + o * in + i);
        gemm.add = true;
      }
    }
  }
}

// All rows at once: pairs of them are the depth.
void backward_weight_bfloat16(LinearShape shape, std::int64_t rows, ConstRows dy, ConstRows x, float* dweight,
                              Write write, LinearScratch scratch) {
  const std::int64_t in = shape.in_features;
  const std::int64_t out = shape.out_features;
  Bfloat16Pair* const x_pairs = scratch.words;
  Bfloat16Pair* const dy_pairs = x_pairs + pairs_of(rows) * in;
  to_column_pairs(rows, in, x, x_pairs);
  to_column_pairs(rows, out, dy, dy_pairs);
  for (std::int64_t i = 0; i < in; i += kPanel) {
    bfloat16_gemm({.m = std::min(kPanel, in - i),
                   .n = out,
                   .k = pairs_of(rows),
                   .a_stride = in,
                   .b_stride = 1,
                   .b_depth = out,
                   .c_stride = in,
                   .add = write == Write::kAdd},
                  x_pairs + i, dy_pairs, dweight + i);
  }
}

}  // namespace

std::int64_t packed_forward_size(LinearShape shape, Precision precision) {
  return round_up(shape.out_features, kPanel) * depth_of(shape.in_features, precision);
}

std::int64_t packed_backward_size(LinearShape shape, Precision precision) {
  return round_up(shape.in_features, kPanel) * depth_of(shape.out_features, precision);
}

std::int64_t linear_scratch_words(Precision precision, std::int64_t rows, std::int64_t width) {
  // Column pairs of both operands, or row pairs of one; two features more for odd ones.
  return precision == Precision::kFloat32 ? 0 : (rows + 1) * (width + 2) / 2 + rows;
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

// Pairs of inputs, in panels of kPanel outputs: the transpose of an output's row of pairs.
void pack_forward(LinearShape shape, const float* weight, std::int64_t first_row, std::int64_t last_row,
                  std::uint32_t* packed) {
  const std::int64_t in = shape.in_features;
  const std::int64_t depth = pairs_of(in);
  constexpr std::int64_t kTile = 16;  // one cache line of pairs for a panel's rows at a time
  Bfloat16Pair pairs[kPanel * kTile];
  for (std::int64_t base = first_row; base < last_row; base += kPanel) {
    Bfloat16Pair* panel = packed + base * depth;
    const std::int64_t width = std::min(kPanel, last_row - base);
    for (std::int64_t k = 0; k < depth; k += kTile) {
      const std::int64_t count = std::min(kTile, depth - k);
      to_row_pairs(width, std::min(2 * kTile, in - 2 * k), {weight + base * in + 2 * k, in}, pairs);
      for (std::int64_t i = 0; i < count; ++i) {
        for (std::int64_t o = 0; o < width; ++o) panel[(k + i) * kPanel + o] = pairs[o * count + i];
      }
    }
  }
}

void pack_backward(LinearShape shape, const float* weight, std::int64_t first_row, std::int64_t last_row,
                   std::uint32_t* packed) {
  const std::int64_t in = shape.in_features;
  const std::int64_t depth = pairs_of(shape.out_features);
  for (std::int64_t o = first_row; o < last_row; o += 2) {
    for (std::int64_t i = 0; i < in; i += kPanel) {
      to_column_pairs(std::min<std::int64_t>(2, last_row - o), std::min(kPanel, in - i), {weight + o * in + i, in},
                      packed + i * depth + o / 2 * kPanel);
    }
  }
}

void linear_forward(const PackedLinear& weight, OutRange range, std::int64_t rows, ConstRows x, Rows y, Write write,
                    LinearScratch scratch) {
  const std::int64_t in = weight.shape.in_features;
  if (weight.precision == Precision::kFloat32) {
    multiply_panels(weight.forward + range.first * in, kPanel * in, range.count, in, rows, x, y, write);
    return;
  }
  to_row_pairs(rows, in, x, scratch.words);
  const std::int64_t depth = pairs_of(in);
  multiply_panels(weight.forward_pairs + range.first * depth, kPanel * depth, range.count, depth, rows, scratch.words,
                  y, write);
}

void linear_forward(const PackedLinear& weight, std::int64_t rows, ConstRows x, Rows y, Write write,
                    LinearScratch scratch) {
  linear_forward(weight, {0, weight.shape.out_features}, rows, x, y, write, scratch);
}

void linear_backward_input(const PackedLinear& weight, OutRange range, std::int64_t rows, ConstRows dy, Rows dx,
                           Write write, LinearScratch scratch) {
  const std::int64_t in = weight.shape.in_features;
  const std::int64_t out = weight.shape.out_features;
  if (weight.precision == Precision::kFloat32) {
    multiply_panels(weight.backward + range.first * kPanel, kPanel * out, in, range.count, rows, dy, dx, write);
    return;
  }
  to_row_pairs(rows, range.count, dy, scratch.words);
  multiply_panels(weight.backward_pairs + range.first / 2 * kPanel, kPanel * pairs_of(out), in, pairs_of(range.count),
                  rows, scratch.words, dx, write);
}

void linear_backward_input(const PackedLinear& weight, std::int64_t rows, ConstRows dy, Rows dx, Write write,
                           LinearScratch scratch) {
  linear_backward_input(weight, {0, weight.shape.out_features}, rows, dy, dx, write, scratch);
}

void linear_backward_weight(LinearShape shape, Precision precision, std::int64_t rows, ConstRows dy, ConstRows x,
                            float* dweight, Write write, LinearScratch scratch) {
  if (rows == 0) {
    if (write == Write::kReplace) std::fill_n(dweight, shape.in_features * shape.out_features, 0.0F);
  } else if (precision == Precision::kFloat32) {
    backward_weight_float32(shape, rows, dy, x, dweight, write);
  } else {
    backward_weight_bfloat16(shape, rows, dy, x, dweight, write, scratch);
  }
}

}  // namespace strider
