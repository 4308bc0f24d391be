#pragma once
// How many steps a run has, which walks each takes, and its learning rate: the arithmetic of transformers' Trainer.
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/learning.h"
#include "train/settings.h"

namespace strider {

/// The shape of a run over a training split.
struct StepPlan {
  std::int64_t walks = 0;            // in the split
  std::int64_t batches = 0;          // micro-batches an epoch, the last one perhaps short
  std::int64_t steps_per_epoch = 0;  // optimizer steps, the last one perhaps of fewer micro-batches
  std::int64_t max_steps = 0;        // of the run
  std::int64_t epochs = 0;           // begun in the run
  std::int64_t schedule_start = 0;  // the step at which the learning rate's schedule begins; above 0 in a continued run
};

StepPlan plan_steps(std::int64_t walks, const TrainingSettings& settings);

/// Step `step` (from 0) of the run: its epoch, its micro-batches [first_batch, last_batch) of that epoch, and the
/// epoch's number after it, as the log gives it.
struct StepPlace {
  std::int64_t epoch = 0;
  std::int64_t first_batch = 0, last_batch = 0;
  double epoch_after = 0.0;
};

StepPlace place_of_step(const StepPlan& plan, const TrainingSettings& settings, std::int64_t step);

/// How many steps a run comes to within `budget` seconds when `done` steps have taken `used` seconds, evaluations and
/// checkpoints included: from `done` to `most`.
std::int64_t steps_in_time(double budget, double used, std::int64_t done, std::int64_t most);

/// What learns in a step. A run with FIRST_STEPS has up to three parts, one after the other:
///   first   the first FIRST_STEPS steps: the first FIRST_LAYERS layers, with embeddings, final norm and lm_head, as if
///           the layers above were not there, which begin as the identity
///   middle  with FIRST_LAYERS the layers above, final norm and lm_head; else all tensors
///   head    the last HEAD_STEPS steps, at most half of what the first part leaves: lm_head
/// `start` is the first step of the schedule, above 0 in a continued run; the first part is where it is whatever that
/// is.
Learning learning_at(const TrainingSettings& settings, const LlamaConfig& config, std::int64_t max_steps,
                     std::int64_t step, std::int64_t start = 0);

/// The learning rate of step `step` (from 0) of a schedule from step `start` to `max_steps`, as get_scheduler's lambdas
/// give it in double:
///   linear    warmup up from 0, then down to 0 at max_steps
///   cosine    warmup up from 0, then half a cosine down to 0
///   constant  the peak from the first step, warmup ignored
///   warmup_stable_decay  warmup up from 0, the peak, then in a line down to 0 over the last decay_share of max_steps
///             (get_wsd_schedule with decay_type="linear"; Hu et al. 2024, arXiv:2404.06395); a decay longer than what
///             the warmup leaves is cut to that
/// Each part of the run has this schedule for itself, from its first step to its last one: the first part with the peak
/// FIRST_LEARNING_RATE, the head's with HEAD_LEARNING_RATE.
double learning_rate_at(const TrainingSettings& settings, std::int64_t max_steps, std::int64_t step,
                        std::int64_t start = 0);

/// Where the mean of AVERAGE_SHARE begins: it may have the weights after each step with a larger number (from 1), of
/// which AVERAGE_EVERY takes some. The share is of the schedule's steps, rounded to whole ones, at least one, and
/// begins with the last part of the run at the earliest: what learns there learns to read the other weights as they
/// are, so that all weights of the mean must have the same ones. Without AVERAGE_SHARE it is max_steps.
std::int64_t average_begin(const TrainingSettings& settings, std::int64_t max_steps, std::int64_t start = 0);

/// The same for each group of trainer_groups(), by TensorKind: with its own peak and warm-up where GROUP_LEARNING_RATES
/// (in the first part FIRST_GROUP_LEARNING_RATES) and GROUP_WARMUP_STEPS have one; 0 where nothing of the group learns.
std::array<double, kTensorKinds> group_learning_rates_at(const TrainingSettings& settings, std::int64_t max_steps,
                                                         std::int64_t step, std::int64_t start = 0);

/// The weight decay of each group in step `step` of the run: in the first part FIRST_GROUP_WEIGHT_DECAYS come before
/// GROUP_WEIGHT_DECAYS.
std::array<double, kTensorKinds> group_weight_decays_at(const TrainingSettings& settings, std::int64_t step);

}  // namespace strider
