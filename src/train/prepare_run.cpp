#include <fmt/format.h>

#include <limits>

#include "base/error.h"
#include "base/machine.h"
#include "engine/choose_device.h"
#include "engine/precision_trial.h"
#include "model/folder.h"
#include "train/companions.h"
#include "train/early_end.h"
#include "train/fingerprint.h"
#include "train/held_dataset.h"
#include "train/memory.h"
#include "train/recipe.h"
#include "train/run_plan.h"
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

// The plan as far as it does not depend on the output folder.
RunPlan read_inputs(const TrainingSettings& asked, RunListener& listener, Communicator* ranks) {
  check_settings(asked);
  const auto notice = [&](const std::string& text) {
    if (!text.empty()) listener.on_notice(text);
  };
  WalkDataset dataset = open_dataset(asked.dataset_dir);
  for (const std::string& text : dataset.notices) notice(text);
  const LlamaConfig config = read_start_config(asked, dataset.vocab.vocab_size);
  RecipeResult recipe = with_recipe(asked, recipe_model(config));
  if (!recipe.text.empty()) notice(fmt::format("RECIPE={}: {}", name_of(asked.recipe), recipe.text));
  TrainingSettings settings = with_resolved_steps(recipe.settings, notice);
  check_parts(settings, config);
  dataset = without_empty_validation(std::move(dataset), notice);
  RunCompanions companions = companions_of_run(settings, dataset, config);
  for (const std::string& text : companions.notices) notice(text);
  if (config.vocab_size > dataset.vocab.vocab_size) {
    notice(fmt::format("The model has a vocabulary of {}, of which the dataset needs {}", config.vocab_size,
                       dataset.vocab.vocab_size));
  }
  check_save_steps(settings, dataset);
  check_predictions(dataset, settings);
  check_training_memory(settings, config, dataset, memory_limit_bytes(), ranks);
  const StepPlan steps = plan_steps(dataset.train.size(), settings);
  const std::optional<double> best_loss = best_loss_of(dataset, settings);
  check_early_end(settings, dataset.validation.has_value(), best_loss);
  return {.settings = std::move(settings),
          .dataset = std::move(dataset),
          .config = config,
          .steps = steps,
          .fingerprint = {},
          .companions = std::move(companions.files),
          .best_loss = best_loss};
}

// PRECISION=auto: as the run in the output folder, if this one may go on with it, else as a trial on this machine says.
Precision choose_precision(const RunPlan& plan, std::span<const float> weights, RunListener& listener) {
  if (plan.settings.precision) return *plan.settings.precision;
  if (!plan.replaces_earlier_run) {
    if (const auto earlier = precision_of_earlier_run(plan.settings.output_dir)) return *earlier;
  }
  EngineSettings rounded = engine_settings(plan.settings, plan.config, plan.dataset);
  rounded.precision = Precision::kBfloat16;
  if (plan.settings.device != Device::kCpu && !cuda_obstacle(plan.config, rounded)) {
    listener.on_notice("PRECISION=auto: bfloat16, which GPUs multiply many times as fast as float32");
    return Precision::kBfloat16;
  }
  const PrecisionTrial trial =
      try_precisions(plan.config, engine_settings(plan.settings, plan.config, plan.dataset), weights);
  const char* const name = name_of(trial.faster);
  listener.on_notice(has_bfloat16_products()
                         ? fmt::format("PRECISION=auto: {}, {:.2f} times as fast in a trial", name, trial.ratio)
                         : fmt::format("PRECISION=auto: {}, since this processor has no bfloat16 products", name));
  return trial.faster;
}

// Which machine the run is on. A GPU has to show first that it computes what the CPU does.
Device choose_machine(const RunPlan& plan, std::span<const float> weights, RunListener& listener) {
  const EngineSettings engine = engine_settings(plan.settings, plan.config, plan.dataset);
  const DeviceChoice choice = choose_device(plan.settings.device, plan.config, engine);
  if (choice.device == Device::kCuda) check_device(plan.config, engine, weights);
  if (plan.settings.device != Device::kCpu) listener.on_notice(choice.why);
  return choice.device;
}

// Only that of a GPU is not the memory that the walks are in anyway.
bool engine_can_hold_dataset(const RunPlan& plan, RunListener& listener) {
  if (plan.settings.device != Device::kCuda) return false;
  EngineSettings engine = engine_settings(plan.settings, plan.config, plan.dataset);
  engine.held_tokens = dataset_tokens(plan.dataset, plan.settings.max_length);
  const HoldingChoice choice = choose_holding(plan.config, engine);
  listener.on_notice(choice.why);
  return choice.holds;
}

EarlierRun look_for_earlier_run(const RunPlan& plan, Precision precision) {
  const ParameterLayout layout(plan.config);
  const EngineSettings engine = engine_settings(plan.settings, plan.config, plan.dataset);
  nlohmann::json fingerprint = plan.fingerprint;
  fingerprint["precision"] = name_of(precision);
  return find_earlier_run(plan.settings.output_dir, layout, optimizer_state_of(layout, engine.groups), fingerprint,
                          plan.settings.continue_run);
}

// What the settings say of the run that was found. Returns whether it is to be replaced; throws Error where it is in
// the way.
bool replaces(const EarlierRun& earlier, const TrainingSettings& settings, RunListener& listener) {
  const std::string folder = settings.output_dir.string();
  for (const std::string& text : earlier.passed_over) listener.on_notice(text);
  if (earlier.obstacle) {
    if (!settings.overwrite) throw Error(*earlier.obstacle);
    listener.on_notice(fmt::format("OVERWRITE=true replaces what is there: {}", earlier.obstacle->message()));
    return true;
  }
  if (earlier.finished && settings.overwrite) {
    listener.on_notice(fmt::format("OVERWRITE=true replaces the finished run in {}", folder));
    return true;
  }
  if (!earlier.checkpoint) return false;
  if (!settings.resume) refuse_to_resume(settings.output_dir, earlier.name);
  if (settings.overwrite) {
    listener.on_notice(
        fmt::format("OVERWRITE=true replaces no interrupted run of the same settings: it goes on from {} (with "
                    "RESUME=never as well it "
                    "would begin anew)",
                    earlier.name));
  }
  return false;
}

// CONTINUE=true: the schedule that `earlier` goes on with begins at its newest checkpoint.
void check_continuation(const EarlierRun& earlier, const RunPlan& plan, RunListener& listener) {
  if (!plan.settings.continue_run) return;
  if (!earlier.checkpoint) {
    listener.on_notice("CONTINUE=true: there is no run to continue, so a new one begins");
    return;
  }
  if (earlier.continued.empty()) return;
  const std::int64_t done = earlier.checkpoint->state.global_step;
  if (plan.steps.max_steps <= done) {
    throw Error(fmt::format("nothing is left to do: {} steps are done, and these settings end after {}", done,
                            plan.steps.max_steps),
                {.file = plan.settings.output_dir.string(),
                 .place = earlier.name,
                 .advice = "CONTINUE=true wants more EPOCHS or MAX_STEPS than the run has made; both count from its "
                           "first step."});
  }
  listener.on_notice(fmt::format("CONTINUE=true: goes on from {} with another schedule, which begins at that step ({})",
                                 earlier.name, earlier.continued));
}

void warn_of_processor(const RunPlan& plan, const EarlierRun& earlier, RunListener& listener) {
  const std::string before = earlier.checkpoint ? earlier.checkpoint->state.vectors : std::string();
  if (!before.empty() && before != vector_instructions()) {
    listener.on_notice(fmt::format(
        "The checkpoint was written on a processor with {}, this one has {}: the last bits may differ from here on",
        before, vector_instructions()));
  }
  if (plan.settings.device == Device::kCpu && plan.settings.precision == Precision::kBfloat16 &&
      !has_bfloat16_products()) {
    listener.on_notice("This processor has no bfloat16 products: PRECISION=bfloat16 is slower than float32 here.");
  }
}

}  // namespace

PreparedRun prepare_run(const TrainingSettings& asked, RunListener& listener, NoticeOnce& notice, Communicator* ranks) {
  RunPlan plan = read_inputs(asked, listener, ranks);
  std::vector<float> weights = initial_weights(plan.settings, plan.config, ParameterLayout(plan.config));
  plan.fingerprint = run_fingerprint(plan.settings, plan.config, plan.dataset, weights);

  const fs::path& folder = plan.settings.output_dir;
  auto lock = std::make_unique<const RunLock>(folder);
  notice(lock->notices());
  listener.check(folder.string());
  refuse_foreign_folders(folder);
  plan.replaces_earlier_run = (plan.settings.overwrite && !plan.settings.resume) || removal_was_interrupted(folder);
  Precision precision = choose_precision(plan, weights, listener);
  EarlierRun earlier;
  if (!plan.replaces_earlier_run) {
    earlier = look_for_earlier_run(plan, precision);
    if (replaces(earlier, plan.settings, listener)) {
      earlier = {};
      plan.replaces_earlier_run = true;
      precision = choose_precision(plan, weights, listener);
    }
  }
  plan.settings.precision = precision;
  plan.fingerprint["precision"] = name_of(precision);
  if (!earlier.finished) {
    plan.settings.device = choose_machine(plan, weights, listener);
    plan.engine_holds_dataset = engine_can_hold_dataset(plan, listener);
    for (const std::string& warning : plan_warnings(plan.settings, plan.dataset, plan.steps)) {
      listener.on_notice(warning);
    }
    check_continuation(earlier, plan, listener);
    warn_of_processor(plan, earlier, listener);
  }
  plan.steps.schedule_start = earlier.schedule_start;
  if (earlier.schedule_start > 0) plan.fingerprint["schedule_start"] = earlier.schedule_start;
  plan.continues_with_another_schedule = !earlier.continued.empty();
  if (earlier.checkpoint) {
    plan.resumed_from = earlier.name;
    weights = {};
  }
  return {.lock = std::move(lock),
          .plan = std::make_unique<const RunPlan>(std::move(plan)),
          .start = {.weights = std::move(weights), .checkpoint = std::move(earlier.checkpoint)},
          .finished = earlier.finished};
}

}  // namespace strider
