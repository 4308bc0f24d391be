#include "train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/machine.h"
#include "data/epoch_order.h"
#include "io/atomic_file.h"
#include "model/folder.h"
#include "train/evaluation.h"
#include "train/run_folder.h"
#include "train/walk_batch.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

// A float32 result as Python shows it: torch gives its figures in single precision.
double as_float(double value) {
  return static_cast<double>(static_cast<float>(value));
}

double rounded(double value, int digits) {
  const double scale = std::pow(10.0, digits);
  return std::nearbyint(value * scale) / scale;
}

EngineSettings engine_settings(const TrainingSettings& settings, const WalkDataset& dataset) {
  std::int64_t most = settings.batch_size * settings.gradient_accumulation_steps;
  if (dataset.validation) most = std::max(most, Evaluator::walks_at_once(settings));
  return {settings.threads, settings.max_length, most};
}

void check_save_steps(const TrainingSettings& settings, const WalkDataset& dataset) {
  if (!dataset.validation || settings.save_steps % settings.eval_steps == 0) return;
  throw Error(fmt::format("--save_steps (SAVE_STEPS) is {}, it must be a multiple of --eval_steps (EVAL_STEPS), {}",
                          settings.save_steps, settings.eval_steps),
              {.file = {},
               .place = {},
               .advice = "Otherwise the weights with the lowest evaluation loss may not be among the saved ones."});
}

std::uint64_t memory_needed(const TrainingSettings& settings, const LlamaConfig& config, const WalkDataset& dataset) {
  const EngineSettings engine = engine_settings(settings, dataset);
  const auto ids = static_cast<std::uint64_t>(engine.walks_per_step * settings.max_length) * sizeof(std::int32_t);
  const auto order = static_cast<std::uint64_t>(dataset.train.size()) * sizeof(std::int64_t);
  const ParameterLayout layout(config);
  const auto initial = static_cast<std::uint64_t>(layout.total()) * sizeof(float);
  return Engine::memory_bytes(config, engine) + 2 * ids + order + initial;
}

void check_memory(const TrainingSettings& settings, const LlamaConfig& config, const WalkDataset& dataset,
                  std::uint64_t needed, std::uint64_t available) {
  if (needed <= available) return;
  TrainingSettings smaller = settings;
  while (smaller.threads > 1 && memory_needed(smaller, config, dataset) > available) smaller.threads -= 1;
  const bool fits = memory_needed(smaller, config, dataset) <= available;
  throw Error(fmt::format("the run needs {} MB of memory, {} MB can be had", needed >> 20, available >> 20),
              {.file = {},
               .place = {},
               .advice = fits ? fmt::format("It fits with THREADS={}.", smaller.threads)
                              : std::string("Use a smaller model, a shorter MAX_LENGTH or a smaller BATCH_SIZE (with "
                                            "GRAD_ACCUM to keep the step), or a machine with more memory.")});
}

std::vector<float> initial_weights(const TrainingSettings& settings, const LlamaConfig& config,
                                   const ParameterLayout& layout) {
  std::vector<float> values(static_cast<std::size_t>(layout.total()));
  if (settings.init_from) {
    read_weights(*settings.init_from, layout, values);
  } else {
    initialize_parameters(config, layout, settings.seed, values);
  }
  return values;
}

// One run: the state that the steps share.
class Run {
 public:
  Run(const TrainingSettings& settings, const WalkDataset& dataset, const LlamaConfig& config, const StepPlan& plan,
      nlohmann::json shaping, TrainingObserver& observer)
      : settings_(settings),
        dataset_(dataset),
        plan_(plan),
        shaping_(std::move(shaping)),
        observer_(observer),
        engine_(config, engine_settings(settings, dataset)),
        batch_(settings.batch_size * settings.gradient_accumulation_steps, settings.max_length),
        losses_(static_cast<std::size_t>(settings.batch_size * settings.gradient_accumulation_steps)) {
    if (dataset.validation) evaluator_.emplace(*dataset.validation, settings);
  }

  void start(std::span<const float> weights) { engine_.set_parameters(weights); }

  void resume(const Checkpoint& checkpoint) {
    state_ = checkpoint.state;
    engine_.set_parameters(checkpoint.parameters);
    engine_.set_optimizer_state(checkpoint.first_moments, checkpoint.second_moments, state_.global_step);
    saved_step_ = state_.global_step;
  }

  const TrainerState& state() const { return state_; }
  double seconds() const { return state_.seconds + seconds_since(began_); }

  // Steps until the end or a signal; returns the signal's number or 0.
  int run(TrainingSignals& signals) {
    while (state_.global_step < plan_.max_steps) {
      step();
      const bool last = state_.global_step == plan_.max_steps;
      if (evaluator_ && state_.global_step % settings_.eval_steps == 0) evaluate();
      const int stop = signals.stop.load();
      if (last || stop != 0 || signals.checkpoint.exchange(false) || state_.global_step % settings_.save_steps == 0)
        save();
      if (stop != 0 && !last) return stop;
    }
    if (saved_step_ != state_.global_step) save();
    return 0;
  }

  // Writes final_model with the best weights, and the whole log.
  fs::path finish() {
    const ParameterLayout& layout = engine_.layout();
    std::vector<float> best(engine_.parameters().begin(), engine_.parameters().end());
    if (!state_.best_model_checkpoint.empty()) {
      read_weights(settings_.output_dir / state_.best_model_checkpoint, layout, best);
    }
    const fs::path place = settings_.output_dir / "final_model";
    AtomicFolder folder(place);
    write_model(folder.path(), engine_.config(), layout, best);
    write_tokenizer(folder.path(), engine_.config().vocab_size);
    folder.commit();
    log_end();
    write_file_atomically(settings_.output_dir / "trainer_state.json", trainer_state_json(state_, settings_, plan_));
    return place;
  }

 private:
  // Forward, backward, update of one optimizer step over all its micro-batches, and what is told of it.
  void step() {
    const auto began = Clock::now();
    const StepPlace place = place_of_step(plan_, settings_, state_.global_step);
    load(place);
    const std::span<const WalkView> walks = batch_.walks();
    const double denominator = std::max(1.0, denominator_of(walks, settings_.loss_denominator));
    engine_.forward_backward(walks, denominator, losses_);
    double sum = 0.0;
    for (std::size_t i = 0; i < walks.size(); ++i) sum += losses_[i];
    const double norm = engine_.gradient_norm();
    if (!std::isfinite(sum) || !std::isfinite(norm)) stop_on_broken_numbers();
    const double rate = learning_rate_at(settings_, plan_.max_steps, state_.global_step);
    engine_.update(rate, settings_.max_grad_norm, {.weight_decay = settings_.weight_decay});

    state_.loss_since_log += micro_batch_losses(denominator);
    state_.global_step += 1;
    state_.epoch = place.epoch_after;
    const ParameterLayout& layout = engine_.layout();
    const auto padded = static_cast<double>(walks.size()) * static_cast<double>(settings_.max_length);
    state_.total_flos += 6.0 * padded * static_cast<double>(layout.total() - layout.tensors().front().size);
    tell_step(sum, denominator, seconds_since(began));
    if (state_.global_step % settings_.logging_steps == 0) log(norm, rate);
  }

  void load(const StepPlace& place) {
    if (order_epoch_ != place.epoch) {
      order_ = epoch_order(plan_.walks, settings_.seed, place.epoch);
      order_epoch_ = place.epoch;
    }
    batch_.clear();
    const std::int64_t last = std::min(plan_.walks, place.last_batch * settings_.batch_size);
    for (std::int64_t i = place.first_batch * settings_.batch_size; i < last; ++i) {
      batch_.add(dataset_.train, order_[static_cast<std::size_t>(i)]);
    }
  }

  // The step's loss as torch adds it up: each micro-batch's in float32.
  float micro_batch_losses(double denominator) const {
    float total = 0.0F;
    const std::size_t walks = batch_.walks().size();
    const auto size = static_cast<std::size_t>(settings_.batch_size);
    for (std::size_t begin = 0; begin < walks; begin += size) {
      double sum = 0.0;
      for (std::size_t i = begin; i < std::min(walks, begin + size); ++i) sum += losses_[i];
      total += static_cast<float>(sum / denominator);
    }
    return total;
  }

  void tell_step(double sum, double denominator, double seconds) const {
    StepFacts facts;
    facts.step = state_.global_step;
    facts.loss = sum / denominator;
    facts.loss_per_prediction = sum / std::max(1.0, denominator_of(batch_.walks(), LossDenominator::kPredictions));
    for (const WalkView walk : batch_.walks()) {
      facts.tokens += static_cast<std::int64_t>(walk.size());
      facts.flops += Engine::training_flops(engine_.config(), static_cast<std::int64_t>(walk.size()));
    }
    facts.seconds = seconds;
    observer_.on_step(facts);
  }

  void log(double norm, double rate) {
    const auto steps = static_cast<double>(state_.global_step - state_.last_logged_step);
    const auto loss = static_cast<double>(state_.loss_since_log);
    LogEntry entry;
    entry.step = state_.global_step;
    entry.values = {{"loss", rounded(loss / steps, 4)},
                    {"grad_norm", as_float(norm)},
                    {"learning_rate", rate},
                    {"epoch", state_.epoch}};
    state_.loss_total += loss;
    state_.loss_since_log = 0.0F;
    state_.last_logged_step = state_.global_step;
    state_.log_history.push_back(entry);
    observer_.on_log(entry);
  }

  void evaluate() {
    const Evaluation result = evaluator_->run(engine_);
    const double loss = as_float(result.loss);
    LogEntry entry;
    entry.step = state_.global_step;
    entry.values = {{"eval_loss", loss},
                    {"eval_runtime", rounded(result.seconds, 4)},
                    {"eval_samples_per_second", rounded(static_cast<double>(result.walks) / result.seconds, 3)},
                    {"eval_steps_per_second", rounded(static_cast<double>(result.batches) / result.seconds, 3)},
                    {"epoch", state_.epoch}};
    state_.log_history.push_back(entry);
    if (!state_.best_metric || loss < *state_.best_metric) {
      state_.best_metric = loss;
      state_.best_global_step = state_.global_step;
    }
    observer_.on_evaluation(state_.global_step, loss, result.loss_per_prediction);
  }

  void save() {
    // The best evaluation is one of a step that is saved too; until its folder stands there, the one before it counts.
    const std::string name = checkpoint_name(state_.global_step);
    if (state_.best_metric && state_.best_global_step == state_.global_step) state_.best_model_checkpoint = name;
    TrainerState saved = state_;
    saved.seconds = seconds();
    write_checkpoint(settings_.output_dir, engine_, saved, settings_, plan_, shaping_);
    saved_step_ = state_.global_step;
    rotate_checkpoints(settings_.output_dir, settings_.save_total_limit, state_.best_model_checkpoint);
    observer_.on_checkpoint(settings_.output_dir / name);
  }

  void log_end() {
    const double runtime = seconds();
    const auto samples = static_cast<double>(plan_.max_steps) / static_cast<double>(plan_.steps_per_epoch) *
                         static_cast<double>(plan_.walks);
    const double total = state_.loss_total + static_cast<double>(state_.loss_since_log);
    LogEntry entry;
    entry.step = state_.global_step;
    entry.values = {{"train_runtime", rounded(runtime, 4)},
                    {"train_samples_per_second", rounded(samples / runtime, 3)},
                    {"train_steps_per_second", rounded(static_cast<double>(plan_.max_steps) / runtime, 3)},
                    {"total_flos", state_.total_flos},
                    {"train_loss", total / static_cast<double>(state_.global_step)},
                    {"epoch", state_.epoch}};
    state_.log_history.push_back(entry);
  }

  [[noreturn]] void stop_on_broken_numbers() const {
    std::string ids;
    for (std::size_t i = 0; i < batch_.walks().size(); ++i) {
      const std::int64_t id = dataset_.train.walk_id(batch_.row(i));
      const bool broken = !std::isfinite(losses_[i]);
      if (i < 20 || broken) ids += fmt::format("{}{}{}", ids.empty() ? "" : " ", id, broken ? "!" : "");
    }
    const std::string kept = saved_step_ > 0 ? fmt::format("checkpoint-{} is kept.", saved_step_)
                                             : std::string("No checkpoint was written yet.");
    throw Error(fmt::format("the loss or the gradient of step {} is not a finite number", state_.global_step + 1),
                {.file = settings_.output_dir.string(),
                 .place = fmt::format("walk_id of its walks: {} (! where the loss itself is broken)", ids),
                 .advice = kept + " Lower LEARNING_RATE, raise WARMUP_STEPS, or lower MAX_GRAD_NORM, and start anew."});
  }

  const TrainingSettings& settings_;
  const WalkDataset& dataset_;
  StepPlan plan_;
  nlohmann::json shaping_;
  TrainingObserver& observer_;
  Engine engine_;
  TrainerState state_;
  WalkBatch batch_;
  std::vector<double> losses_;
  std::optional<Evaluator> evaluator_;
  std::vector<std::int64_t> order_;
  std::int64_t order_epoch_ = -1;
  std::int64_t saved_step_ = 0;
  Clock::time_point began_ = Clock::now();
};

RunFacts facts_of(const LlamaConfig& config, const StepPlan& plan, const TrainingSettings& settings,
                  const WalkDataset& dataset) {
  const ParameterLayout layout(config);
  RunFacts facts;
  facts.config = config;
  facts.parameters = layout.total();
  facts.embedding_parameters = layout.total() - layout.non_embedding();
  facts.plan = plan;
  facts.validation_walks = dataset.validation ? dataset.validation->size() : 0;
  facts.tokens_per_epoch = dataset.train.tokens(settings.max_length);
  facts.best_loss = dataset.vocab.best_loss;
  facts.memory_bytes = memory_needed(settings, config, dataset);
  facts.memory_limit = memory_limit_bytes();
  return facts;
}

}  // namespace

TrainingOutcome train(const TrainingSettings& settings, TrainingObserver& observer, TrainingSignals& signals) {
  check_settings(settings);
  const WalkDataset dataset = open_dataset(settings.dataset_dir);
  check_save_steps(settings, dataset);
  const LlamaConfig config = read_config(settings.config, dataset.vocab.vocab_size);
  const ParameterLayout layout(config);
  const StepPlan plan = plan_steps(dataset.train.size(), settings);
  RunFacts facts = facts_of(config, plan, settings, dataset);
  check_memory(settings, config, dataset, facts.memory_bytes, facts.memory_limit);
  const std::vector<float> weights = initial_weights(settings, config, layout);
  const nlohmann::json shaping = shaping_settings(settings, config, dataset, weights);

  EarlierRun earlier;
  if (settings.overwrite) {
    remove_earlier_run(settings.output_dir);
  } else {
    earlier = find_earlier_run(settings, layout, plan, shaping);
  }
  for (const std::string& notice : earlier.passed_over) observer.on_notice(notice);
  if (earlier.checkpoint && !settings.resume && !earlier.finished) {
    throw Error("a run that was interrupted stands in the output folder",
                {.file = settings.output_dir.string(),
                 .place = earlier.name,
                 .advice = "RESUME=auto goes on with it, OVERWRITE=true replaces it."});
  }
  TrainingOutcome outcome;
  outcome.best_loss = dataset.vocab.best_loss;
  outcome.final_model = settings.output_dir / "final_model";
  if (earlier.finished) {
    outcome.already_finished = true;
    outcome.steps = earlier.checkpoint->state.global_step;
    outcome.final_eval_loss = earlier.checkpoint->state.best_metric;
    outcome.best_checkpoint = earlier.checkpoint->state.best_model_checkpoint;
    return outcome;
  }

  Run run(settings, dataset, config, plan, shaping, observer);
  if (earlier.checkpoint) {
    run.resume(*earlier.checkpoint);
    facts.first_step = earlier.checkpoint->state.global_step;
    facts.resumed_from = earlier.name;
    earlier.checkpoint.reset();
  } else {
    run.start(weights);
  }
  observer.on_start(facts);
  outcome.stopped_by = run.run(signals);
  if (outcome.stopped_by == 0) outcome.final_model = run.finish();
  outcome.steps = run.state().global_step;
  outcome.final_eval_loss = run.state().best_metric;
  outcome.best_checkpoint = run.state().best_model_checkpoint;
  outcome.seconds = run.seconds();
  return outcome;
}

}  // namespace strider
