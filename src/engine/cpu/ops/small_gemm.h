#pragma once
// Small dense matrix products, the one kernel that everything else is built of:
//   C[n][m] (= or +=) sum over k of B[n][k] * A[k][m]
// On x86 libxsmm makes a kernel for the shape and the processor at run time and keeps it; elsewhere tile_gemm is taken.
#include <cstdint>

namespace strider {

struct GemmShape {
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t a_stride = 0;               // from one k of A to the next; the m of a k are dense
  std::int64_t b_stride = 0, b_depth = 1;  // from one n of B to the next, and from one k; one of them is 1
  std::int64_t c_stride = 0;               // from one n of C to the next; the m of an n are dense
  bool add = false;

  bool operator==(const GemmShape&) const = default;
};

class GemmKernel {
 public:
  GemmKernel() = default;
  explicit GemmKernel(const GemmShape& shape);
  void operator()(const float* a, const float* b, float* c) const;

 private:
  using Kernel = void (*)(const float*, const float*, float*, ...);
  GemmShape shape_;
  Kernel kernel_ = nullptr;
};

/// Finding a kernel costs about as much as a hundredth of what one does, so the last one is kept for the next call.
class KeptKernel {
 public:
  const GemmKernel& of(const GemmShape& shape) {
    if (shape != shape_) {
      shape_ = shape;
      kernel_ = GemmKernel(shape);
    }
    return kernel_;
  }

 private:
  GemmShape shape_;
  GemmKernel kernel_;
};

/// The product for any vector unit that Highway knows: a tile of C stays in registers while k passes by.
void tile_gemm(const GemmShape& shape, const float* a, const float* b, float* c);

/// How many rows of B a kernel takes at once: a few register blocks of the widest machine, small enough for L1.
inline constexpr std::int64_t kGemmRows = 48;
/// The longest sum that one kernel takes; longer ones are added up kernel by kernel, which bounds how many kernels
/// exist.
inline constexpr std::int64_t kGemmDepth = 128;

}  // namespace strider
