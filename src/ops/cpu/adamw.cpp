#include "ops/adamw.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/adamw.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ops/cpu/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace strider {
namespace HWY_NAMESPACE {

void AdamWUpdate(const AdamWStep& step, std::int64_t count, const float* gradient, float* parameters, float* first,
                 float* second) {
  for_vectors(count, [&](auto d, std::int64_t i) {
    const auto g = hn::Mul(hn::LoadU(d, gradient + i), hn::Set(d, step.gradient_scale));
    const auto old = hn::LoadU(d, first + i);
    const auto m = hn::MulAdd(hn::Sub(g, old), hn::Set(d, step.one_minus_beta1), old);
    const auto v = hn::MulAdd(hn::Mul(g, g), hn::Set(d, step.one_minus_beta2),
                              hn::Mul(hn::LoadU(d, second + i), hn::Set(d, step.beta2)));
    const auto root = hn::MulAdd(hn::Sqrt(v), hn::Set(d, step.inverse_root), hn::Set(d, step.eps));
    const auto p = hn::Mul(hn::LoadU(d, parameters + i), hn::Set(d, step.decay));
    hn::StoreU(m, d, first + i);
    hn::StoreU(v, d, second + i);
    hn::StoreU(hn::NegMulAdd(hn::Set(d, step.step_size), hn::Div(m, root), p), d, parameters + i);
  });
}

double SumGradients(std::int64_t count, const float* const* parts, std::int64_t part_count, float* sum) {
  constexpr std::int64_t kRun = 4096;  // short float32 sums of squares, added up in double
  double squares = 0.0;
  for (std::int64_t begin = 0; begin < count; begin += kRun) {
    const std::int64_t size = std::min(kRun, count - begin);
    squares += static_cast<double>(sum_vectors(size, [&](auto d, std::int64_t i) {
      auto total = hn::LoadU(d, parts[0] + begin + i);
      for (std::int64_t part = 1; part < part_count; ++part) {
        total = hn::Add(total, hn::LoadU(d, parts[part] + begin + i));
      }
      hn::StoreU(total, d, sum + begin + i);
      return hn::Mul(total, total);
    }));
  }
  return squares;
}

}  // namespace HWY_NAMESPACE
}  // namespace strider
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace strider {

HWY_EXPORT(AdamWUpdate);
HWY_EXPORT(SumGradients);

void adamw_update(const AdamWStep& step, std::int64_t count, const float* gradient, float* parameters, float* first,
                  float* second) {
  HWY_DYNAMIC_DISPATCH(AdamWUpdate)(step, count, gradient, parameters, first, second);
}

double sum_gradients(std::int64_t count, const float* const* parts, std::int64_t part_count, float* sum) {
  return HWY_DYNAMIC_DISPATCH(SumGradients)(count, parts, part_count, sum);
}

}  // namespace strider
#endif
