#pragma once
// Small dense matrix products, the one kernel that everything else is built of:
//   C[n][m] (= or +=) sum over k of B[n][k] * A[k][m]
// with A at stride lda, C at stride ldc, and B at stride ldb, stored [n][k] or (b_transposed) [k][n].
// Kernels are made for the processor at run time by libxsmm and kept by it; where it has none, a portable loop runs.
#include <cstdint>

namespace strider {

struct GemmShape {
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t lda = 0, ldb = 0, ldc = 0;
  bool b_transposed = false;
  bool add = false;
};

class GemmKernel {
 public:
  GemmKernel() = default;
  explicit GemmKernel(const GemmShape& shape);
  void operator()(const float* a, const float* b, float* c) const {
    if (made_ != nullptr) {
      made_(a, b, c);
    } else {
      portable(a, b, c);
    }
  }

 private:
  void portable(const float* a, const float* b, float* c) const;

  using Made = void (*)(const float*, const float*, float*, ...);
  GemmShape shape_;
  Made made_ = nullptr;
};

/// How many rows of B a kernel takes at once: a few register blocks of the widest machine, small enough for L1.
inline constexpr std::int64_t kGemmRows = 48;
/// The longest sum that one kernel takes; longer ones are added up kernel by kernel, which bounds how many kernels
/// exist.
inline constexpr std::int64_t kGemmDepth = 128;

}  // namespace strider
