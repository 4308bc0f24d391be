#pragma once
// The loop of a training run: each step takes the next walks, goes forward and backward over them and updates the
// weights; every few steps it logs, evaluates and saves; at the end the best saved weights become the final model, or
// with AVERAGE_SHARE the mean of the last ones.
#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "engine/engine.h"
#include "events/run_events.h"
#include "train/batches.h"
#include "train/checkpoint_writer.h"
#include "train/evaluation.h"
#include "train/model_card.h"
#include "train/run_plan.h"
#include "train/signals.h"
#include "train/wall_time.h"
#include "train/weight_average.h"

namespace strider {

/// The plan and those that a run speaks with; everything outlives it.
struct RunContext {
  const RunPlan& plan;
  RunListener& listener;
  NoticeOnce& notice;
  TrainingSignals& signals;
  Communicator* ranks = nullptr;  // EngineSettings::ranks
};

class TrainingRun {
 public:
  /// Takes all memory of the run.
  explicit TrainingRun(const RunContext& context);

  /// Takes the weights, or the whole state of a checkpoint.
  void start(const RunStart& start);

  /// Steps until the end or a signal; returns the signal's number or 0.
  int run();

  /// Writes final_model with the best weights or the mean of the last ones, the whole log, and that the run is
  /// finished.
  FinishedRun finish();

  const TrainerState& state() const { return state_; }
  const WallTime& wall_time() const { return wall_.time(); }

 private:
  double seconds() const;
  bool is_last() const { return is_at_end(state_, steps_); }
  // A step whose walks are loaded, and what the engine is told of it.
  struct PlannedStep {
    StepWalks* walks = nullptr;
    double denominator = 1.0;
    double learning_rate = 0.0;
    std::array<double, kTensorKinds> group_learning_rates = {};
    Learning learning;
    std::array<double, kTensorKinds> weight_decays = {};
  };

  void scale_first_layers();
  void plan_step(std::int64_t step);
  bool needs_model_after(std::int64_t steps) const;
  StepWork work_of(const PlannedStep& step) const;
  void queue_last_planned();
  void queue_steps();
  bool is_under_way() const { return !planned_.empty(); }
  bool step();
  void fit_schedule_to_time();
  int after_step();
  int stop_here(int stop);
  void begin(Activity activity, double expected_seconds);
  double add_up(std::span<const double> losses, double denominator);
  double padded_flops(const StepWalks& walks) const;
  void report_step(const PlannedStep& step, double loss, double seconds);
  bool shows_weights_at(std::int64_t step) const;
  void report_weights(std::span<const float> gradient);
  void report_model();
  void warn_if_diverging(double loss_per_prediction);
  void log();
  double flops_of(const Learning& learning, std::int64_t length);
  bool evaluates_at(std::int64_t step) const;
  bool evaluate();
  void end_if_good_enough();
  bool is_averaged(std::int64_t step) const;
  void average_weights();
  void take_average(FinishedRun& finished);
  void evaluate_average(FinishedRun& finished);
  void keep_if_best();
  void save();
  void on_checkpoint(std::int64_t step, const Notices& notices);
  void write_final_model(const FinishedRun& finished);
  void refuse_broken_numbers(const StepWalks& walks, std::span<const double> losses);

  const RunPlan& plan_;
  const TrainingSettings& settings_ = plan_.settings;
  const StepPlan& steps_ = plan_.steps;
  const CardData card_data_ = read_card_data(settings_.dataset_dir);
  RunListener& listener_;
  NoticeOnce& notice_;
  TrainingSignals& signals_;
  GiveUp give_up_ = [this] { return signals_.gives_up(); };
  std::unique_ptr<Engine> engine_;
  CheckpointOrigin origin_;
  std::optional<CheckpointWriter> writer_;
  std::optional<WeightAverage> average_;  // with AVERAGE_SHARE
  TrainerState state_;
  StepBatches batches_;
  std::vector<StepWalks> rooms_;     // for the current step, and for the next where that is queued meanwhile
  std::deque<PlannedStep> planned_;  // not done yet; more than one, or one between two steps, are queued in the engine
  std::optional<Evaluator> evaluator_;
  std::optional<Evaluation> evaluation_;  // after the current step
  std::vector<double> losses_;            // of each walk of the current step
  std::vector<float> micro_batch_losses_;
  double norm_ = 0.0, rate_ = 0.0;                 // gradient norm and learning rate of the current step
  std::map<Learning, std::vector<double>> flops_;  // of training on a walk, by its length; 0 until it was asked for
  std::int64_t written_step_ = 0;                  // of the newest checkpoint on the disk; 0: there is none
  std::int64_t saved_step_ = 0;                    // of the newest checkpoint that was begun
  double step_seconds_ = 0.0;                      // of the last step; 0: there was none
  double evaluation_seconds_ = 0.0;
  std::int64_t reported_model_ = -1;  // step of the last RunListener::on_model
  bool warned_of_divergence_ = false;
  Clock::time_point began_ = Clock::now();
  WallClock wall_;
};

}  // namespace strider
