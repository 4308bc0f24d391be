#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace strider {

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

double learning_rate_at(const TrainingSettings& settings, std::int64_t max_steps, std::int64_t step) {
  if (settings.lr_scheduler == LrScheduler::kConstant) return settings.learning_rate;
  const std::int64_t warmup = settings.warmup_steps;
  double factor = 0.0;
  if (step < warmup) {
    factor = static_cast<double>(step) / static_cast<double>(std::max<std::int64_t>(1, warmup));
  } else if (settings.lr_scheduler == LrScheduler::kLinear) {
    factor = std::max(0.0, static_cast<double>(max_steps - step) /
                               static_cast<double>(std::max<std::int64_t>(1, max_steps - warmup)));
  } else {
    const double progress =
        static_cast<double>(step - warmup) / static_cast<double>(std::max<std::int64_t>(1, max_steps - warmup));
    factor = std::max(0.0, 0.5 * (1.0 + std::cos(std::numbers::pi * 0.5 * 2.0 * progress)));
  }
  return settings.learning_rate * factor;
}

}  // namespace strider
