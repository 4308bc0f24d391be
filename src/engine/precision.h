#pragma once
// What the operands of matrix products are rounded to. Everything else, sums and weights among it, is float32 in both.

namespace strider {

enum class Precision {
  kFloat32,
  kBfloat16,  // to nearest, ties to even
};

/// As users write it.
inline const char* name_of(Precision precision) {
  return precision == Precision::kBfloat16 ? "bfloat16" : "float32";
}

/// Whether this processor multiplies bfloat16 faster than float32. Without it kBfloat16 gives the same kind of result,
/// slower.
bool has_bfloat16_products();

}  // namespace strider
