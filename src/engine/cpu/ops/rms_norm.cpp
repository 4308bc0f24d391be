#include "engine/cpu/ops/rms_norm.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/cpu/ops/rms_norm.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/cpu/ops/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace strider {
namespace HWY_NAMESPACE {

void RmsNormApply(std::int64_t rows, std::int64_t hidden, ConstRows x, const float* weight, const float* inverse_rms,
                  Rows y) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* in = x.row(r);
    float* out = y.row(r);
    for_vectors(hidden, [&](auto d, std::int64_t i) {
      const auto scaled = hn::Mul(hn::LoadU(d, in + i), hn::Set(d, inverse_rms[r]));
      hn::StoreU(hn::Mul(hn::LoadU(d, weight + i), scaled), d, out + i);
    });
  }
}

void RmsNormForward(std::int64_t rows, std::int64_t hidden, float eps, ConstRows x, const float* weight, Rows y,
                    float* inverse_rms) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* in = x.row(r);
    const float squares = sum_vectors(hidden, [&](auto d, std::int64_t i) {
      const auto v = hn::LoadU(d, in + i);
      return hn::Mul(v, v);
    });
    inverse_rms[r] = 1.0F / std::sqrt(squares / static_cast<float>(hidden) + eps);
    RmsNormApply(1, hidden, x.from(r), weight, inverse_rms + r, y.from(r));
  }
}

void RmsNormBackward(std::int64_t rows, std::int64_t hidden, ConstRows x, const float* weight, const float* inverse_rms,
                     ConstRows dy, Rows dx, Write write, float* dweight) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* in = x.row(r);
    const float* grad = dy.row(r);
    float* out = dx.row(r);
    const float inverse = inverse_rms[r];
    const float dot = sum_vectors(hidden, [&](auto d, std::int64_t i) {
      return hn::Mul(hn::Mul(hn::LoadU(d, weight + i), hn::LoadU(d, grad + i)), hn::LoadU(d, in + i));
    });
    const float back = -dot / static_cast<float>(hidden) * inverse * inverse * inverse;
    for_vectors(hidden, [&](auto d, std::int64_t i) {
      const auto v = hn::LoadU(d, in + i);
      const auto g = hn::LoadU(d, grad + i);
      const auto scaled = hn::Mul(g, hn::Set(d, inverse));
      auto result = hn::MulAdd(v, hn::Set(d, back), hn::Mul(scaled, hn::LoadU(d, weight + i)));
      if (write == Write::kAdd) result = hn::Add(result, hn::LoadU(d, out + i));
      hn::StoreU(result, d, out + i);
      hn::StoreU(hn::MulAdd(scaled, v, hn::LoadU(d, dweight + i)), d, dweight + i);
    });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace strider
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace strider {

HWY_EXPORT(RmsNormApply);
HWY_EXPORT(RmsNormForward);
HWY_EXPORT(RmsNormBackward);

void rms_norm_forward(std::int64_t rows, std::int64_t hidden, float eps, ConstRows x, const float* weight, Rows y,
                      float* inverse_rms) {
  HWY_DYNAMIC_DISPATCH(RmsNormForward)(rows, hidden, eps, x, weight, y, inverse_rms);
}

void rms_norm_apply(std::int64_t rows, std::int64_t hidden, ConstRows x, const float* weight, const float* inverse_rms,
                    Rows y) {
  HWY_DYNAMIC_DISPATCH(RmsNormApply)(rows, hidden, x, weight, inverse_rms, y);
}

void rms_norm_backward(std::int64_t rows, std::int64_t hidden, ConstRows x, const float* weight,
                       const float* inverse_rms, ConstRows dy, Rows dx, Write write, float* dweight) {
  HWY_DYNAMIC_DISPATCH(RmsNormBackward)(rows, hidden, x, weight, inverse_rms, dy, dx, write, dweight);
}

}  // namespace strider
#endif
