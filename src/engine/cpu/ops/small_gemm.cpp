#include "engine/cpu/ops/small_gemm.h"

#if STRIDER_HAS_XSMM
#include <libxsmm.h>
#endif

namespace strider {

GemmKernel::GemmKernel(const GemmShape& shape) : shape_(shape) {
#if STRIDER_HAS_XSMM
  const bool b_transposed = shape.b_depth != 1;
  const auto lda = static_cast<libxsmm_blasint>(shape.a_stride);
  const auto ldb = static_cast<libxsmm_blasint>(b_transposed ? shape.b_depth : shape.b_stride);
  const auto ldc = static_cast<libxsmm_blasint>(shape.c_stride);
  const float alpha = 1.0F;
  const float beta = shape.add ? 1.0F : 0.0F;
  const int flags = b_transposed ? LIBXSMM_GEMM_FLAG_TRANS_B : LIBXSMM_GEMM_FLAG_NONE;
  kernel_ =
      libxsmm_smmdispatch(static_cast<libxsmm_blasint>(shape.m), static_cast<libxsmm_blasint>(shape.n),
                          static_cast<libxsmm_blasint>(shape.k), &lda, &ldb, &ldc, &alpha, &beta, &flags, nullptr);
#endif
}

void GemmKernel::operator()(const float* a, const float* b, float* c) const {
  if (kernel_ != nullptr) {
    kernel_(a, b, c);
  } else {
    tile_gemm(shape_, a, b, c);
  }
}

}  // namespace strider
