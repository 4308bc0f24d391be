#include "ops/cpu/small_gemm.h"

#include <libxsmm.h>

namespace strider {

GemmKernel::GemmKernel(const GemmShape& shape) : shape_(shape), made_(nullptr) {
  const auto lda = static_cast<libxsmm_blasint>(shape.lda);
  const auto ldb = static_cast<libxsmm_blasint>(shape.ldb);
  const auto ldc = static_cast<libxsmm_blasint>(shape.ldc);
  const float alpha = 1.0F;
  const float beta = shape.add ? 1.0F : 0.0F;
  const int flags = shape.b_transposed ? LIBXSMM_GEMM_FLAG_TRANS_B : LIBXSMM_GEMM_FLAG_NONE;
  made_ = libxsmm_smmdispatch(static_cast<libxsmm_blasint>(shape.m), static_cast<libxsmm_blasint>(shape.n),
                              static_cast<libxsmm_blasint>(shape.k), &lda, &ldb, &ldc, &alpha, &beta, &flags, nullptr);
}

void GemmKernel::portable(const float* a, const float* b, float* c) const {
  for (std::int64_t n = 0; n < shape_.n; ++n) {
    float* out = c + n * shape_.ldc;
    if (!shape_.add) {
      for (std::int64_t m = 0; m < shape_.m; ++m) out[m] = 0.0F;
    }
    for (std::int64_t k = 0; k < shape_.k; ++k) {
      const float factor = shape_.b_transposed ? b[k * shape_.ldb + n] : b[n * shape_.ldb + k];
      const float* in = a + k * shape_.lda;
      for (std::int64_t m = 0; m < shape_.m; ++m) out[m] += factor * in[m];
    }
  }
}

}  // namespace strider
