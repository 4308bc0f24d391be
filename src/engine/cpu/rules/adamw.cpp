// AdamW (Loshchilov and Hutter 2019) in the steps of torch.optim.AdamW, with g already clipped:
//   p *= 1 - lr wd,  m += (1 - beta1) (g - m),  v = beta2 v + (1 - beta2) g^2,
//   p -= lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
#include <array>
#include <cmath>

#include "engine/cpu/rules/update_rule.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/cpu/rules/adamw.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/cpu/ops/vector_math-inl.h"

#ifndef STRIDER_ADAMW_FACTORS
#define STRIDER_ADAMW_FACTORS
namespace strider {
namespace {

// The formula's factors, rounded to float32 as torch does.
struct AdamWFactors {
  float decay;  // 1 - lr wd
  float one_minus_beta1;
  float beta2;
  float one_minus_beta2;
  float step_size;     // lr / (1 - beta1^t)
  float inverse_root;  // 1 / sqrt(1 - beta2^t)
  float eps;
  float gradient_scale;
};

}  // namespace
}  // namespace strider
#endif

HWY_BEFORE_NAMESPACE();
namespace strider {
namespace HWY_NAMESPACE {

void AdamWUpdate(const AdamWFactors& factors, std::int64_t count, const float* gradient, float* parameters,
                 float* first, float* second) {
  for_vectors(count, [&](auto d, std::int64_t i) {
    const auto g = hn::Mul(hn::LoadU(d, gradient + i), hn::Set(d, factors.gradient_scale));
    const auto old = hn::LoadU(d, first + i);
    const auto m = hn::MulAdd(hn::Sub(g, old), hn::Set(d, factors.one_minus_beta1), old);
    const auto v = hn::MulAdd(hn::Mul(g, g), hn::Set(d, factors.one_minus_beta2),
                              hn::Mul(hn::LoadU(d, second + i), hn::Set(d, factors.beta2)));
    const auto root = hn::MulAdd(hn::Sqrt(v), hn::Set(d, factors.inverse_root), hn::Set(d, factors.eps));
    const auto p = hn::Mul(hn::LoadU(d, parameters + i), hn::Set(d, factors.decay));
    hn::StoreU(m, d, first + i);
    hn::StoreU(v, d, second + i);
    hn::StoreU(hn::NegMulAdd(hn::Set(d, factors.step_size), hn::Div(m, root), p), d, parameters + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace strider
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace strider {
namespace {

HWY_EXPORT(AdamWUpdate);

class AdamW : public UpdateRule {
 public:
  explicit AdamW(const RuleSettings& settings) : settings_(settings) {}

  std::span<const std::string_view> state_names() const override {
    static constexpr std::array<std::string_view, 2> kNames = {"exp_avg", "exp_avg_sq"};
    return kNames;
  }

  void update(const UpdateStep& step, const ParameterRun& run) const override {
    const auto t = static_cast<double>(step.number);
    const AdamWFactors factors{
        .decay = static_cast<float>(1.0 - step.learning_rate * step.weight_decay),
        .one_minus_beta1 = static_cast<float>(1.0 - settings_.beta1),
        .beta2 = static_cast<float>(settings_.beta2),
        .one_minus_beta2 = static_cast<float>(1.0 - settings_.beta2),
        .step_size = static_cast<float>(step.learning_rate / (1.0 - std::pow(settings_.beta1, t))),
        .inverse_root = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(settings_.beta2, t))),
        .eps = static_cast<float>(settings_.eps),
        .gradient_scale = step.gradient_scale};
    HWY_DYNAMIC_DISPATCH(AdamWUpdate)
    (factors, run.count, run.gradient, run.parameters, run.states[0], run.states[1]);
  }

 private:
  RuleSettings settings_;
};

}  // namespace

std::unique_ptr<UpdateRule> make_adamw(const RuleSettings& settings) {
  return std::make_unique<AdamW>(settings);
}

}  // namespace strider
#endif
