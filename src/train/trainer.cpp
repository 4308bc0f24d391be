#include "train/trainer.h"

#include <fmt/format.h>

#include <cmath>

#include "base/machine.h"
#include "io/atomic_file.h"
#include "train/memory.h"
#include "train/run.h"
#include "train/run_plan.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

TrainingOutcome outcome_of(const FinishedRun& run, const RunPlan& plan) {
  TrainingOutcome outcome;
  outcome.steps = run.steps;
  outcome.final_model = plan.settings.output_dir / "final_model";
  outcome.best_loss = plan.best_loss;
  outcome.averaged_steps = run.averaged_steps;
  if (run.best && run.averaged_steps == 0) outcome.best_checkpoint = run.best->name;
  if (run.final_loss) {
    outcome.final_eval_loss = run.final_loss->loss;
    outcome.final_eval_per_prediction = run.final_loss->loss_per_prediction;
  }
  return outcome;
}

// `wall_time` is this sitting's; null where it made no step.
RunEnded end_of(const FinishedRun& run, const RunPlan& plan, const WallTime* wall_time) {
  const TrainingSettings& settings = plan.settings;
  const TrainingOutcome outcome = outcome_of(run, plan);
  RunEnded event;
  event.final_model = outcome.final_model.string();
  event.output_dir = settings.output_dir.string();
  event.steps = run.steps;
  event.seconds = run.seconds;
  event.best_checkpoint = outcome.best_checkpoint;
  event.averaged_steps = outcome.averaged_steps;
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
    // Only where there were any, since most runs have none.
    if (wall_time->snapshots > 0.0) event.wall_seconds.emplace_back("snapshots", wall_time->snapshots);
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

RunStarted start_of(const RunPlan& plan, const RunStart& start, Communicator* communicator) {
  const int ranks = communicator == nullptr ? 1 : communicator->size();
  const TrainingSettings& settings = plan.settings;
  const LlamaConfig& config = plan.config;
  const StepPlan& steps = plan.steps;
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
  event.train_walks = steps.walks;
  event.validation_walks = plan.dataset.validation ? plan.dataset.validation->size() : 0;
  event.tokens_per_epoch = plan.dataset.train.tokens(settings.max_length);
  event.max_length = settings.max_length;
  event.max_steps = steps.max_steps;
  event.steps_per_epoch = steps.steps_per_epoch;
  event.walks_per_step = settings.batch_size * settings.gradient_accumulation_steps;
  event.eval_steps = settings.eval_steps;
  event.learning_rate = settings.learning_rate;
  event.schedule =
      fmt::format("{}, peak {}, {} steps of warmup", name_of(settings.lr_scheduler), settings.learning_rate,
                  settings.lr_scheduler == LrScheduler::kConstant ? 0 : settings.warmup_steps);
  event.loss_denominator = name_of(settings.loss_denominator);
  event.precision = name_of(settings.precision.value_or(Precision::kFloat32));
  event.best_loss = plan.best_loss;
  event.memory_bytes = training_memory_bytes(settings, config, plan.dataset, communicator);
  event.memory_limit = memory_limit_bytes();
  event.processor = processor_name();
  event.vectors = vector_instructions();
  event.threads = settings.threads;
  event.ranks = ranks;
  event.peak_flops = measure_peak_flops(settings.threads) * ranks;
  const double mean_length = static_cast<double>(event.tokens_per_epoch) / static_cast<double>(steps.walks);
  event.flops_per_epoch =
      static_cast<double>(steps.walks) * training_flops(config, std::lround(mean_length), all_learn(config));
  if (start.checkpoint) {
    event.first_step = start.checkpoint->state.global_step;
    event.resumed_from = plan.resumed_from;
    event.evaluation_pending = start.checkpoint->state.evaluation_pending;
  }
  return event;
}

// What the plan says of the output folder. An earlier run that is replaced goes only now, when nothing is left that
// could refuse this one.
void clear_the_way(const PreparedRun& prepared, NoticeOnce& notice) {
  const RunPlan& plan = *prepared.plan;
  const fs::path& folder = plan.settings.output_dir;
  if (plan.replaces_earlier_run) notice(remove_earlier_run(folder));
  if (plan.continues_with_another_schedule) notice(forget_finished_run(folder));
  // What could not be removed in the last sitting, or stays for a larger SAVE_TOTAL_LIMIT.
  const auto rotate = [&](const TrainerState& state) {
    notice(rotate_checkpoints(folder, state, rotation_rule(plan.settings, plan.steps)));
  };
  if (prepared.finished) rotate(state_at_the_end(*prepared.finished));
  if (prepared.start.checkpoint) rotate(prepared.start.checkpoint->state);
}

}  // namespace

TrainingOutcome train(const TrainingSettings& asked, RunListener& listener, TrainingSignals& signals,
                      Communicator* ranks) {
  NoticeOnce notice(listener);
  PreparedRun prepared = prepare_run(asked, listener, notice, ranks);
  const RunPlan& plan = *prepared.plan;
  clear_the_way(prepared, notice);
  if (prepared.finished) {
    TrainingOutcome outcome = outcome_of(*prepared.finished, plan);
    outcome.already_finished = true;
    listener.on_end(end_of(*prepared.finished, plan, nullptr));
    return outcome;
  }
  TrainingRun run({plan, listener, notice, signals, ranks});
  listener.on_start(start_of(plan, prepared.start, ranks));
  run.start(prepared.start);
  prepared.start = {};  // gives its memory back
  if (const int stopped_by = run.run(); stopped_by != 0) {
    TrainingOutcome outcome = outcome_of({.steps = run.state().global_step}, plan);
    outcome.stopped_by = stopped_by;
    return outcome;
  }
  const FinishedRun finished = run.finish();
  listener.on_end(end_of(finished, plan, &run.wall_time()));
  return outcome_of(finished, plan);
}

void plan_training(const TrainingSettings& asked, RunListener& listener) {
  NoticeOnce notice(listener);
  const PreparedRun prepared = prepare_run(asked, listener, notice);
  listener.on_start(start_of(*prepared.plan, prepared.start, nullptr));
}

}  // namespace strider
