#pragma once
// Linear layers without bias, as in torch.nn.Linear: y = x W^T with W [out_features, in_features].
//   forward          y[r, o]  = sum_i x[r, i] W[o, i]
//   backward, input  dx[r, i] = sum_o dy[r, o] W[o, i]
//   backward, weight dW[o, i] = sum_r dy[r, o] x[r, i]
// Weights are read many times a step, so both directions read a packed copy: panels of kPanel columns, each a dense
// [depth, kPanel] matrix (the last one filled up with zeros). Panels keep the kernel's reads in few cache sets;
// unpacked reads at a stride of a power of two lost up to a sixth of the arithmetic rate where it was measured.
#include <cstdint>

#include "ops/rows.h"

namespace strider {

struct LinearShape {
  std::int64_t in_features = 0;
  std::int64_t out_features = 0;
};

inline constexpr std::int64_t kPanel = 64;

/// Floats of a packed copy: columns rounded up to whole panels, times depth.
std::int64_t packed_forward_floats(LinearShape shape);   // columns are out_features
std::int64_t packed_backward_floats(LinearShape shape);  // columns are in_features

/// Packs rows [first_row, last_row) of `weight` ([out_features, in_features]) into their places. For the forward copy
/// first_row is a multiple of kPanel, and last_row too unless it is out_features. Different ranges may be packed at the
/// same time by different threads.
void pack_forward(LinearShape shape, const float* weight, std::int64_t first_row, std::int64_t last_row, float* packed);
void pack_backward(LinearShape shape, const float* weight, std::int64_t first_row, std::int64_t last_row,
                   float* packed);

struct PackedLinear {
  LinearShape shape;
  const float* forward = nullptr;
  const float* backward = nullptr;
};

/// A range of output features; `first` is a multiple of kPanel.
struct OutRange {
  std::int64_t first = 0;
  std::int64_t count = 0;
};

/// x [rows, in], y [rows, out].
void linear_forward(const PackedLinear& weight, std::int64_t rows, ConstRows x, Rows y, Write write);
/// Only the outputs in `range`: y [rows, range.count].
void linear_forward(const PackedLinear& weight, OutRange range, std::int64_t rows, ConstRows x, Rows y, Write write);

/// dy [rows, out], dx [rows, in].
void linear_backward_input(const PackedLinear& weight, std::int64_t rows, ConstRows dy, Rows dx, Write write);
/// Only what comes through the outputs in `range`: dy [rows, range.count].
void linear_backward_input(const PackedLinear& weight, OutRange range, std::int64_t rows, ConstRows dy, Rows dx,
                           Write write);

/// dy [rows, out], x [rows, in], dweight [out, in] dense.
void linear_backward_weight(LinearShape shape, std::int64_t rows, ConstRows dy, ConstRows x, float* dweight,
                            Write write);

}  // namespace strider
