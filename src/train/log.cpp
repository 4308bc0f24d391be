#include "train/log.h"

#include <fmt/format.h>

#include <cstdlib>

namespace strider {
namespace {

double as_float(double value) {
  return static_cast<double>(static_cast<float>(value));
}

void keep(TrainerState& state, std::vector<std::pair<std::string, double>> values) {
  values.emplace_back("epoch", state.epoch);
  state.log_history.push_back({std::move(values), state.global_step});
}

}  // namespace

double round_decimals(double value, int digits) {
  return std::strtod(fmt::format("{:.{}f}", value, digits).c_str(), nullptr);
}

double log_training(TrainerState& state, double grad_norm, double learning_rate) {
  const auto steps = static_cast<double>(state.global_step - state.last_logged_step);
  const auto loss = static_cast<double>(state.loss_since_log);
  state.loss_total += loss;
  state.loss_since_log = 0.0F;
  state.last_logged_step = state.global_step;
  state.prediction_loss_since_log = 0.0;
  const double mean = round_decimals(loss / steps, 4);
  keep(state, {{"loss", mean}, {"grad_norm", as_float(grad_norm)}, {"learning_rate", learning_rate}});
  return mean;
}

void log_evaluation(TrainerState& state, const Evaluation& evaluation) {
  const double loss = as_float(evaluation.loss);
  if (!state.best_metric || loss < *state.best_metric) {
    state.best_metric = loss;
    state.best_global_step = state.global_step;
  }
  const auto rate = [&](std::int64_t count) {
    return round_decimals(static_cast<double>(count) / evaluation.seconds, 3);
  };
  keep(state, {{"eval_loss", loss},
               {"eval_runtime", round_decimals(evaluation.seconds, 4)},
               {"eval_samples_per_second", rate(evaluation.walks)},
               {"eval_steps_per_second", rate(evaluation.batches)}});
}

void log_end(TrainerState& state, const StepPlan& plan, const TrainingSettings& settings, double seconds) {
  // As transformers counts them: with MAX_STEPS, a step has all of its walks. So it has where MAX_MINUTES ends the run.
  const std::int64_t steps = last_step(state, plan);
  const std::int64_t step_walks = settings.batch_size * settings.gradient_accumulation_steps;
  const double samples = settings.max_steps > 0 || steps < plan.max_steps
                             ? static_cast<double>(steps * step_walks)
                             : static_cast<double>(plan.walks) * settings.epochs;
  const double total = state.loss_total + static_cast<double>(state.loss_since_log);
  keep(state, {{"train_runtime", round_decimals(seconds, 4)},
               {"train_samples_per_second", round_decimals(samples / seconds, 3)},
               {"train_steps_per_second", round_decimals(static_cast<double>(steps) / seconds, 3)},
               {"total_flos", state.total_flos},
               {"train_loss", total / static_cast<double>(state.global_step)}});
}

}  // namespace strider
