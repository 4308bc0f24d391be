#pragma once
// The entries of log_history as transformers' Trainer writes them: what it rounds is rounded, what torch gives in
// float32 is a float32.
#include "train/evaluation.h"
#include "train/trainer_state.h"

namespace strider {

/// Python's round(value, digits): the decimal nearest to what the double exactly is.
double round_decimals(double value, int digits);

/// The mean loss since the last entry, the last step's gradient norm and learning rate. Adds the loss up into
/// loss_total and begins the sums anew. Returns the entry's loss.
double log_training(TrainerState& state, double grad_norm, double learning_rate);

/// An evaluation; keeps the lowest loss as the best one.
void log_evaluation(TrainerState& state, const Evaluation& evaluation);

/// The whole run, after its last step; `seconds` over all sittings.
void log_end(TrainerState& state, const StepPlan& plan, const TrainingSettings& settings, double seconds);

}  // namespace strider
