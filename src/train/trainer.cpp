#include "train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/machine.h"
#include "engine/precision_trial.h"
#include "io/atomic_file.h"
#include "model/folder.h"
#include "train/batches.h"
#include "train/checkpoint_writer.h"
#include "train/companions.h"
#include "train/evaluation.h"
#include "train/log.h"
#include "train/memory.h"
#include "train/run_folder.h"
#include "train/run_lock.h"
#include "train/start.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

/// Gives notices to the observer, each once in a run: most come back with every checkpoint.
class NoticeOnce {
 public:
  explicit NoticeOnce(TrainingObserver& observer) : observer_(observer) {}
  void operator()(const Notices& notices) {
    for (const std::string& text : notices.texts()) {
      if (given_.add(text)) observer_.on_notice(text);
    }
  }

 private:
  TrainingObserver& observer_;
  Notices given_;
};

// One run: each step takes the next walks, goes forward and backward over them and updates the weights; every few
// steps it logs, evaluates and saves; at the end the best saved weights become the final model.
class Run {
 public:
  Run(const TrainingSettings& settings, const WalkDataset& dataset, const LlamaConfig& config, const StepPlan& plan,
      const nlohmann::json& shaping, const ModelCompanions& companions, TrainingObserver& observer, NoticeOnce& notice,
      TrainingSignals& signals)
      : settings_(settings),
        plan_(plan),
        shaping_(shaping),
        observer_(observer),
        notice_(notice),
        signals_(signals),
        engine_(make_engine(config, engine_settings(settings, config, dataset))),
        origin_{settings, engine_->config(), engine_->layout(), plan_, shaping, companions},
        writer_(std::in_place, origin_, *engine_,
                [this](std::int64_t step, const Notices& notices) { on_checkpoint(step, notices); }),
        batches_(dataset.train, settings, plan) {
    const auto most = static_cast<std::size_t>(most_walks_of_a_step(settings, dataset.train));
    losses_.resize(most);
    micro_batch_losses_.reserve(most);
    flops_.resize(static_cast<std::size_t>(settings.max_length) + 1);
    if (dataset.validation) evaluator_.emplace(*dataset.validation, settings);
  }

  void start(std::span<const float> weights) { engine_->set_parameters(weights); }

  void resume(const Checkpoint& checkpoint) {
    state_ = checkpoint.state;
    engine_->set_parameters(checkpoint.parameters);
    for (const NamedState& state : checkpoint.optimizer) engine_->set_optimizer_state(state.name, state.values);
    engine_->set_updates(state_.global_step);
    written_step_ = saved_step_ = state_.global_step;
  }

  /// Steps until the end or a signal; returns the signal's number or 0.
  int run() {
    wall_.start();
    if (state_.evaluation_pending) {
      if (const int stop = after_step()) return stop;
    }
    while (state_.global_step < plan_.max_steps) {
      if (const int stop = signals_.stop.load()) return stop_here(stop);
      if (!step()) return stop_here(signals_.stop.load());
      writer_->poll();
      wall_.lap(&WallTime::checkpoints);
      if (state_.global_step % settings_.logging_steps == 0) observer_.on_log(log_training(state_, norm_, rate_));
      wall_.lap(&WallTime::logging);
      if (const int stop = after_step()) return stop;
    }
    return 0;
  }

  /// Writes final_model with the best weights, the whole log, and that the run is finished.
  FinishedRun finish() {
    writer_->wait();
    writer_.reset();  // gives its copy's memory back
    FinishedRun finished{state_.global_step, seconds(), state_.best_checkpoint};
    // A sitting that ended between the last checkpoint and this has left one too many.
    notice_(rotate_checkpoints(settings_.output_dir, state_, rotation_rule(settings_, plan_)));
    notice_(forget_finished_run(settings_.output_dir));
    write_final_model();
    wall_.lap(&WallTime::checkpoints);
    log_end(state_, plan_, settings_, finished.seconds);
    notice_(write_file_atomically(settings_.output_dir / "trainer_state.json",
                                  trainer_state_json(state_, settings_, plan_)));
    notice_(write_finished_run(settings_.output_dir, finished, shaping_));
    wall_.lap(&WallTime::logging);
    return finished;
  }

  const TrainerState& state() const { return state_; }
  double seconds() const { return state_.seconds + seconds_since(began_); }
  const WallTime& wall_time() const { return wall_.time(); }

 private:
  // Evaluates and saves where it is time to; returns the number of a signal that asked for a stop, or 0.
  int after_step() {
    evaluation_.reset();
    if (evaluator_ && state_.global_step % settings_.eval_steps == 0) {
      state_.evaluation_pending = !evaluate();
      if (state_.evaluation_pending) return stop_here(signals_.stop.load());
    }
    const bool last = state_.global_step == plan_.max_steps;
    const bool scheduled = last || state_.global_step % settings_.save_steps == 0;
    const int stop = signals_.stop.load();
    if (scheduled) keep_if_best();
    if (scheduled || signals_.checkpoint.exchange(false) || stop != 0) save();
    if (stop != 0 && !last) writer_->wait();
    wall_.lap(&WallTime::checkpoints);
    return last ? 0 : stop;
  }

  // With the state of the last whole step on the disk.
  int stop_here(int stop) {
    if (state_.global_step > 0 && (saved_step_ != state_.global_step || state_.evaluation_pending)) save();
    writer_->wait();
    wall_.lap(&WallTime::checkpoints);
    return stop;
  }

  // For whoever acknowledges a signal.
  void begin(Activity activity, double expected_seconds) {
    signals_.expected.store(static_cast<std::int64_t>(expected_seconds * 1e9));
    signals_.began_at.store(steady_nanoseconds());
    signals_.activity.store(activity);
  }

  // False where it was given up.
  bool step() {
    const auto began = Clock::now();
    begin(Activity::kStep, step_seconds_);
    batches_.load(state_.global_step);
    const std::span<const WalkView> walks = batches_.walks();
    // A step without a single predicted token has nothing to be divided.
    const double denominator = std::max(1.0, denominator_of(walks, settings_.loss_denominator));
    const std::span<double> losses = std::span(losses_).first(walks.size());
    if (!engine_->forward_backward(walks, denominator, losses, give_up_)) return false;
    norm_ = engine_->gradient_norm();
    rate_ =
        learning_rate_at(settings_, plan_.max_steps - plan_.schedule_start, state_.global_step - plan_.schedule_start);
    refuse_broken_numbers(losses);
    engine_->update(rate_, settings_.max_grad_norm);
    state_.global_step += 1;
    state_.epoch = batches_.place().epoch_after;
    state_.total_flos += padded_flops();
    add_up(losses, denominator);
    wall_.lap(&WallTime::steps);
    step_seconds_ = seconds_since(began);
    tell(losses, denominator, step_seconds_);
    wall_.lap(&WallTime::logging);
    return true;
  }

  // As torch adds up: each micro-batch's loss is a float32, and so is their sum since the last log entry.
  void add_up(std::span<const double> losses, double denominator) {
    micro_batch_losses_.clear();
    for (std::size_t begin = 0; begin < losses.size(); begin += static_cast<std::size_t>(settings_.batch_size)) {
      const std::size_t end = std::min(losses.size(), begin + static_cast<std::size_t>(settings_.batch_size));
      double sum = 0.0;
      for (std::size_t i = begin; i < end; ++i) sum += losses[i];
      micro_batch_losses_.push_back(static_cast<float>(sum / denominator));
      state_.loss_since_log += micro_batch_losses_.back();
    }
  }

  // transformers' estimate (floating_point_ops): six operations a token and parameter but the embedding's, where walks
  // are padded to the length that they are cut at.
  double padded_flops() const {
    const ParameterInfo& embedding = engine_->layout().tensors().front();
    const auto tokens = static_cast<double>(batches_.walks().size()) * static_cast<double>(settings_.max_length);
    return 6.0 * tokens * static_cast<double>(engine_->layout().total() - embedding.size);
  }

  void tell(std::span<const double> losses, double denominator, double seconds) {
    StepFacts facts;
    double sum = 0.0;
    for (const double loss : losses) sum += loss;
    for (const WalkView walk : batches_.walks()) {
      facts.tokens += static_cast<std::int64_t>(walk.size());
      facts.flops += flops_of(walk.size());
    }
    facts.step = state_.global_step;
    facts.loss = sum / denominator;
    facts.loss_per_prediction = sum / std::max(1.0, denominator_of(batches_.walks(), LossDenominator::kPredictions));
    facts.seconds = seconds;
    facts.micro_batch_losses = micro_batch_losses_;
    facts.walk_ids = batches_.walk_ids();
    observer_.on_step(facts);
  }

  double flops_of(std::size_t length) {
    if (flops_[length] == 0.0) {
      flops_[length] = training_flops(engine_->config(), static_cast<std::int64_t>(length));
    }
    return flops_[length];
  }

  // False where it was given up.
  bool evaluate() {
    begin(Activity::kEvaluation, evaluation_seconds_);
    evaluation_ = evaluator_->run(*engine_, give_up_);
    wall_.lap(&WallTime::evaluation);
    if (!evaluation_) return false;
    evaluation_seconds_ = evaluation_->seconds;
    log_evaluation(state_, *evaluation_);
    observer_.on_evaluation(state_.global_step, evaluation_->loss, evaluation_->loss_per_prediction);
    wall_.lap(&WallTime::logging);
    return true;
  }

  // Only where the settings ask for a checkpoint, so that one that a signal asked for changes no result.
  void keep_if_best() {
    if (!evaluation_ || (state_.best_checkpoint && evaluation_->loss >= state_.best_checkpoint->loss)) return;
    state_.best_checkpoint = {checkpoint_name(state_.global_step), evaluation_->loss, evaluation_->loss_per_prediction};
  }

  void save() {
    begin(Activity::kSaving, 0.0);
    saved_step_ = state_.global_step;
    TrainerState saved = state_;
    saved.seconds = seconds();
    writer_->save(*engine_, saved);
  }

  void on_checkpoint(std::int64_t step, const Notices& notices) {
    written_step_ = step;
    observer_.on_checkpoint(step, settings_.output_dir / checkpoint_name(step));
    notice_(notices);
  }

  void write_final_model() {
    std::vector<float> best = engine_->parameters();
    if (state_.best_checkpoint) {
      const fs::path folder = settings_.output_dir / state_.best_checkpoint->name;
      check_checkpoint(folder);
      read_weights(folder, engine_->layout(), best);
    }
    AtomicFolder folder(settings_.output_dir / "final_model");
    write_model(folder.path(), engine_->config(), engine_->layout(), best);
    write_companions(folder.path(), origin_.companions, engine_->config().vocab_size);
    notice_(folder.commit());
  }

  void refuse_broken_numbers(std::span<const double> losses) {
    const auto broken = [](double value) { return !std::isfinite(value); };
    if (std::none_of(losses.begin(), losses.end(), broken) && std::isfinite(norm_)) return;
    writer_->wait();  // so that the message names the last checkpoint
    std::string ids;
    for (std::size_t i = 0; i < losses.size(); ++i) {
      ids += fmt::format("{}{}{}", i == 0 ? "" : " ", batches_.walk_ids()[i], broken(losses[i]) ? "!" : "");
    }
    const std::string kept = written_step_ > 0
                                 ? fmt::format("The last good checkpoint is {}.", checkpoint_name(written_step_))
                                 : std::string("No checkpoint was written yet.");
    throw Error(fmt::format("the loss or the gradient of step {} is not a finite number", state_.global_step + 1),
                {.file = settings_.output_dir.string(),
                 .place = fmt::format("walk_id of its walks (! where the loss itself is broken): {}", ids),
                 .advice = kept + " Lower LEARNING_RATE or MAX_GRAD_NORM, or raise WARMUP_STEPS, and start anew."});
  }

  const TrainingSettings& settings_;
  StepPlan plan_;
  const nlohmann::json& shaping_;
  TrainingObserver& observer_;
  NoticeOnce& notice_;
  TrainingSignals& signals_;
  GiveUp give_up_ = [this] { return signals_.gives_up(); };
  std::unique_ptr<Engine> engine_;
  CheckpointOrigin origin_;
  std::optional<CheckpointWriter> writer_;
  TrainerState state_;
  StepBatches batches_;
  std::optional<Evaluator> evaluator_;
  std::optional<Evaluation> evaluation_;  // after the current step
  std::vector<double> losses_;            // of each walk of the current step
  std::vector<float> micro_batch_losses_;
  double norm_ = 0.0, rate_ = 0.0;  // gradient norm and learning rate of the current step
  std::vector<double> flops_;       // of training on a walk, by its length; 0 until it was asked for
  std::int64_t written_step_ = 0;   // of the newest checkpoint on the disk; 0: there is none
  std::int64_t saved_step_ = 0;     // of the newest checkpoint that was begun
  double step_seconds_ = 0.0;       // of the last step; 0: there was none
  double evaluation_seconds_ = 0.0;
  Clock::time_point began_ = Clock::now();
  WallClock wall_;
};

// Known of whole walks only: cut ones have other best losses.
std::optional<double> best_loss_of(const WalkDataset& dataset, const TrainingSettings& settings) {
  if (!dataset.validation) return std::nullopt;
  const std::int64_t whole = dataset.validation->tokens(std::numeric_limits<std::int64_t>::max());
  return dataset.validation->tokens(settings.max_length) == whole ? dataset.vocab.best_loss : std::nullopt;
}

TrainingOutcome outcome_of(const FinishedRun& run, const TrainingSettings& settings, const WalkDataset& dataset) {
  TrainingOutcome outcome;
  outcome.steps = run.steps;
  outcome.seconds = run.seconds;
  outcome.final_model = settings.output_dir / "final_model";
  outcome.best_loss = best_loss_of(dataset, settings);
  if (run.best) {
    outcome.best_checkpoint = run.best->name;
    outcome.final_eval_loss = run.best->loss;
    outcome.final_eval_per_prediction = run.best->loss_per_prediction;
  }
  return outcome;
}

// As much of it as decides which checkpoints stay.
TrainerState state_at_the_end(const FinishedRun& run) {
  TrainerState state;
  state.global_step = run.steps;
  state.best_checkpoint = run.best;
  return state;
}

RunFacts facts_of(const TrainingSettings& settings, const LlamaConfig& config, const StepPlan& plan,
                  const WalkDataset& dataset, const EarlierRun& earlier) {
  const ParameterLayout layout(config);
  RunFacts facts;
  facts.config = config;
  facts.parameters = layout.total();
  facts.embedding_parameters = layout.total() - layout.non_embedding();
  facts.plan = plan;
  facts.validation_walks = dataset.validation ? dataset.validation->size() : 0;
  facts.tokens_per_epoch = dataset.train.tokens(settings.max_length);
  facts.best_loss = best_loss_of(dataset, settings);
  facts.memory_bytes = training_memory_bytes(settings, config, dataset);
  facts.memory_limit = memory_limit_bytes();
  facts.precision = settings.precision.value_or(Precision::kFloat32);
  if (earlier.checkpoint) {
    facts.first_step = earlier.checkpoint->state.global_step;
    facts.resumed_from = earlier.name;
  }
  return facts;
}

// PRECISION=auto: as the run that stands there, else as a trial on this machine says.
Precision choose_precision(const TrainingSettings& settings, const WalkDataset& dataset, const LlamaConfig& config,
                           std::span<const float> weights, TrainingObserver& observer) {
  if (const auto earlier = precision_of_earlier_run(settings.output_dir)) return *earlier;
  const PrecisionTrial trial = try_precisions(config, engine_settings(settings, config, dataset), weights);
  const char* const name = name_of(trial.faster);
  observer.on_notice(has_bfloat16_products()
                         ? fmt::format("PRECISION=auto: {}, {:.2f} times as fast in a trial", name, trial.ratio)
                         : fmt::format("PRECISION=auto: {}, since this processor has no bfloat16 products", name));
  return trial.faster;
}

// What is in the output folder, after what is to be replaced was removed. Chooses the precision where that is to be.
EarlierRun look_for_earlier_run(TrainingSettings& settings, const WalkDataset& dataset, const LlamaConfig& config,
                                std::span<const float> weights, nlohmann::json& shaping, TrainingObserver& observer,
                                NoticeOnce& notice) {
  const fs::path& folder = settings.output_dir;
  const bool automatic = !settings.precision;
  const auto choose = [&] {
    if (automatic) settings.precision = choose_precision(settings, dataset, config, weights, observer);
    shaping["precision"] = name_of(*settings.precision);
  };
  if ((settings.overwrite && !settings.resume) || removal_was_interrupted(folder)) {
    notice(remove_earlier_run(folder));
  }
  choose();
  const ParameterLayout layout(config);
  const EngineSettings engine = engine_settings(settings, config, dataset);
  EarlierRun earlier =
      find_earlier_run(folder, layout, optimizer_state_of(layout, engine.groups), shaping, settings.continue_run);
  for (const std::string& text : earlier.passed_over) observer.on_notice(text);
  if (earlier.obstacle && !settings.overwrite) throw Error(*earlier.obstacle);
  if (earlier.obstacle || (earlier.finished && settings.overwrite)) {
    observer.on_notice(earlier.obstacle
                           ? fmt::format("OVERWRITE=true replaces what is there: {}", earlier.obstacle->message())
                           : fmt::format("OVERWRITE=true replaces the finished run in {}", folder.string()));
    notice(remove_earlier_run(folder));
    choose();
    return {};
  }
  if (earlier.checkpoint && !settings.resume) refuse_to_resume(folder, earlier.name);
  if (earlier.checkpoint && settings.overwrite) {
    observer.on_notice(
        fmt::format("OVERWRITE=true replaces no interrupted run of the same settings: it goes on from {} (with "
                    "RESUME=never as well it "
                    "would begin anew)",
                    earlier.name));
  }
  return earlier;
}

// Changes the plan and the settings that are saved where a run goes on with another schedule.
void apply_schedule_start(const EarlierRun& earlier, const TrainingSettings& settings, StepPlan& plan,
                          nlohmann::json& shaping, TrainingObserver& observer) {
  plan.schedule_start = earlier.schedule_start;
  if (earlier.schedule_start > 0) shaping["schedule_start"] = earlier.schedule_start;
  if (!settings.continue_run) return;
  if (!earlier.checkpoint) {
    if (!earlier.finished) observer.on_notice("CONTINUE=true: there is no run to continue, so a new one begins");
    return;
  }
  if (earlier.continued.empty()) return;
  const std::int64_t done = earlier.checkpoint->state.global_step;
  if (plan.max_steps <= done) {
    throw Error(
        fmt::format("nothing is left to do: {} steps are done, and these settings end after {}", done, plan.max_steps),
        {.file = settings.output_dir.string(),
         .place = earlier.name,
         .advice = "CONTINUE=true wants more EPOCHS or MAX_STEPS than the run has made; both count from its "
                   "first step."});
  }
  observer.on_notice(fmt::format("CONTINUE=true: goes on from {} with another schedule, which begins at that step ({})",
                                 earlier.name, earlier.continued));
}

}  // namespace

TrainingOutcome train(const TrainingSettings& asked, TrainingObserver& observer, TrainingSignals& signals) {
  TrainingSettings settings = asked;
  check_settings(settings);
  const WalkDataset dataset = open_dataset(settings.dataset_dir);
  for (const std::string& notice : dataset.notices) observer.on_notice(notice);
  const LlamaConfig config = read_start_config(settings, dataset.vocab.vocab_size);
  const RunCompanions companions = companions_of_run(settings, dataset, config);
  for (const std::string& text : companions.notices) observer.on_notice(text);
  check_save_steps(settings, dataset);
  check_training_memory(settings, config, dataset, memory_limit_bytes());
  const ParameterLayout layout(config);
  StepPlan plan = plan_steps(dataset.train.size(), settings);
  std::vector<float> weights = initial_weights(settings, config, layout);
  nlohmann::json shaping = shaping_settings(settings, config, dataset, weights);

  const RunLock lock(settings.output_dir);
  NoticeOnce notice(observer);
  notice(lock.notices());
  EarlierRun earlier = look_for_earlier_run(settings, dataset, config, weights, shaping, observer, notice);
  if (earlier.finished) {
    notice(rotate_checkpoints(settings.output_dir, state_at_the_end(*earlier.finished), rotation_rule(settings, plan)));
    TrainingOutcome outcome = outcome_of(*earlier.finished, settings, dataset);
    outcome.already_finished = true;
    return outcome;
  }
  apply_schedule_start(earlier, settings, plan, shaping, observer);
  if (!earlier.continued.empty()) notice(forget_finished_run(settings.output_dir));
  if (earlier.checkpoint) {  // what could not be removed in the last sitting, or stays for a larger SAVE_TOTAL_LIMIT
    notice(rotate_checkpoints(settings.output_dir, earlier.checkpoint->state, rotation_rule(settings, plan)));
  }
  if (settings.precision == Precision::kBfloat16 && !has_bfloat16_products()) {
    observer.on_notice("This processor has no bfloat16 products: PRECISION=bfloat16 is slower than float32 here.");
  }

  if (earlier.checkpoint) weights = std::vector<float>();
  Run run(settings, dataset, config, plan, shaping, companions.files, observer, notice, signals);
  observer.on_start(facts_of(settings, config, plan, dataset, earlier));
  if (earlier.checkpoint) {
    run.resume(*earlier.checkpoint);
  } else {
    run.start(weights);
  }
  earlier.checkpoint.reset();
  weights = std::vector<float>();
  if (const int stopped_by = run.run(); stopped_by != 0) {
    TrainingOutcome outcome = outcome_of({run.state().global_step, run.seconds(), std::nullopt}, settings, dataset);
    outcome.stopped_by = stopped_by;
    outcome.wall_time = run.wall_time();
    return outcome;
  }
  TrainingOutcome outcome = outcome_of(run.finish(), settings, dataset);
  outcome.wall_time = run.wall_time();
  return outcome;
}

}  // namespace strider
