#pragma once
// What happens in a training run, as typed facts, and who listens: the screen, metrics.jsonl and TensorBoard's event
// files (report/), tests, and whatever comes. The run (train/) fills in each fact once; no listener copies it into a
// struct of its own.
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/companions.h"
#include "model/config.h"

namespace strider {

/// Before the first step of a sitting. Lengths are in tokens, losses in nats.
struct RunStarted {
  std::string config, dataset_dir, output_dir;
  std::int64_t hidden_size = 0, layers = 0, heads = 0, key_value_heads = 0, intermediate_size = 0, vocab_size = 0;
  std::int64_t parameters = 0, embedding_parameters = 0;
  std::int64_t train_walks = 0, validation_walks = 0;
  std::int64_t tokens_per_epoch = 0, max_length = 0;  // tokens after the cut at max_length
  std::int64_t max_steps = 0, steps_per_epoch = 0, walks_per_step = 0;
  std::int64_t eval_steps = 0;
  double learning_rate = 0.0;
  std::string schedule;             // "linear, peak 0.0005, 50 steps of warmup"
  std::string loss_denominator;     // "predictions" or "labels"
  std::string precision;            // "float32" or "bfloat16"
  std::optional<double> best_loss;  // that any model can reach, per predicted token
  std::uint64_t memory_bytes = 0, memory_limit = 0;
  std::string processor, vectors;
  int threads = 1;          // of each rank
  int ranks = 1;            // processes that share the run
  double peak_flops = 0.0;  // per second, of all threads of all ranks, taken for equal
  double flops_per_epoch = 0.0;
  std::int64_t first_step = 0;      // steps done; above 0 when the run goes on
  std::string resumed_from;         // the checkpoint's name, or empty
  bool evaluation_pending = false;  // the evaluation of first_step is made first

  /// Seconds of the steps to come, and of their evaluations (the forward third of training on as many tokens), if all
  /// arithmetic ran at peak_flops. In float32 steps reach 73 to 93% of it.
  double arithmetic_seconds_of_steps() const {
    return flops_per_epoch * static_cast<double>(max_steps - first_step) / static_cast<double>(steps_per_epoch) /
           peak_flops;
  }
  double arithmetic_seconds_of_evaluations() const {
    if (validation_walks == 0 || eval_steps == 0) return 0.0;
    const auto evaluations = static_cast<double>(max_steps / eval_steps - first_step / eval_steps);
    const double walks = static_cast<double>(validation_walks) / static_cast<double>(train_walks);
    return evaluations * walks * flops_per_epoch / 3.0 / peak_flops;
  }
};

struct StepDone {
  std::int64_t step = 0;           // steps done
  double loss = 0.0;               // of this step, in the run's own denominator
  double loss_per_prediction = 0;  // mean over predicted tokens
  std::int64_t tokens = 0;
  double flops = 0.0;  // by the field's formula
  double seconds = 0.0;
  std::int64_t last_step = 0;                      // of the run, as far as is known now: MAX_MINUTES moves it
  std::span<const float> micro_batch_losses = {};  // their sum is the loss; valid during the call
  std::span<const std::int64_t> walk_ids = {};     // in the order in which they were taken; valid during the call
};

/// Means over the steps since the last one, and the last step's learning rate and gradient norm.
struct Logged {
  std::int64_t step = 0;
  double epoch = 0.0;
  double loss = 0.0;                               // as trainer_state.json has it
  std::optional<double> loss_per_prediction = {};  // not known after a resume from a checkpoint of an earlier version
  double grad_norm = 0.0;
  double learning_rate = 0.0;
  std::optional<std::int64_t> tokens = {};  // seen since the first step of the run; not known as above
};

struct Evaluated {
  std::int64_t step = 0;
  double epoch = 0.0;
  double loss = 0.0, loss_per_prediction = 0.0;
  double seconds = 0.0;
};

/// A tensor of the model by its Hugging Face name: its values after a step, and the step's gradient before clipping.
struct TensorValues {
  std::string_view name;
  std::span<const float> weights, gradient;
};

/// Where HISTOGRAM_STEPS asks for them, after the StepDone of the same step.
struct WeightsAndGradients {
  std::int64_t step = 0;
  std::span<const TensorValues> tensors = {};  // valid during the call
};

/// The model as it is after a step, where REPRESENTATION_STEPS or GEOMETRY_STEPS asks for it: before the first step
/// (0), at its multiples, and after the last one. After the StepDone of the same step.
struct ModelReached {
  std::int64_t step = 0;
  const LlamaConfig& config;
  const ModelCompanions& companions;       // the vocabulary, and which tokens training never sees
  std::span<const float> parameters = {};  // in the order of ParameterLayout(config); valid during the call
  bool wants_representations = false, wants_geometry = false;
  bool processors_are_free = false;  // the run goes on on another device meanwhile
};

/// How much of the graph is in one array of representations: its measures by name, as strider measure writes them.
/// Those that are not defined are left out.
struct ArrayGeometry {
  std::string array;  // "layer_3_after_block"
  std::vector<std::pair<std::string, double>> measures;
};

/// After the ModelReached that it is of: at once, or where the processors are free before the next ModelReached and
/// before the next checkpoint is written.
struct GeometryMeasured {
  std::int64_t step = 0;
  std::vector<ArrayGeometry> arrays;
  double seconds = 0.0;  // that it took
};

/// A checkpoint that is whole on the disk, which may be steps later.
struct CheckpointWritten {
  std::int64_t step = 0;
  std::string folder;
};

struct RunEnded {
  std::string final_model, output_dir;
  std::int64_t steps = 0;
  double seconds = 0.0;                  // trained, over all sittings
  std::string best_checkpoint;           // whose weights final_model has; empty: those of the last step
  std::int64_t averaged_steps = 0;       // above 0: it has the mean of the weights after so many steps instead
  std::int64_t last_evaluated_step = 0;  // the last one whose weights could become final_model
  std::optional<double> eval_loss, eval_per_prediction, best_loss;  // of the weights in final_model
  std::vector<std::pair<std::string, double>> wall_seconds;         // of this sitting, by what they went to
};

/// Called from the thread that trains.
class RunListener {
 public:
  RunListener() = default;
  virtual ~RunListener() = default;
  RunListener(const RunListener&) = default;
  RunListener& operator=(const RunListener&) = default;

  /// Before anything in the output folder is changed: throws where the listener will not be able to do its part.
  virtual void check(const std::string& /*output_dir*/) {}
  virtual void on_start(const RunStarted&) {}
  virtual void on_step(const StepDone&) {}
  virtual void on_weights(const WeightsAndGradients&) {}
  virtual void on_model(const ModelReached&) {}
  virtual void on_geometry(const GeometryMeasured&) {}
  virtual void on_log(const Logged&) {}
  virtual void on_evaluation(const Evaluated&) {}
  virtual void on_checkpoint(const CheckpointWritten&) {}
  virtual void on_notice(const std::string& /*text*/) {}
  virtual void on_end(const RunEnded&) {}

  /// Before a checkpoint is written, and before the run ends or stops: what is still being computed has to be finished
  /// and reported, so that a run that goes on from there misses nothing.
  virtual void finish_pending() {}
};

/// Passes every event on to several listeners, in their order.
class RunListeners : public RunListener {
 public:
  explicit RunListeners(std::vector<RunListener*> listeners) : listeners_(std::move(listeners)) {}

  void check(const std::string& output_dir) override { pass_on(&RunListener::check, output_dir); }
  void on_start(const RunStarted& event) override { pass_on(&RunListener::on_start, event); }
  void on_step(const StepDone& event) override { pass_on(&RunListener::on_step, event); }
  void on_weights(const WeightsAndGradients& event) override { pass_on(&RunListener::on_weights, event); }
  void on_model(const ModelReached& event) override { pass_on(&RunListener::on_model, event); }
  void on_geometry(const GeometryMeasured& event) override { pass_on(&RunListener::on_geometry, event); }
  void on_log(const Logged& event) override { pass_on(&RunListener::on_log, event); }
  void on_evaluation(const Evaluated& event) override { pass_on(&RunListener::on_evaluation, event); }
  void on_checkpoint(const CheckpointWritten& event) override { pass_on(&RunListener::on_checkpoint, event); }
  void on_notice(const std::string& text) override { pass_on(&RunListener::on_notice, text); }
  void on_end(const RunEnded& event) override { pass_on(&RunListener::on_end, event); }
  void finish_pending() override {
    for (RunListener* const listener : listeners_) listener->finish_pending();
  }

 private:
  template <typename Event>
  void pass_on(void (RunListener::*handler)(const Event&), const Event& event) {
    for (RunListener* const listener : listeners_) (listener->*handler)(event);
  }

  std::vector<RunListener*> listeners_;
};

}  // namespace strider
