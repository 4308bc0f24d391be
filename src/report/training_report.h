#pragma once
// A training run on screen: a summary before it, its progress, its evaluations and checkpoints, and where things are
// after it.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "report/progress.h"
#include "report/screen.h"

namespace strider {

struct TrainingSummary {
  std::string config, dataset_dir, output_dir;
  std::int64_t hidden_size = 0, layers = 0, heads = 0, key_value_heads = 0, intermediate_size = 0, vocab_size = 0;
  std::int64_t parameters = 0, embedding_parameters = 0;
  std::int64_t train_walks = 0, validation_walks = 0;
  std::int64_t tokens_per_epoch = 0, max_length = 0;
  std::int64_t max_steps = 0, steps_per_epoch = 0, walks_per_step = 0;
  std::int64_t eval_steps = 0;
  std::string schedule;             // "linear, 50 steps of warmup, peak 0.0005"
  std::string loss_denominator;     // "predictions" or "labels"
  std::string precision;            // "float32" or "bfloat16"
  std::optional<double> best_loss;  // that any model can reach, nats per predicted token
  std::uint64_t memory_bytes = 0, memory_limit = 0;
  std::string device;  // a line: why this processor or that one
  std::string processor, vectors;
  int threads = 1;
  double peak_flops = 0.0;  // a second, of all threads
  double flops_per_epoch = 0.0;
  std::int64_t first_step = 0;  // above 0 when the run goes on
  std::string resumed_from;     // the checkpoint's name, or empty
};

struct StepFigures {
  std::int64_t step = 0;  // steps done
  double loss = 0.0, loss_per_prediction = 0.0;
  double tokens = 0.0, flops = 0.0, seconds = 0.0;
};

struct TrainingEnd {
  std::string final_model, output_dir, best_checkpoint;
  std::int64_t steps = 0;
  double seconds = 0.0;
  std::optional<double> eval_loss, eval_per_prediction, best_loss;
  std::vector<std::pair<std::string, double>> wall_seconds;  // of this sitting, by what they went to
};

class TrainingReport {
 public:
  using Clock = Screen::Clock;
  TrainingReport(Screen& screen) : screen_(screen) {}

  void start(const TrainingSummary& summary);
  void step(const StepFigures& figures, Clock::time_point now);
  /// After the step that it belongs to: the mean loss since the last one, and what else a log line tells.
  void log(double loss, double learning_rate, double grad_norm);
  /// After an evaluation that ended at `now`.
  void evaluation(std::int64_t step, double loss, double loss_per_prediction, Clock::time_point now);
  void checkpoint(std::int64_t step, const std::string& folder, Clock::time_point now);
  void notice(const std::string& text);
  void end(const TrainingEnd& end);

 private:
  ProgressFigures figures(double loss, double loss_per_prediction) const;
  double seconds_left() const;
  std::optional<double> excess(double loss_per_prediction) const;

  Screen& screen_;
  TrainingSummary summary_;
  SpeedMeter speed_;
  std::int64_t step_ = 0;
  double per_prediction_since_log_ = 0.0;
  std::int64_t steps_since_log_ = 0;
  double evaluation_seconds_ = 0.0;  // of the last one
  std::optional<Clock::time_point> last_event_;
};

}  // namespace strider
