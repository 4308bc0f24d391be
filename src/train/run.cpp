#include "train/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/machine.h"
#include "engine/choose_device.h"
#include "io/atomic_file.h"
#include "model/folder.h"
#include "train/early_end.h"
#include "train/held_dataset.h"
#include "train/log.h"
#include "train/memory.h"

namespace strider {

namespace fs = std::filesystem;

namespace {

EngineSettings engine_of(const RunPlan& plan, Communicator* ranks) {
  EngineSettings settings = engine_settings(plan.settings, plan.config, plan.dataset, ranks);
  if (plan.engine_holds_dataset) settings.held_tokens = dataset_tokens(plan.dataset, plan.settings.max_length);
  return settings;
}

// Of a walk of the plan's dataset, where the engine holds it.
std::optional<std::int64_t> held_number(const RunPlan& plan, std::int64_t walk) {
  return plan.engine_holds_dataset ? std::optional(walk) : std::nullopt;
}

}  // namespace

TrainingRun::TrainingRun(const RunContext& context)
    : plan_(context.plan),
      listener_(context.listener),
      notice_(context.notice),
      signals_(context.signals),
      engine_(make_engine_on(settings_.device, plan_.config, engine_of(plan_, context.ranks))),
      origin_{settings_, engine_->config(), engine_->layout(), steps_, plan_.fingerprint, plan_.companions},
      writer_(std::in_place, origin_, *engine_,
              [this](std::int64_t step, const Notices& notices) { on_checkpoint(step, notices); }),
      batches_(plan_.dataset.train, settings_, steps_, held_number(plan_, 0)) {
  const auto most = static_cast<std::size_t>(most_walks_of_a_step(settings_, plan_.dataset.train));
  losses_.resize(most);
  rooms_.push_back(batches_.room());
  if (engine_->runs_beside_host()) rooms_.push_back(batches_.room());
  micro_batch_losses_.reserve(most);
  if (settings_.average_share > 0.0) average_.emplace(engine_->layout().total());
  if (plan_.engine_holds_dataset) give_dataset(plan_.dataset, settings_.max_length, *engine_);
  if (plan_.dataset.validation) {
    evaluator_.emplace(*plan_.dataset.validation, settings_, *engine_, held_number(plan_, plan_.dataset.train.size()));
  }
}

void TrainingRun::start(const RunStart& start) {
  if (!start.checkpoint) {
    engine_->set_parameters(start.weights);
    return;
  }
  state_ = start.checkpoint->state;
  if (plan_.continues_with_another_schedule) {
    state_.ended_by.clear();
    state_.planned_steps = 0;
    state_.averaged_steps = 0;  // the mean is of the last steps of the new schedule
  }
  if (state_.averaged_steps > 0) average_->set(start.checkpoint->weight_sums, state_.averaged_steps);
  engine_->set_parameters(start.checkpoint->parameters);
  for (const NamedState& state : start.checkpoint->optimizer) engine_->set_optimizer_state(state.name, state.values);
  engine_->set_updates(state_.global_step);
  written_step_ = saved_step_ = state_.global_step;
}

double TrainingRun::seconds() const {
  return state_.seconds + seconds_since(began_);
}

int TrainingRun::run() {
  wall_.start();
  if (state_.global_step == 0) report_model();
  if (state_.evaluation_pending) {
    if (const int stop = after_step()) return stop;
  }
  while (!is_last()) {
    // What is under way is finished first.
    if (const int stop = signals_.stop.load(); stop != 0 && !is_under_way()) return stop_here(stop);
    if (!step()) return stop_here(signals_.stop.load());
    writer_->poll();
    wall_.lap(&WallTime::checkpoints);
    if (state_.global_step % settings_.logging_steps == 0) log();
    wall_.lap(&WallTime::logging);
    if (const int stop = after_step()) return stop;
  }
  return 0;
}

FinishedRun TrainingRun::finish() {
  writer_->wait();
  writer_.reset();                               // gives its copy's memory back
  if (!state_.ended_by.empty()) report_model();  // its last step was an ordinary one until its evaluation
  listener_.finish_pending();
  FinishedRun finished{.steps = state_.global_step, .seconds = seconds(), .best = state_.best_checkpoint};
  // A sitting that ended between the last checkpoint and this has left one too many.
  notice_(rotate_checkpoints(settings_.output_dir, state_, rotation_rule(settings_, steps_)));
  notice_(forget_finished_run(settings_.output_dir));
  wall_.lap(&WallTime::checkpoints);
  if (average_) take_average(finished);
  if (finished.averaged_steps > 0) {
    evaluate_average(finished);
  } else if (finished.best) {
    finished.final_loss = {finished.best->loss, finished.best->loss_per_prediction};
  } else if (evaluator_) {  // so that every run ends with one; the log stays as transformers writes it
    const std::optional<Evaluation> last = evaluator_->run(*engine_, [] { return false; });
    finished.final_loss = {last->loss, last->loss_per_prediction};
    wall_.lap(&WallTime::evaluation);
  }
  write_final_model(finished);
  wall_.lap(&WallTime::checkpoints);
  log_end(state_, steps_, settings_, finished.seconds);
  notice_(write_file_atomically(settings_.output_dir / "trainer_state.json",
                                trainer_state_json(state_, settings_, steps_)));
  notice_(write_finished_run(settings_.output_dir, finished, plan_.fingerprint));
  wall_.lap(&WallTime::logging);
  return finished;
}

// With AVERAGE_SHARE the final evaluation is that of the mean, which is no step's.
bool TrainingRun::evaluates_at(std::int64_t step) const {
  if (!evaluator_) return false;
  return step % settings_.eval_steps == 0 ||
         (step == last_step(state_, steps_) && settings_.final_evaluation && !average_);
}

// Evaluates and saves where it is time to; returns the number of a signal that asked for a stop, or 0.
int TrainingRun::after_step() {
  if (is_under_way()) return 0;  // the next step is queued since nothing is to be done here
  evaluation_.reset();
  if (evaluates_at(state_.global_step)) {
    state_.evaluation_pending = !evaluate();
    if (state_.evaluation_pending) return stop_here(signals_.stop.load());
    end_if_good_enough();
  }
  average_weights();
  const bool scheduled = is_last() || state_.global_step % settings_.save_steps == 0;
  const int stop = signals_.stop.load();
  if (scheduled) keep_if_best();
  if (scheduled || signals_.checkpoint.exchange(false) || stop != 0) save();
  if (stop != 0 && !is_last()) writer_->wait();
  wall_.lap(&WallTime::checkpoints);
  return is_last() ? 0 : stop;
}

// With the state of the last whole step on the disk.
int TrainingRun::stop_here(int stop) {
  listener_.finish_pending();
  if (state_.global_step > 0 && (saved_step_ != state_.global_step || state_.evaluation_pending)) save();
  writer_->wait();
  wall_.lap(&WallTime::checkpoints);
  return stop;
}

// For whoever acknowledges a signal.
void TrainingRun::begin(Activity activity, double expected_seconds) {
  signals_.expected.store(static_cast<std::int64_t>(expected_seconds * 1e9));
  signals_.began_at.store(steady_nanoseconds());
  signals_.activity.store(activity);
}

// A part of the last step that trains the first layers, so that whatever is saved after it has them scaled.
void TrainingRun::scale_first_layers() {
  const bool is_scaled = settings_.first_embedding_scale != 1.0 || settings_.first_output_scale != 1.0;
  if (state_.global_step != settings_.first_steps || !is_scaled) return;
  std::vector<float> values = engine_->parameters();
  const ParameterLayout& layout = engine_->layout();
  scale_embeddings(layout, static_cast<float>(settings_.first_embedding_scale), values);
  scale_output_projections(layout, settings_.first_layers, static_cast<float>(settings_.first_output_scale), values);
  engine_->set_parameters(values);
}

// Loads the walks of step `step` (from 0).
void TrainingRun::plan_step(std::int64_t step) {
  PlannedStep planned;
  planned.walks = &rooms_[static_cast<std::size_t>(step) % rooms_.size()];
  batches_.load(step, *planned.walks);
  // A step without a single predicted token has nothing to be divided.
  planned.denominator = std::max(1.0, denominator_of(planned.walks->lengths(), settings_.loss_denominator));
  const std::int64_t start = steps_.schedule_start;
  const std::int64_t last = last_step(state_, steps_);
  planned.learning_rate = learning_rate_at(settings_, last, step, start);
  planned.group_learning_rates = group_learning_rates_at(settings_, last, step, start);
  planned.learning = learning_at(settings_, engine_->config(), last, step, start);
  planned.weight_decays = group_weight_decays_at(settings_, step);
  planned_.push_back(planned);
}

StepWork TrainingRun::work_of(const PlannedStep& step) const {
  return {.walks = step.walks->walks(),
          .denominator = step.denominator,
          .learning_rates = step.group_learning_rates,
          .max_grad_norm = settings_.max_grad_norm};
}

// Whether something looks at the model when so many steps are done, or decides then what the next step is.
bool TrainingRun::needs_model_after(std::int64_t steps) const {
  const auto every = [&](std::int64_t interval) { return interval > 0 && steps % interval == 0; };
  return steps >= last_step(state_, steps_) || evaluates_at(steps) || is_averaged(steps) ||
         every(settings_.save_steps) || shows_weights_at(steps) || every(settings_.representation_steps) ||
         every(settings_.geometry_steps) || settings_.max_minutes > 0.0 || steps == settings_.first_steps;
}

// An engine that does not compute beside the host makes the step when it is asked for it.
void TrainingRun::queue_last_planned() {
  engine_->learn(planned_.back().learning);
  engine_->set_weight_decays(planned_.back().weight_decays);
  engine_->queue_step(work_of(planned_.back()));
}

// With an engine that computes beside the host the next step is queued before the current one is done: so the device
// does not wait while the host reports a step and loads another one. Signals are heeded between two steps, so that one
// that has come lets nothing more be queued.
void TrainingRun::queue_steps() {
  if (!is_under_way()) {
    plan_step(state_.global_step);
    queue_last_planned();
  }
  const bool has_signal = signals_.stop.load() != 0 || signals_.checkpoint.load();
  if (has_signal || !engine_->runs_beside_host() || needs_model_after(state_.global_step + 1)) return;
  plan_step(state_.global_step + 1);
  queue_last_planned();
}

// False where it was given up.
bool TrainingRun::step() {
  const auto began = Clock::now();
  begin(Activity::kStep, step_seconds_);
  queue_steps();
  const PlannedStep step = planned_.front();
  planned_.pop_front();
  const std::span<double> losses = std::span(losses_).first(step.walks->walks().size());
  const std::optional<double> norm = engine_->step(work_of(step), losses, give_up_);
  if (!norm) return false;
  norm_ = *norm;
  rate_ = step.learning_rate;
  refuse_broken_numbers(*step.walks, losses);
  state_.global_step += 1;
  scale_first_layers();
  std::vector<float> gradient;
  if (shows_weights_at(state_.global_step)) gradient = engine_->gradient();
  state_.epoch = step.walks->place.epoch_after;
  state_.total_flos += padded_flops(*step.walks);
  fit_schedule_to_time();
  const double loss = add_up(losses, step.denominator);
  wall_.lap(&WallTime::steps);
  step_seconds_ = seconds_since(began);
  report_step(step, loss, step_seconds_);
  if (!gradient.empty()) report_weights(gradient);
  wall_.lap(&WallTime::logging);
  report_model();
  return true;
}

// With MAX_MINUTES. The time until now says how many steps there will be; it has the evaluations and checkpoints in it,
// in the share that they will have in what is left. Time for the evaluation of the last step is kept.
void TrainingRun::fit_schedule_to_time() {
  if (settings_.max_minutes == 0.0) return;
  const bool evaluates_the_end = evaluator_ && (settings_.final_evaluation || average_);
  const double last_evaluation = evaluates_the_end ? evaluation_seconds_ : 0.0;
  state_.planned_steps =
      steps_in_time(60.0 * settings_.max_minutes - last_evaluation, seconds(), state_.global_step, steps_.max_steps);
}

// As torch adds up: each micro-batch's loss is a float32, and so is their sum since the last log entry. Returns the sum
// of all losses.
double TrainingRun::add_up(std::span<const double> losses, double denominator) {
  micro_batch_losses_.clear();
  double total = 0.0;
  for (std::size_t begin = 0; begin < losses.size(); begin += static_cast<std::size_t>(settings_.batch_size)) {
    const std::size_t end = std::min(losses.size(), begin + static_cast<std::size_t>(settings_.batch_size));
    double sum = 0.0;
    for (std::size_t i = begin; i < end; ++i) sum += losses[i];
    micro_batch_losses_.push_back(static_cast<float>(sum / denominator));
    state_.loss_since_log += micro_batch_losses_.back();
    total += sum;
  }
  return total;
}

// transformers' estimate (floating_point_ops): six operations per token and parameter but the embedding's, where walks
// are padded to the length that they are cut at.
double TrainingRun::padded_flops(const StepWalks& walks) const {
  const ParameterInfo& embedding = engine_->layout().tensors().front();
  const auto tokens = static_cast<double>(walks.walks().size()) * static_cast<double>(settings_.max_length);
  return 6.0 * tokens * static_cast<double>(engine_->layout().total() - embedding.size);
}

// `loss` is the sum over the step's walks.
void TrainingRun::report_step(const PlannedStep& step, double loss, double seconds) {
  const std::span<const std::int64_t> lengths = step.walks->lengths();
  StepDone event;
  for (const std::int64_t length : lengths) {
    event.tokens += length;
    event.flops += flops_of(step.learning, length);
  }
  event.step = state_.global_step;
  event.loss = loss / step.denominator;
  event.loss_per_prediction = loss / std::max(1.0, denominator_of(lengths, LossDenominator::kPredictions));
  event.seconds = seconds;
  event.last_step = last_step(state_, steps_);
  event.micro_batch_losses = micro_batch_losses_;
  event.walk_ids = step.walks->walk_ids;
  if (state_.prediction_loss_since_log) *state_.prediction_loss_since_log += event.loss_per_prediction;
  if (state_.tokens) *state_.tokens += event.tokens;
  listener_.on_step(event);
  warn_if_diverging(event.loss_per_prediction);
}

bool TrainingRun::shows_weights_at(std::int64_t step) const {
  return settings_.histogram_steps > 0 && step % settings_.histogram_steps == 0;
}

void TrainingRun::report_weights(std::span<const float> gradient) {
  const std::vector<float> weights = engine_->parameters();
  std::vector<TensorValues> tensors;
  for (const ParameterInfo& tensor : engine_->layout().tensors()) {
    tensors.push_back({.name = tensor.name,
                       .weights = std::span(weights).subspan(tensor.offset, tensor.size),
                       .gradient = gradient.subspan(tensor.offset, tensor.size)});
  }
  listener_.on_weights({.step = state_.global_step, .tensors = tensors});
}

// Where the settings ask for it.
void TrainingRun::report_model() {
  const auto is_time = [&](std::int64_t steps) { return steps > 0 && (state_.global_step % steps == 0 || is_last()); };
  const bool for_representations = is_time(settings_.representation_steps);
  const bool for_geometry = is_time(settings_.geometry_steps);
  if (reported_model_ == state_.global_step || (!for_representations && !for_geometry)) return;
  reported_model_ = state_.global_step;
  const std::vector<float> parameters = engine_->parameters();
  listener_.on_model({.step = state_.global_step,
                      .config = engine_->config(),
                      .companions = plan_.companions,
                      .parameters = parameters,
                      .wants_representations = for_representations,
                      .wants_geometry = for_geometry,
                      .processors_are_free = engine_->runs_beside_host()});
  wall_.lap(&WallTime::snapshots);
}

// A model that knows nothing has the loss ln(vocabulary).
void TrainingRun::warn_if_diverging(double loss_per_prediction) {
  constexpr double kFarAbove = 2.0;
  const double knows_nothing = std::log(static_cast<double>(engine_->config().vocab_size));
  if (warned_of_divergence_ || loss_per_prediction < knows_nothing + kFarAbove) return;
  warned_of_divergence_ = true;
  listener_.on_notice(fmt::format(
      "Warning: the loss of step {} is {:.2f}, far above the {:.2f} of a model that knows nothing, ln(vocabulary): the "
      "run diverges. Lower LEARNING_RATE (now {}) or raise WARMUP_STEPS (now {}).",
      state_.global_step, loss_per_prediction, knows_nothing, settings_.learning_rate, settings_.warmup_steps));
}

void TrainingRun::log() {
  Logged event{.step = state_.global_step,
               .epoch = state_.epoch,
               .grad_norm = norm_,
               .learning_rate = rate_,
               .tokens = state_.tokens};
  const auto steps = static_cast<double>(state_.global_step - state_.last_logged_step);
  if (state_.prediction_loss_since_log) event.loss_per_prediction = *state_.prediction_loss_since_log / steps;
  event.loss = log_training(state_, norm_, rate_);
  listener_.on_log(event);
}

double TrainingRun::flops_of(const Learning& learning, std::int64_t length) {
  std::vector<double>& all = flops_[learning];
  all.resize(static_cast<std::size_t>(settings_.max_length) + 1);
  double& flops = all[static_cast<std::size_t>(length)];
  if (flops == 0.0) flops = training_flops(engine_->config(), length, learning);
  return flops;
}

// False where it was given up.
bool TrainingRun::evaluate() {
  begin(Activity::kEvaluation, evaluation_seconds_);
  evaluation_ = evaluator_->run(*engine_, give_up_);
  wall_.lap(&WallTime::evaluation);
  if (!evaluation_) return false;
  evaluation_seconds_ = evaluation_->seconds;
  log_evaluation(state_, *evaluation_);
  listener_.on_evaluation({.step = state_.global_step,
                           .epoch = state_.epoch,
                           .loss = evaluation_->loss,
                           .loss_per_prediction = evaluation_->loss_per_prediction,
                           .seconds = evaluation_->seconds});
  wall_.lap(&WallTime::logging);
  return true;
}

void TrainingRun::end_if_good_enough() {
  if (is_last()) return;
  if (const std::optional<EarlyEnd> end = early_end(settings_, plan_.best_loss, state_, *evaluation_)) {
    state_.ended_by = end->setting;
    listener_.on_notice(end->text);
  }
}

// Of the weights after so many steps. Those of the last step always are, so that there is a mean of something.
bool TrainingRun::is_averaged(std::int64_t step) const {
  const std::int64_t last = last_step(state_, steps_);
  if (!average_ || step <= average_begin(settings_, last, steps_.schedule_start)) return false;
  return step % settings_.average_every == 0 || step == last;
}

// After an evaluation of the same step: one that is given up is made again, and the weights are added once.
void TrainingRun::average_weights() {
  if (!is_averaged(state_.global_step)) return;
  average_->add(*engine_);
  state_.averaged_steps = average_->steps();
  wall_.lap(&WallTime::steps);
}

// At the end the engine has the mean, where there is one.
void TrainingRun::take_average(FinishedRun& finished) {
  if (!state_.ended_by.empty()) {
    listener_.on_notice(
        fmt::format("{} has ended the run before its planned end: final_model has the weights with the lowest "
                    "evaluation loss, and no mean of AVERAGE_SHARE={}",
                    state_.ended_by, settings_.average_share));
    return;
  }
  engine_->set_parameters(average_->mean());
  finished.averaged_steps = average_->steps();
}

void TrainingRun::evaluate_average(FinishedRun& finished) {
  if (!evaluator_) return;
  const std::optional<Evaluation> mean = evaluator_->run(*engine_, [] { return false; });
  finished.final_loss = {mean->loss, mean->loss_per_prediction};
  wall_.lap(&WallTime::evaluation);
  if (!finished.best || finished.best->loss >= mean->loss) return;
  listener_.on_notice(fmt::format(
      "The mean of the weights has an evaluation loss of {:.4f}, {} has a lower one, {:.4f}: final_model has "
      "the mean, since AVERAGE_SHARE={} asks for it, and that checkpoint stays",
      mean->loss, finished.best->name, finished.best->loss, settings_.average_share));
}

// Only where the settings ask for a checkpoint, so that one that a signal asked for changes no result.
void TrainingRun::keep_if_best() {
  if (!evaluation_ || (state_.best_checkpoint && evaluation_->loss >= state_.best_checkpoint->loss)) return;
  state_.best_checkpoint = {checkpoint_name(state_.global_step), evaluation_->loss, evaluation_->loss_per_prediction};
}

void TrainingRun::save() {
  begin(Activity::kSaving, 0.0);
  listener_.finish_pending();
  saved_step_ = state_.global_step;
  TrainerState saved = state_;
  saved.seconds = seconds();
  saved.vectors = vector_instructions();
  writer_->save(*engine_, saved, average_ ? average_->sums() : std::span<const double>());
}

void TrainingRun::on_checkpoint(std::int64_t step, const Notices& notices) {
  written_step_ = step;
  listener_.on_checkpoint({step, (settings_.output_dir / checkpoint_name(step)).string()});
  notice_(notices);
}

void TrainingRun::write_final_model(const FinishedRun& finished) {
  std::vector<float> weights = engine_->parameters();
  if (finished.best && finished.averaged_steps == 0) {
    const fs::path folder = settings_.output_dir / finished.best->name;
    check_checkpoint(folder);
    read_weights(folder, engine_->layout(), weights);
  }
  AtomicFolder folder(settings_.output_dir / "final_model");
  write_model(folder.path(), engine_->config(), engine_->layout(), weights);
  write_companions(folder.path(), origin_.companions, engine_->config().vocab_size);
  static_cast<void>(
      write_file_atomically(folder.path() / "README.md", model_card(plan_, card_data_, finished, state_.tokens)));
  notice_(folder.commit());
}

void TrainingRun::refuse_broken_numbers(const StepWalks& walks, std::span<const double> losses) {
  const auto broken = [](double value) { return !std::isfinite(value); };
  if (std::none_of(losses.begin(), losses.end(), broken) && std::isfinite(norm_)) return;
  writer_->wait();  // so that the message names the last checkpoint
  std::string ids;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    ids += fmt::format("{}{}{}", i == 0 ? "" : " ", walks.walk_ids[i], broken(losses[i]) ? "!" : "");
  }
  const std::string kept = written_step_ > 0
                               ? fmt::format("The last good checkpoint is {}.", checkpoint_name(written_step_))
                               : std::string("No checkpoint was written yet.");
  throw Error(fmt::format("the loss or the gradient of step {} is not a finite number", state_.global_step + 1),
              {.file = settings_.output_dir.string(),
               .place = fmt::format("walk_id of its walks (! where the loss itself is broken): {}", ids),
               .advice = kept + " Lower LEARNING_RATE or MAX_GRAD_NORM, or raise WARMUP_STEPS, and start anew."});
}

}  // namespace strider
