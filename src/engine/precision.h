#pragma once
// What the operands of matrix products are rounded to. Everything else, sums and weights among it, is float32 in all
// but for what an engine says of itself (docs/gpu.md).

namespace strider {

enum class Precision {
  kFloat32,
  kBfloat16,  // to nearest, ties to even
  kTf32,      // to NVIDIA's TensorFloat-32: float32 with 10 bits of mantissa; on a GPU only
};

/// As users write it.
inline const char* name_of(Precision precision) {
  switch (precision) {
    case Precision::kFloat32:
      return "float32";
    case Precision::kBfloat16:
      return "bfloat16";
    case Precision::kTf32:
      return "tf32";
  }
  return "";
}

/// Whether this processor multiplies bfloat16 faster than float32. Without it kBfloat16 gives the same kind of result,
/// slower.
bool has_bfloat16_products();

}  // namespace strider
