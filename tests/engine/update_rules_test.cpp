// Every update rule against torch.optim's recurrence in float64.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "engine/cpu/rules/update_rule.h"
#include "engine/engine.h"
#include "engine/ops/check.h"

namespace strider {
namespace {

using test::Doubles;
using test::Floats;

constexpr float kClip = 0.5F;

// Counts of elements around the widths of vectors.
class Rule : public testing::TestWithParam<std::int64_t> {
 protected:
  // Five updates; expected(g, p, t) makes the same update of element i in float64.
  template <typename Expected>
  void expect(const RuleSettings& settings, double learning_rate, double weight_decay, const Expected& expected) {
    const auto rule = make_update_rule(settings);
    const auto count = static_cast<std::size_t>(GetParam());
    Floats parameters = test::random_floats(count, 1);
    Doubles p = test::widen(parameters);
    states.assign(rule->state_names().size(), Floats(count));
    std::vector<float*> places;
    for (Floats& state : states) places.push_back(state.data());
    for (int t = 1; t <= 5; ++t) {
      const Floats gradient = test::random_floats(count, static_cast<unsigned>(10 + t));
      rule->update({learning_rate, weight_decay, kClip, t}, {GetParam(), gradient.data(), parameters.data(), places});
      for (std::size_t i = 0; i < count; ++i) p[i] = expected(i, double{kClip} * double{gradient[i]}, p[i], t);
    }
    test::expect_close(parameters, p, 2e-6, "parameters");
  }

  std::vector<Floats> states;
};

INSTANTIATE_TEST_SUITE_P(Counts, Rule, testing::Values(1, 15, 16, 17, 100));

TEST_P(Rule, AdamWTakesTorchsSteps) {
  const double lr = 1e-2, wd = 0.1, beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  Doubles m(static_cast<std::size_t>(GetParam())), v(m);
  expect({.name = "adamw"}, lr, wd, [&](std::size_t i, double g, double p, int t) {
    m[i] = beta1 * m[i] + (1.0 - beta1) * g;
    v[i] = beta2 * v[i] + (1.0 - beta2) * g * g;
    return p * (1.0 - lr * wd) -
           lr / (1.0 - std::pow(beta1, t)) * m[i] / (std::sqrt(v[i] / (1.0 - std::pow(beta2, t))) + eps);
  });
  test::expect_close(states[0], m, 2e-6, "exp_avg");
  test::expect_close(states[1], v, 2e-6, "exp_avg_sq");
}

// torch.optim.SGD: d_p = grad + weight_decay * param; buf = d_p in the first step, then momentum * buf + d_p;
// param -= lr * buf.
TEST_P(Rule, SgdTakesTorchsSteps) {
  const double lr = 1e-2, wd = 0.1;
  for (const double momentum : {0.9, 0.0}) {
    Doubles b(static_cast<std::size_t>(GetParam()));
    expect({.name = "sgd", .momentum = momentum}, lr, wd, [&](std::size_t i, double g, double p, int t) {
      const double decayed = g + wd * p;
      b[i] = t == 1 ? decayed : momentum * b[i] + decayed;
      return p - lr * b[i];
    });
    test::expect_close(states[0], b, 2e-6, "momentum_buffer");
  }
}

TEST(UpdateRules, AreListedAndOthersAreRefused) {
  const auto names = update_rule_names();
  EXPECT_NE(std::ranges::find(names, "adamw"), names.end());
  EXPECT_NE(std::ranges::find(names, "sgd"), names.end());
  for (const std::string_view name : names) {
    EXPECT_FALSE(make_update_rule({.name = std::string(name)})->state_names().empty());
  }
  EXPECT_THROW(make_update_rule({.name = "adam"}), Error);
}

}  // namespace
}  // namespace strider
