// Stochastic gradient descent with momentum in the steps of torch.optim.SGD (dampening 0, no Nesterov), with g already
// clipped; b is 0 before the first step:
//   g += wd p,  b = mu b + g,  p -= lr b
#include <array>

#include "engine/cpu/rules/update_rule.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/cpu/rules/sgd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/cpu/ops/vector_math-inl.h"

#ifndef STRIDER_SGD_FACTORS
#define STRIDER_SGD_FACTORS
namespace strider {
namespace {

struct SgdFactors {
  float learning_rate, weight_decay, momentum, gradient_scale;
};

}  // namespace
}  // namespace strider
#endif

HWY_BEFORE_NAMESPACE();
namespace strider {
namespace HWY_NAMESPACE {

void SgdUpdate(const SgdFactors& factors, std::int64_t count, const float* gradient, float* parameters,
               float* momentum) {
  for_vectors(count, [&](auto d, std::int64_t i) {
    const auto p = hn::LoadU(d, parameters + i);
    const auto clipped = hn::Mul(hn::LoadU(d, gradient + i), hn::Set(d, factors.gradient_scale));
    const auto g = hn::MulAdd(hn::Set(d, factors.weight_decay), p, clipped);
    const auto b = hn::MulAdd(hn::Set(d, factors.momentum), hn::LoadU(d, momentum + i), g);
    hn::StoreU(b, d, momentum + i);
    hn::StoreU(hn::NegMulAdd(hn::Set(d, factors.learning_rate), b, p), d, parameters + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace strider
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace strider {
namespace {

HWY_EXPORT(SgdUpdate);

class Sgd : public UpdateRule {
 public:
  explicit Sgd(const RuleSettings& settings) : momentum_(static_cast<float>(settings.momentum)) {}

  std::span<const std::string_view> state_names() const override {
    static constexpr std::array<std::string_view, 1> kNames = {"momentum_buffer"};
    return kNames;
  }

  void update(const UpdateStep& step, const ParameterRun& run) const override {
    const SgdFactors factors{.learning_rate = static_cast<float>(step.learning_rate),
                             .weight_decay = static_cast<float>(step.weight_decay),
                             .momentum = momentum_,
                             .gradient_scale = step.gradient_scale};
    HWY_DYNAMIC_DISPATCH(SgdUpdate)(factors, run.count, run.gradient, run.parameters, run.states[0]);
  }

 private:
  float momentum_;
};

}  // namespace

std::unique_ptr<UpdateRule> make_sgd(const RuleSettings& settings) {
  return std::make_unique<Sgd>(settings);
}

}  // namespace strider
#endif
