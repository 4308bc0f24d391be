#include "train/early_end.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace strider {
namespace {

// Evaluations since the one with the lowest loss.
std::int64_t evaluations_without_a_lower_loss(const TrainerState& state) {
  return std::ranges::count_if(state.log_history, [&](const LogEntry& entry) {
    return entry.step > state.best_global_step && entry.values.front().first == "eval_loss";
  });
}

}  // namespace

std::optional<EarlyEnd> early_end(const TrainingSettings& settings, std::optional<double> best_loss,
                                  const TrainerState& state, const Evaluation& evaluation) {
  const double loss = evaluation.loss_per_prediction;
  if (settings.target_loss > 0.0 && loss <= settings.target_loss) {
    return EarlyEnd{"TARGET_LOSS", fmt::format("TARGET_LOSS={} is reached after step {}: the run ends here",
                                               settings.target_loss, state.global_step)};
  }
  if (settings.target_excess > 0.0 && best_loss && loss - *best_loss <= settings.target_excess) {
    return EarlyEnd{"TARGET_EXCESS", fmt::format("TARGET_EXCESS={} is reached after step {}: the run ends here",
                                                 settings.target_excess, state.global_step)};
  }
  if (settings.patience > 0 && evaluations_without_a_lower_loss(state) >= settings.patience) {
    return EarlyEnd{"PATIENCE",
                    fmt::format("PATIENCE={}: no evaluation since step {} had a lower loss, so the run ends "
                                "after step {}",
                                settings.patience, state.best_global_step, state.global_step)};
  }
  return std::nullopt;
}

void check_early_end(const TrainingSettings& settings, bool has_validation, std::optional<double> best_loss) {
  const char* const asks = settings.target_loss > 0.0     ? "--target_loss (TARGET_LOSS)"
                           : settings.target_excess > 0.0 ? "--target_excess (TARGET_EXCESS)"
                           : settings.patience > 0        ? "--patience (PATIENCE)"
                                                          : nullptr;
  if (asks != nullptr && !has_validation) {
    throw Error(fmt::format("{} needs evaluations, and the dataset has no validation split", asks),
                {.file = settings.dataset_dir.string(),
                 .place = {},
                 .advice = "Make the dataset with one (TRAIN_SPLIT below 1), or leave the setting out."});
  }
  if (settings.target_excess > 0.0 && !best_loss) {
    throw Error("--target_excess (TARGET_EXCESS) is set, and the best possible loss of these walks is not known",
                {.file = settings.dataset_dir.string(),
                 .place = {},
                 .advice = "It is known of walks that 01b made and that MAX_LENGTH does not cut. TARGET_LOSS takes a "
                           "loss as it is."});
  }
}

}  // namespace strider
