#pragma once
// A training run, from a dataset folder to final_model/.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "data/walk_dataset.h"
#include "engine/engine.h"
#include "events/run_events.h"
#include "train/settings.h"
#include "train/signals.h"
#include "train/trainer_state.h"
#include "train/wall_time.h"

namespace strider {

struct TrainingOutcome {
  bool already_finished = false;  // nothing was left to do
  int stopped_by = 0;             // the signal's number, 0 when the run came to its end
  std::int64_t steps = 0;         // done, over all sittings
  std::filesystem::path final_model;
  std::string best_checkpoint;  // RunEnded's, as the next ones
  std::int64_t averaged_steps = 0;
  std::optional<double> final_eval_loss;  // in the run's own denominator
  std::optional<double> final_eval_per_prediction;
  std::optional<double> best_loss;
};

/// Trains as TrainingSettings say. Throws Error on bad input, before anything is written, and when a loss or gradient
/// is no longer finite, with the weights of the last checkpoint left as they are. Checkpoints are written by another
/// thread; the error of one is thrown here, after the step that is under way.
/// `ranks`: this process is rank 0 of several that share the steps, which serve it (engine/ranks/ranks.h).
TrainingOutcome train(const TrainingSettings& asked, RunListener& listener, TrainingSignals& signals,
                      Communicator* ranks = nullptr);

/// Everything that train() does before its first step: checks, and RunStarted to the listener, also of a run that is
/// finished. Nothing is trained, and nothing written but the lock's file in the output folder. Throws Error as train().
void plan_training(const TrainingSettings& asked, RunListener& listener);

}  // namespace strider
