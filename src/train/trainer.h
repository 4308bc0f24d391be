#pragma once
// A training run, from a dataset folder to final_model/.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "data/walk_dataset.h"
#include "engine/engine.h"
#include "train/settings.h"
#include "train/signals.h"
#include "train/trainer_state.h"
#include "train/wall_time.h"

namespace strider {

/// What is known before the first step.
struct RunFacts {
  LlamaConfig config;
  std::int64_t parameters = 0, embedding_parameters = 0;
  StepPlan plan;
  std::int64_t validation_walks = 0;
  std::int64_t tokens_per_epoch = 0;  // after the cut at max_length
  std::optional<double> best_loss;    // that any model can reach, nats per predicted token
  std::uint64_t memory_bytes = 0;     // that the run takes
  std::uint64_t memory_limit = 0;     // that the machine allows
  Precision precision = Precision::kFloat32;
  std::int64_t first_step = 0;  // above 0 when the run goes on
  std::string resumed_from;     // the checkpoint's name, or empty
};

struct StepFacts {
  std::int64_t step = 0;           // steps done
  double loss = 0.0;               // of this step, in the run's own denominator
  double loss_per_prediction = 0;  // mean over predicted tokens
  std::int64_t tokens = 0;
  double flops = 0.0;  // by the field's formula
  double seconds = 0.0;
  std::span<const float> micro_batch_losses;  // their sum is the loss; valid during the call
  std::span<const std::int64_t> walk_ids;     // in the order in which they were taken; valid during the call
};

/// Who wants to know how a run goes. Called from the thread that trains.
class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;
  virtual void on_start(const RunFacts&) {}
  virtual void on_step(const StepFacts&) {}
  virtual void on_log(const LogEntry&) {}
  virtual void on_evaluation(std::int64_t /*step*/, double /*loss*/, double /*loss_per_prediction*/) {}
  /// Of a checkpoint that is whole on the disk, which may be steps later.
  virtual void on_checkpoint(std::int64_t /*step*/, const std::filesystem::path& /*folder*/) {}
  virtual void on_notice(const std::string&) {}
};

struct TrainingOutcome {
  bool already_finished = false;          // nothing was left to do
  int stopped_by = 0;                     // the signal's number, 0 when the run came to its end
  std::int64_t steps = 0;                 // done, over all sittings
  std::optional<double> final_eval_loss;  // of the weights in final_model, in the run's own denominator
  std::optional<double> final_eval_per_prediction;
  std::optional<double> best_loss;
  std::filesystem::path final_model;
  std::string best_checkpoint;  // whose weights final_model has; empty: those of the last step
  double seconds = 0.0;         // trained, over all sittings
  WallTime wall_time;           // of this sitting
};

/// Trains as TrainingSettings say. Throws Error on bad input, before anything is written, and when a loss or gradient
/// is no longer finite, with the weights of the last checkpoint left as they are. Checkpoints are written by another
/// thread; the error of one is thrown here, after the step that is under way.
TrainingOutcome train(const TrainingSettings& asked, TrainingObserver& observer, TrainingSignals& signals);

}  // namespace strider
