#include "train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/machine.h"
#include "engine/precision_trial.h"
#include "io/atomic_file.h"
#include "model/folder.h"
#include "train/companions.h"
#include "train/fingerprint.h"
#include "train/memory.h"
#include "train/run.h"
#include "train/run_folder.h"
#include "train/run_lock.h"
#include "train/start.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

// Known of whole walks only: cut ones have other best losses.
std::optional<double> best_loss_of(const WalkDataset& dataset, const TrainingSettings& settings) {
  if (!dataset.validation) return std::nullopt;
  const std::int64_t whole = dataset.validation->tokens(std::numeric_limits<std::int64_t>::max());
  return dataset.validation->tokens(settings.max_length) == whole ? dataset.vocab.best_loss : std::nullopt;
}

TrainingOutcome outcome_of(const FinishedRun& run, const TrainingSettings& settings, const WalkDataset& dataset) {
  TrainingOutcome outcome;
  outcome.steps = run.steps;
  outcome.final_model = settings.output_dir / "final_model";
  outcome.best_loss = best_loss_of(dataset, settings);
  if (run.best) outcome.best_checkpoint = run.best->name;
  if (run.final_loss) {
    outcome.final_eval_loss = run.final_loss->loss;
    outcome.final_eval_per_prediction = run.final_loss->loss_per_prediction;
  }
  return outcome;
}

// `wall_time` is this sitting's; null where it made no step.
RunEnded end_of(const FinishedRun& run, const TrainingSettings& settings, const WalkDataset& dataset,
                const WallTime* wall_time) {
  const TrainingOutcome outcome = outcome_of(run, settings, dataset);
  RunEnded event;
  event.final_model = outcome.final_model.string();
  event.output_dir = settings.output_dir.string();
  event.steps = run.steps;
  event.seconds = run.seconds;
  event.best_checkpoint = outcome.best_checkpoint;
  event.last_evaluated_step =
      settings.final_evaluation ? run.steps : run.steps / settings.eval_steps * settings.eval_steps;
  event.eval_loss = outcome.final_eval_loss;
  event.eval_per_prediction = outcome.final_eval_per_prediction;
  event.best_loss = outcome.best_loss;
  if (wall_time != nullptr) {
    event.wall_seconds = {{"steps", wall_time->steps},
                          {"evaluation", wall_time->evaluation},
                          {"checkpoints", wall_time->checkpoints},
                          {"logging", wall_time->logging}};
  }
  return event;
}

// As much of it as decides which checkpoints stay.
TrainerState state_at_the_end(const FinishedRun& run) {
  TrainerState state;
  state.global_step = run.steps;
  state.best_checkpoint = run.best;
  return state;
}

RunStarted start_of(const TrainingSettings& settings, const LlamaConfig& config, const StepPlan& plan,
                    const WalkDataset& dataset, const EarlierRun& earlier) {
  const ParameterLayout layout(config);
  RunStarted event;
  event.config = settings.config.string();
  event.dataset_dir = settings.dataset_dir.string();
  event.output_dir = settings.output_dir.string();
  event.hidden_size = config.hidden_size;
  event.layers = config.num_hidden_layers;
  event.heads = config.num_attention_heads;
  event.key_value_heads = config.num_key_value_heads;
  event.intermediate_size = config.intermediate_size;
  event.vocab_size = config.vocab_size;
  event.parameters = layout.total();
  event.embedding_parameters = layout.total() - layout.non_embedding();
  event.train_walks = plan.walks;
  event.validation_walks = dataset.validation ? dataset.validation->size() : 0;
  event.tokens_per_epoch = dataset.train.tokens(settings.max_length);
  event.max_length = settings.max_length;
  event.max_steps = plan.max_steps;
  event.steps_per_epoch = plan.steps_per_epoch;
  event.walks_per_step = settings.batch_size * settings.gradient_accumulation_steps;
  event.eval_steps = settings.eval_steps;
  event.learning_rate = settings.learning_rate;
  event.schedule =
      fmt::format("{}, peak {}, {} steps of warmup", name_of(settings.lr_scheduler), settings.learning_rate,
                  settings.lr_scheduler == LrScheduler::kConstant ? 0 : settings.warmup_steps);
  event.loss_denominator = name_of(settings.loss_denominator);
  event.precision = name_of(settings.precision.value_or(Precision::kFloat32));
  event.best_loss = best_loss_of(dataset, settings);
  event.memory_bytes = training_memory_bytes(settings, config, dataset);
  event.memory_limit = memory_limit_bytes();
  event.processor = processor_name();
  event.vectors = vector_instructions();
  event.threads = settings.threads;
  event.peak_flops = measure_peak_flops(settings.threads);
  const double mean_length = static_cast<double>(event.tokens_per_epoch) / static_cast<double>(plan.walks);
  event.flops_per_epoch = static_cast<double>(plan.walks) * training_flops(config, std::lround(mean_length));
  if (earlier.checkpoint) {
    event.first_step = earlier.checkpoint->state.global_step;
    event.resumed_from = earlier.name;
    event.evaluation_pending = earlier.checkpoint->state.evaluation_pending;
  }
  return event;
}

// PRECISION=auto: as the run that stands there, else as a trial on this machine says.
Precision choose_precision(const TrainingSettings& settings, const WalkDataset& dataset, const LlamaConfig& config,
                           std::span<const float> weights, RunListener& listener) {
  if (const auto earlier = precision_of_earlier_run(settings.output_dir)) return *earlier;
  const PrecisionTrial trial = try_precisions(config, engine_settings(settings, config, dataset), weights);
  const char* const name = name_of(trial.faster);
  listener.on_notice(has_bfloat16_products()
                         ? fmt::format("PRECISION=auto: {}, {:.2f} times as fast in a trial", name, trial.ratio)
                         : fmt::format("PRECISION=auto: {}, since this processor has no bfloat16 products", name));
  return trial.faster;
}

// What is in the output folder, after what is to be replaced was removed. Chooses the precision where that is to be.
EarlierRun look_for_earlier_run(TrainingSettings& settings, const WalkDataset& dataset, const LlamaConfig& config,
                                std::span<const float> weights, nlohmann::json& shaping, RunListener& listener,
                                NoticeOnce& notice) {
  const fs::path& folder = settings.output_dir;
  const bool automatic = !settings.precision;
  const auto choose = [&] {
    if (automatic) settings.precision = choose_precision(settings, dataset, config, weights, listener);
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
  for (const std::string& text : earlier.passed_over) listener.on_notice(text);
  if (earlier.obstacle && !settings.overwrite) throw Error(*earlier.obstacle);
  if (earlier.obstacle || (earlier.finished && settings.overwrite)) {
    listener.on_notice(earlier.obstacle
                           ? fmt::format("OVERWRITE=true replaces what is there: {}", earlier.obstacle->message())
                           : fmt::format("OVERWRITE=true replaces the finished run in {}", folder.string()));
    notice(remove_earlier_run(folder));
    choose();
    return {};
  }
  if (earlier.checkpoint && !settings.resume) refuse_to_resume(folder, earlier.name);
  if (earlier.checkpoint && settings.overwrite) {
    listener.on_notice(
        fmt::format("OVERWRITE=true replaces no interrupted run of the same settings: it goes on from {} (with "
                    "RESUME=never as well it "
                    "would begin anew)",
                    earlier.name));
  }
  return earlier;
}

// Changes the plan and the settings that are saved where a run goes on with another schedule.
void apply_schedule_start(const EarlierRun& earlier, const TrainingSettings& settings, StepPlan& plan,
                          nlohmann::json& shaping, RunListener& listener) {
  plan.schedule_start = earlier.schedule_start;
  if (earlier.schedule_start > 0) shaping["schedule_start"] = earlier.schedule_start;
  if (!settings.continue_run) return;
  if (!earlier.checkpoint) {
    if (!earlier.finished) listener.on_notice("CONTINUE=true: there is no run to continue, so a new one begins");
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
  listener.on_notice(fmt::format("CONTINUE=true: goes on from {} with another schedule, which begins at that step ({})",
                                 earlier.name, earlier.continued));
}

}  // namespace

TrainingOutcome train(const TrainingSettings& asked, RunListener& listener, TrainingSignals& signals) {
  TrainingSettings settings = asked;
  check_settings(settings);
  if (const std::string follows = resolve_steps(settings); !follows.empty()) listener.on_notice(follows);
  WalkDataset dataset = open_dataset(settings.dataset_dir);
  for (const std::string& notice : dataset.notices) listener.on_notice(notice);
  if (const std::string without = leave_out_empty_validation(dataset); !without.empty()) listener.on_notice(without);
  const LlamaConfig config = read_start_config(settings, dataset.vocab.vocab_size);
  const RunCompanions companions = companions_of_run(settings, dataset, config);
  for (const std::string& text : companions.notices) listener.on_notice(text);
  if (config.vocab_size > dataset.vocab.vocab_size) {
    listener.on_notice(fmt::format("The model has a vocabulary of {}, of which the dataset needs {}", config.vocab_size,
                                   dataset.vocab.vocab_size));
  }
  check_save_steps(settings, dataset);
  check_predictions(dataset, settings);
  check_training_memory(settings, config, dataset, memory_limit_bytes());
  const ParameterLayout layout(config);
  StepPlan plan = plan_steps(dataset.train.size(), settings);
  std::vector<float> weights = initial_weights(settings, config, layout);
  nlohmann::json shaping = run_fingerprint(settings, config, dataset, weights);

  const RunLock lock(settings.output_dir);
  NoticeOnce notice(listener);
  notice(lock.notices());
  listener.check(settings.output_dir.string());
  EarlierRun earlier = look_for_earlier_run(settings, dataset, config, weights, shaping, listener, notice);
  if (earlier.finished) {
    notice(rotate_checkpoints(settings.output_dir, state_at_the_end(*earlier.finished), rotation_rule(settings, plan)));
    TrainingOutcome outcome = outcome_of(*earlier.finished, settings, dataset);
    outcome.already_finished = true;
    listener.on_end(end_of(*earlier.finished, settings, dataset, nullptr));
    return outcome;
  }
  for (const std::string& warning : plan_warnings(settings, dataset, plan)) listener.on_notice(warning);
  apply_schedule_start(earlier, settings, plan, shaping, listener);
  if (!earlier.continued.empty()) notice(forget_finished_run(settings.output_dir));
  if (earlier.checkpoint) {  // what could not be removed in the last sitting, or stays for a larger SAVE_TOTAL_LIMIT
    notice(rotate_checkpoints(settings.output_dir, earlier.checkpoint->state, rotation_rule(settings, plan)));
  }
  const std::string before = earlier.checkpoint ? earlier.checkpoint->state.vectors : std::string();
  if (!before.empty() && before != vector_instructions()) {
    listener.on_notice(fmt::format(
        "The checkpoint was written on a processor with {}, this one has {}: the last bits may differ from here on",
        before, vector_instructions()));
  }
  if (settings.precision == Precision::kBfloat16 && !has_bfloat16_products()) {
    listener.on_notice("This processor has no bfloat16 products: PRECISION=bfloat16 is slower than float32 here.");
  }

  if (earlier.checkpoint) weights = std::vector<float>();
  TrainingRun run({settings, dataset, config, plan, shaping, companions.files, listener, notice, signals});
  listener.on_start(start_of(settings, config, plan, dataset, earlier));
  if (earlier.checkpoint) {
    run.resume(*earlier.checkpoint);
  } else {
    run.start(weights);
  }
  earlier.checkpoint.reset();
  weights = std::vector<float>();
  if (const int stopped_by = run.run(); stopped_by != 0) {
    TrainingOutcome outcome = outcome_of({.steps = run.state().global_step}, settings, dataset);
    outcome.stopped_by = stopped_by;
    return outcome;
  }
  const FinishedRun finished = run.finish();
  listener.on_end(end_of(finished, settings, dataset, &run.wall_time()));
  return outcome_of(finished, settings, dataset);
}

}  // namespace strider
