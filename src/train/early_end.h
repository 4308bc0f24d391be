#pragma once
// When an evaluation ends a run before its last planned step: TARGET_LOSS, TARGET_EXCESS and PATIENCE.
#include <optional>
#include <string>

#include "train/evaluation.h"
#include "train/trainer_state.h"

namespace strider {

struct EarlyEnd {
  std::string setting;  // the variable that ended it, as TrainerState::ended_by
  std::string text;     // for the user
};

/// `evaluation` is of state.global_step and in the log already; `best_loss` is RunEnded's.
std::optional<EarlyEnd> early_end(const TrainingSettings& settings, std::optional<double> best_loss,
                                  const TrainerState& state, const Evaluation& evaluation);

/// Throws Error where a setting asks for what this dataset cannot tell: its validation split or its best possible loss
/// is missing.
void check_early_end(const TrainingSettings& settings, bool has_validation, std::optional<double> best_loss);

}  // namespace strider
