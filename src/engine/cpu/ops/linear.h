#pragma once
// Linear layers without bias, as in torch.nn.Linear: y = x W^T with W [out_features, in_features].
//   forward          y[r, o]  = sum_i x[r, i] W[o, i]
//   backward, input  dx[r, i] = sum_o dy[r, o] W[o, i]
//   backward, weight dW[o, i] = sum_r dy[r, o] x[r, i]
// Weights are read many times per step, so both directions read a packed copy: panels of kPanel columns, each a dense
// [depth, kPanel] matrix (the last one filled up with zeros). Panels keep the kernel's reads in few cache sets;
// unpacked reads at a stride of a power of two lost up to a sixth of the arithmetic rate where it was measured.
// In Precision::kBfloat16 the packed copies, x and dy are rounded to bfloat16 and sums stay float32; packed copies then
// hold pairs of values that follow each other along the depth, one word a pair.
#include <cstdint>

#include "engine/cpu/ops/rows.h"
#include "engine/precision.h"

namespace strider {

struct LinearShape {
  std::int64_t in_features = 0;
  std::int64_t out_features = 0;
};

inline constexpr std::int64_t kPanel = 64;

/// Elements of a packed copy: columns rounded up to whole panels, times depth. They are floats; in kBfloat16 pairs.
std::int64_t packed_forward_size(LinearShape shape, Precision precision);   // columns are out_features
std::int64_t packed_backward_size(LinearShape shape, Precision precision);  // columns are in_features

/// Packs rows [first_row, last_row) of `weight` ([out_features, in_features]) into their places. first_row is a
/// multiple of kPanel, and last_row too unless it is out_features. Different ranges may be packed at the same time by
/// different threads.
void pack_forward(LinearShape shape, const float* weight, std::int64_t first_row, std::int64_t last_row, float* packed);
void pack_forward(LinearShape shape, const float* weight, std::int64_t first_row, std::int64_t last_row,
                  std::uint32_t* packed);
void pack_backward(LinearShape shape, const float* weight, std::int64_t first_row, std::int64_t last_row,
                   float* packed);
void pack_backward(LinearShape shape, const float* weight, std::int64_t first_row, std::int64_t last_row,
                   std::uint32_t* packed);

/// The packed copies of a weight, in one precision.
struct PackedLinear {
  LinearShape shape;
  Precision precision = Precision::kFloat32;
  const float* forward = nullptr;  // kFloat32
  const float* backward = nullptr;
  const std::uint32_t* forward_pairs = nullptr;  // kBfloat16
  const std::uint32_t* backward_pairs = nullptr;
};

/// Where kBfloat16 puts its rounded operands; kFloat32 needs none. `words` has room for linear_scratch_words.
struct LinearScratch {
  std::uint32_t* words = nullptr;
};

/// For products of up to `rows` rows whose in_features and out_features add up to no more than `width`.
std::int64_t linear_scratch_words(Precision precision, std::int64_t rows, std::int64_t width);

/// A range of output features; `first` is a multiple of kPanel.
struct OutRange {
  std::int64_t first = 0;
  std::int64_t count = 0;
};

/// x [rows, in], y [rows, out].
void linear_forward(const PackedLinear& weight, std::int64_t rows, ConstRows x, Rows y, Write write,
                    LinearScratch scratch = {});
/// Only the outputs in `range`: y [rows, range.count].
void linear_forward(const PackedLinear& weight, OutRange range, std::int64_t rows, ConstRows x, Rows y, Write write,
                    LinearScratch scratch = {});

/// dy [rows, out], dx [rows, in].
void linear_backward_input(const PackedLinear& weight, std::int64_t rows, ConstRows dy, Rows dx, Write write,
                           LinearScratch scratch = {});
/// Only what comes through the outputs in `range`: dy [rows, range.count].
void linear_backward_input(const PackedLinear& weight, OutRange range, std::int64_t rows, ConstRows dy, Rows dx,
                           Write write, LinearScratch scratch = {});

/// dy [rows, out], x [rows, in], dweight [out, in] dense.
void linear_backward_weight(LinearShape shape, Precision precision, std::int64_t rows, ConstRows dy, ConstRows x,
                            float* dweight, Write write, LinearScratch scratch = {});

}  // namespace strider
