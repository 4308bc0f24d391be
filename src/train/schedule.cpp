#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace strider {
namespace {

// What the peak is multiplied by.
double schedule_factor(const TrainingSettings& settings, std::int64_t warmup, std::int64_t max_steps,
                       std::int64_t step) {
  const LrScheduler scheduler = settings.lr_scheduler;
  if (scheduler == LrScheduler::kConstant) return 1.0;
  if (step < warmup) return static_cast<double>(step) / static_cast<double>(std::max<std::int64_t>(1, warmup));
  const auto after_warmup = static_cast<double>(std::max<std::int64_t>(1, max_steps - warmup));
  if (scheduler == LrScheduler::kLinear) {
    return std::max(0.0, static_cast<double>(max_steps - step) / after_warmup);
  }
  if (scheduler == LrScheduler::kWarmupStableDecay) {
    const auto wanted = static_cast<std::int64_t>(std::llround(settings.decay_share * static_cast<double>(max_steps)));
    const std::int64_t decay = std::clamp<std::int64_t>(wanted, 1, std::max<std::int64_t>(1, max_steps - warmup));
    return std::clamp(static_cast<double>(max_steps - step) / static_cast<double>(decay), 0.0, 1.0);
  }
  const double progress = static_cast<double>(step - warmup) / after_warmup;
  return std::max(0.0, 0.5 * (1.0 + std::cos(std::numbers::pi * 0.5 * 2.0 * progress)));
}

}  // namespace

StepPlan plan_steps(std::int64_t walks, const TrainingSettings& settings) {
  StepPlan plan;
  plan.walks = walks;
  plan.batches = (walks + settings.batch_size - 1) / settings.batch_size;
  const std::int64_t accumulate = settings.gradient_accumulation_steps;
  plan.steps_per_epoch = (plan.batches + accumulate - 1) / accumulate;
  plan.max_steps =
      settings.max_steps > 0
          ? settings.max_steps
          : static_cast<std::int64_t>(std::ceil(settings.epochs * static_cast<double>(plan.steps_per_epoch)));
  plan.epochs = (plan.max_steps + plan.steps_per_epoch - 1) / plan.steps_per_epoch;
  return plan;
}

StepPlace place_of_step(const StepPlan& plan, const TrainingSettings& settings, std::int64_t step) {
  StepPlace place;
  place.epoch = step / plan.steps_per_epoch;
  place.first_batch = step % plan.steps_per_epoch * settings.gradient_accumulation_steps;
  place.last_batch = std::min(plan.batches, place.first_batch + settings.gradient_accumulation_steps);
  place.epoch_after =
      static_cast<double>(place.epoch) + static_cast<double>(place.last_batch) / static_cast<double>(plan.batches);
  return place;
}

std::int64_t steps_in_time(double budget, double used, std::int64_t done, std::int64_t most) {
  if (done == 0 || used <= 0.0) return most;
  const double steps = budget / used * static_cast<double>(done);
  if (steps >= static_cast<double>(most)) return most;
  return std::max(done, static_cast<std::int64_t>(steps));
}

namespace {

// Where a step is: in the part of all weights, or in the last steps, of lm_head alone.
struct Part {
  bool is_head = false;
  std::int64_t steps = 0, step = 0;  // of the part
};

std::int64_t head_steps_of(const TrainingSettings& settings, std::int64_t max_steps) {
  return std::min(settings.head_steps, max_steps / 2);
}

Part part_of(const TrainingSettings& settings, std::int64_t max_steps, std::int64_t step) {
  const std::int64_t head = head_steps_of(settings, max_steps);
  const std::int64_t others = max_steps - head;
  if (step < others) return {.is_head = false, .steps = others, .step = step};
  return {.is_head = true, .steps = head, .step = step - others};
}

}  // namespace

bool trains_lm_head_only(const TrainingSettings& settings, std::int64_t max_steps, std::int64_t step) {
  return part_of(settings, max_steps, step).is_head;
}

std::int64_t average_begin(const TrainingSettings& settings, std::int64_t max_steps) {
  if (settings.average_share == 0.0) return max_steps;
  const std::int64_t head = head_steps_of(settings, max_steps);
  const auto wanted = static_cast<std::int64_t>(std::llround(settings.average_share * static_cast<double>(max_steps)));
  return max_steps - std::clamp<std::int64_t>(wanted, 1, head > 0 ? head : max_steps);
}

double learning_rate_at(const TrainingSettings& settings, std::int64_t max_steps, std::int64_t step) {
  const Part part = part_of(settings, max_steps, step);
  const double peak = part.is_head ? settings.head_learning_rate : settings.learning_rate;
  return peak * schedule_factor(settings, settings.warmup_steps, part.steps, part.step);
}

std::array<double, kTensorKinds> group_learning_rates_at(const TrainingSettings& settings, std::int64_t max_steps,
                                                         std::int64_t step) {
  const Part part = part_of(settings, max_steps, step);
  std::array<double, kTensorKinds> rates{};
  for (std::size_t kind = 0; kind < kTensorKinds; ++kind) {
    const std::optional<double> own_warmup = settings.group_warmup_steps[kind];
    const std::int64_t warmup = own_warmup ? static_cast<std::int64_t>(*own_warmup) : settings.warmup_steps;
    const bool is_lm_head = static_cast<TensorKind>(kind) == TensorKind::kLmHead;
    double peak = settings.group_learning_rates[kind].value_or(settings.learning_rate);
    if (part.is_head) peak = is_lm_head ? settings.head_learning_rate : 0.0;
    rates[kind] = peak * schedule_factor(settings, warmup, part.steps, part.step);
  }
  return rates;
}

}  // namespace strider
