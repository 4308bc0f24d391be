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

// A part of the run, see learning_at().
struct Part {
  enum class Kind { kFirst, kMiddle, kHead };
  Kind kind = Kind::kMiddle;
  std::int64_t begin = 0, end = 0;  // steps of the run
};

Part part_of(const TrainingSettings& settings, std::int64_t max_steps, std::int64_t step, std::int64_t start) {
  const std::int64_t first = settings.first_steps;
  if (step < first) return {.kind = Part::Kind::kFirst, .begin = 0, .end = first};
  const std::int64_t begin = std::max(start, first);
  const std::int64_t head = max_steps - std::min(settings.head_steps, (max_steps - begin) / 2);
  if (step < head) return {.kind = Part::Kind::kMiddle, .begin = begin, .end = head};
  return {.kind = Part::Kind::kHead, .begin = head, .end = max_steps};
}

double factor_in(const Part& part, const TrainingSettings& settings, std::int64_t warmup, std::int64_t step) {
  return schedule_factor(settings, warmup, part.end - part.begin, step - part.begin);
}

}  // namespace

Learning learning_at(const TrainingSettings& settings, const LlamaConfig& config, std::int64_t max_steps,
                     std::int64_t step, std::int64_t start) {
  Learning learning = all_learn(config);
  switch (part_of(settings, max_steps, step, start).kind) {
    case Part::Kind::kFirst:
      learning.layers = settings.first_layers;
      break;
    case Part::Kind::kMiddle:
      learning.first_layer = settings.first_layers;
      break;
    case Part::Kind::kHead:
      return lm_head_learns(config);
  }
  return learning;
}

std::int64_t average_begin(const TrainingSettings& settings, std::int64_t max_steps, std::int64_t start) {
  if (settings.average_share == 0.0) return max_steps;
  const auto steps = static_cast<double>(max_steps - start);
  const auto wanted = static_cast<std::int64_t>(std::llround(settings.average_share * steps));
  const Part last = part_of(settings, max_steps, std::max(start, max_steps - 1), start);
  const std::int64_t earliest = std::max(start, last.begin);
  return std::max(earliest, max_steps - std::max<std::int64_t>(1, wanted));
}

double learning_rate_at(const TrainingSettings& settings, std::int64_t max_steps, std::int64_t step,
                        std::int64_t start) {
  const Part part = part_of(settings, max_steps, step, start);
  double peak = settings.learning_rate;
  if (part.kind == Part::Kind::kFirst) peak = settings.first_learning_rate;
  if (part.kind == Part::Kind::kHead) peak = settings.head_learning_rate;
  return peak * factor_in(part, settings, settings.warmup_steps, step);
}

std::array<double, kTensorKinds> group_learning_rates_at(const TrainingSettings& settings, std::int64_t max_steps,
                                                         std::int64_t step, std::int64_t start) {
  const Part part = part_of(settings, max_steps, step, start);
  std::array<double, kTensorKinds> rates{};
  for (std::size_t kind = 0; kind < kTensorKinds; ++kind) {
    const std::optional<double> own_warmup = settings.group_warmup_steps[kind];
    const std::int64_t warmup = own_warmup ? static_cast<std::int64_t>(*own_warmup) : settings.warmup_steps;
    double peak = 0.0;
    switch (part.kind) {
      case Part::Kind::kFirst:
        peak = settings.first_group_learning_rates[kind].value_or(settings.first_learning_rate);
        break;
      case Part::Kind::kMiddle:
        if (settings.first_layers > 0 && static_cast<TensorKind>(kind) == TensorKind::kEmbeddings) break;
        peak = settings.group_learning_rates[kind].value_or(settings.learning_rate);
        break;
      case Part::Kind::kHead:
        if (static_cast<TensorKind>(kind) == TensorKind::kLmHead) peak = settings.head_learning_rate;
        break;
    }
    rates[kind] = peak * factor_in(part, settings, warmup, step);
  }
  return rates;
}

std::array<double, kTensorKinds> group_weight_decays_at(const TrainingSettings& settings, std::int64_t step) {
  std::array<double, kTensorKinds> decays{};
  for (std::size_t kind = 0; kind < kTensorKinds; ++kind) {
    const double shared = shared_weight_decay(static_cast<TensorKind>(kind), settings.weight_decay);
    decays[kind] = settings.group_weight_decays[kind].value_or(shared);
    if (step < settings.first_steps) decays[kind] = settings.first_group_weight_decays[kind].value_or(decays[kind]);
  }
  return decays;
}

}  // namespace strider
