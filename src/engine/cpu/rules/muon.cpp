// Muon (Jordan and others 2024, kellerjordan.github.io/posts/muon) in the steps of torch.optim.Muon with Nesterov
// momentum, with g already clipped; b is 0 before the first step:
//   b += (1 - mu) (g - b),  u = g + mu (b - g),  p *= 1 - lr wd,
//   p -= lr sqrt(max(1, rows / columns)) orthogonalize(u)
// Here the products are of float32; torch rounds their operands to bfloat16.
#include <algorithm>
#include <array>
#include <cmath>

#include "engine/cpu/ops/orthogonalize.h"
#include "engine/cpu/rules/update_rule.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/cpu/rules/muon.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/cpu/ops/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace strider {
namespace HWY_NAMESPACE {

void MuonDirection(float momentum, float gradient_scale, std::int64_t count, const float* gradient, float* buffer,
                   float* direction) {
  const float rest = 1.0F - momentum;
  for_vectors(count, [&](auto d, std::int64_t i) {
    const auto g = hn::Mul(hn::LoadU(d, gradient + i), hn::Set(d, gradient_scale));
    const auto old = hn::LoadU(d, buffer + i);
    const auto b = hn::MulAdd(hn::Sub(g, old), hn::Set(d, rest), old);
    hn::StoreU(b, d, buffer + i);
    hn::StoreU(hn::MulAdd(hn::Sub(b, g), hn::Set(d, momentum), g), d, direction + i);
  });
}

void MuonStep(float decay, float step_size, std::int64_t count, const float* direction, float* parameters) {
  for_vectors(count, [&](auto d, std::int64_t i) {
    const auto p = hn::Mul(hn::LoadU(d, parameters + i), hn::Set(d, decay));
    hn::StoreU(hn::NegMulAdd(hn::Set(d, step_size), hn::LoadU(d, direction + i), p), d, parameters + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace strider
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace strider {
namespace {

HWY_EXPORT(MuonDirection);
HWY_EXPORT(MuonStep);

class Muon : public UpdateRule {
 public:
  explicit Muon(const RuleSettings& settings)
      : momentum_(static_cast<float>(settings.momentum)),
        method_(settings.orthogonalization),
        steps_(settings.orthogonalization_steps) {}

  std::span<const std::string_view> state_names() const override {
    static constexpr std::array<std::string_view, 1> kNames = {"momentum_buffer"};
    return kNames;
  }

  bool updates_whole_matrices() const override { return true; }

  std::uint64_t scratch_bytes(std::int64_t rows, std::int64_t columns) const override {
    return carved_bytes([&](Carver& carver) { OrthogonalizeMemory().lay_out(carver, rows, columns); });
  }

  void update(const UpdateStep& step, const ParameterRun& run) const override {
    Carver carver(run.scratch);
    OrthogonalizeMemory memory;
    memory.lay_out(carver, run.rows, run.columns);
    const auto at = [&](std::int64_t row) { return row * run.columns; };
    for (std::int64_t row = 0; row < run.rows; ++row) {
      HWY_DYNAMIC_DISPATCH(MuonDirection)
      (momentum_, step.gradient_scale, run.columns, run.gradient + at(row), run.states[0] + at(row),
       memory.matrix.row(row));
    }
    const ConstRows direction = orthogonalize(method_, steps_, run.rows, run.columns, memory);
    const double ratio = static_cast<double>(run.rows) / static_cast<double>(run.columns);
    const auto step_size = static_cast<float>(step.learning_rate * std::sqrt(std::max(1.0, ratio)));
    const auto decay = static_cast<float>(1.0 - step.learning_rate * step.weight_decay);
    for (std::int64_t row = 0; row < run.rows; ++row) {
      HWY_DYNAMIC_DISPATCH(MuonStep)
      (decay, step_size, run.columns, direction.row(row), run.parameters + at(row));
    }
  }

 private:
  float momentum_;
  Orthogonalization method_;
  std::int64_t steps_;
};

}  // namespace

std::unique_ptr<UpdateRule> make_muon(const RuleSettings& settings) {
  return std::make_unique<Muon>(settings);
}

}  // namespace strider
#endif
