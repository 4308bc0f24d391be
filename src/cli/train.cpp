// strider train: a Llama is trained on the walks of a dataset folder.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <memory>

#include "base/error.h"
#include "base/machine.h"
#include "base/shell_word.h"
#include "base/thread_team.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "cli/setting_options.h"
#include "cli/signals.h"
#include "report/metrics_file.h"
#include "report/training_report.h"
#include "train/trainer.h"

namespace strider::cli {
namespace {

struct Options {
  TrainingSettings settings;
  bool no_cuda = false;
  std::string logging_dir;  // of metrics.jsonl; empty: the output folder
};

void print_next_step(const std::string& program, const TrainingOutcome& outcome) {
  // The script that called the program knows the variables that its user has set.
  const char* const script = std::getenv("STRIDER_NEXT_STEP");
  const std::string command =
      script != nullptr && *script != '\0'
          ? std::string(script)
          : fmt::format("{} extract --model_dir {} --output_dir {}", shell_word(program),
                        shell_word(outcome.final_model.string()),
                        shell_word((outcome.final_model.parent_path() / "token_representations").string()));
  say("\nNext step: Extract representations with\n  {}\n", command);
}

std::string stopped_text(const TrainingOutcome& outcome) {
  if (outcome.steps == 0) {
    return fmt::format(
        "\nStopped by signal {} before the first step was done, so there is nothing to save.\n"
        "The same command begins anew.",
        outcome.stopped_by);
  }
  return fmt::format(
      "\nStopped after step {} by signal {}; a checkpoint is written. "
      "The same command goes on from there.",
      outcome.steps, outcome.stopped_by);
}

void run_train(const std::string& program, const Options& options) {
  say("{}\nGraph Walk Model Training\n{}\n\n", kRule, kRule);
  std::fflush(stdout);
  Screen screen(stdout, isatty(STDOUT_FILENO) == 1);
  TrainingReport report(screen);
  const TrainingSettings& settings = options.settings;
  MetricsFile metrics(options.logging_dir.empty() ? settings.output_dir : std::filesystem::path(options.logging_dir));
  RunListeners listeners({&report, &metrics});
  if (!options.no_cuda) report.on_notice("USE_CPU=false: this version has no GPU code, so it trains on the CPU");
  TrainingSignals signals;
  TrainingOutcome outcome;
  {
    const SignalScope scope(signals);
    outcome = train(settings, listeners, signals);
  }
  screen.clear_status();
  if (outcome.already_finished) {
    say("This run is finished: {} steps, its model is in {}\nOVERWRITE=true (--overwrite) trains it anew.\n",
        outcome.steps, outcome.final_model.string());
    print_next_step(program, outcome);
    return;
  }
  if (outcome.stopped_by != 0) {
    screen.line(stopped_text(outcome));
    constexpr int kSignalled = 128;
    throw CLI::RuntimeError(kSignalled + outcome.stopped_by);
  }
  print_next_step(program, outcome);
}

void add_files(CLI::App& command, Options& options) {
  TrainingSettings& s = options.settings;
  auto path = [&](const std::string& option, std::filesystem::path& place, const std::string& help) {
    return command.add_option(SettingOptions::names(option), place, help)->type_name("PATH");
  };
  path("dataset_dir", s.dataset_dir, "Dataset folder, as strider dataset writes it")->required();
  path("config", s.config, "Model configuration (a Llama config.json); the dataset gives the vocabulary")->required();
  path("output_dir", s.output_dir, "Folder for checkpoints and final_model")->default_val("output");
  command.add_option_function<std::string>(
      "--init_from,--init-from",
      [&s](const std::string& folder) {
        if (!folder.empty()) s.init_from = folder;
      },
      "Model folder whose weights to start from; without it they are drawn from the seed");
  command.add_option("--logging_dir,--logging-dir", options.logging_dir,
                     "Folder of metrics.jsonl, a line per event while the run goes [the output folder]");
}

void add_settings(CLI::App& command, Options& options) {
  SettingOptions add(command);
  TrainingSettings& s = options.settings;
  add.number("epochs", "EPOCHS", s.epochs, "Passes over the training walks; may be a fraction");
  add.number("batch_size", "BATCH_SIZE", s.batch_size, "Walks a micro-batch");
  add.number("gradient_accumulation_steps", "GRAD_ACCUM", s.gradient_accumulation_steps, "Micro-batches a step");
  add.number("learning_rate", "LEARNING_RATE", s.learning_rate, "Peak learning rate");
  add.number("max_length", "MAX_LENGTH", s.max_length, "Tokens a walk; longer walks are cut");
  add.number("save_steps", "SAVE_STEPS", s.save_steps, "Steps between checkpoints; set alone, EVAL_STEPS follows",
             &s.is_save_steps_set);
  add.number("eval_steps", "EVAL_STEPS", s.eval_steps, "Steps between evaluations; set alone, SAVE_STEPS follows",
             &s.is_eval_steps_set);
  add.flag("final_evaluation", "FINAL_EVALUATION", s.final_evaluation,
           "Evaluate the last step too, where EVAL_STEPS does not divide it");
  add.number("logging_steps", "LOGGING_STEPS", s.logging_steps, "Steps between log entries");
  add.number("seed", "SEED", s.seed, "Seed of the weights and of the order of walks");
  add.number("max_steps", "MAX_STEPS", s.max_steps, "Steps of the run and its schedule; 0: all epochs");
  add.number("warmup_steps", "WARMUP_STEPS", s.warmup_steps, "Steps in which the learning rate rises from 0");
  std::vector<std::pair<std::string, std::string>> optimizers;
  for (const std::string_view name : update_rule_names()) optimizers.emplace_back(name, name);
  add.choice<std::string>("optimizer", "OPTIMIZER", optimizers, s.optimizer,
                          "adamw, or sgd (stochastic gradient descent with momentum)");
  add.number("momentum", "MOMENTUM", s.momentum, "Momentum of sgd");
  add.number("weight_decay", "WEIGHT_DECAY", s.weight_decay, "Weight decay, on matrices and embeddings");
  add.number("max_grad_norm", "MAX_GRAD_NORM", s.max_grad_norm, "Gradients are clipped to this norm; 0: not");
  add.choice<LrScheduler>(
      "lr_scheduler", "LR_SCHEDULER",
      {{"linear", LrScheduler::kLinear}, {"cosine", LrScheduler::kCosine}, {"constant", LrScheduler::kConstant}},
      s.lr_scheduler, "linear, cosine, or constant (which has no warmup)");
  add.number_or<std::int64_t>("all", 0, "save_total_limit", "SAVE_TOTAL_LIMIT", s.save_total_limit,
                              "Checkpoints to keep, the newest and the best among them; or all");
  add.choice<LossDenominator>(
      "loss_denominator", "LOSS_DENOMINATOR",
      {{"predictions", LossDenominator::kPredictions}, {"labels", LossDenominator::kLabels}}, s.loss_denominator,
      "What the sum of losses is divided by: predictions (a mean), or labels (as transformers does)");
  add.number_or<int>("all", available_processors(), "threads", "THREADS", s.threads, "Threads; or all");
  add.choice<std::optional<Precision>>(
      "precision", "PRECISION",
      {{"float32", Precision::kFloat32}, {"bfloat16", Precision::kBfloat16}, {"auto", std::nullopt}}, s.precision,
      "Operands of matrix products: float32, bfloat16 (sums and weights stay float32), or auto (the faster one here)");
  add.choice<bool>("resume", "RESUME", {{"auto", true}, {"never", false}}, s.resume,
                   "auto: go on with an interrupted run of the same settings; or never");
  add.flag("overwrite", "OVERWRITE", s.overwrite,
           "Replace a finished run, or one of other settings; with --resume never any run of Strider's");
  add.flag("continue", "CONTINUE", s.continue_run,
           "Go on from the newest checkpoint of a run whose EPOCHS, MAX_STEPS or learning rate were others");
  add.flag("no_cuda", "USE_CPU", options.no_cuda, "For a GPU to come; this version trains on the CPU either way");
}

}  // namespace

void add_train_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("train", "Train a Llama on a dataset of walks");
  auto options = std::make_shared<Options>();
  options->settings.threads = available_processors();
  add_files(*command, *options);
  add_settings(*command, *options);
  command->footer(
      "Ctrl-C (SIGINT), SIGTERM, SIGXCPU or a closed terminal (SIGHUP): a checkpoint is written, and the same command\n"
      "goes on later. A second one after two seconds ends the program at once.\n"
      "SIGUSR1, SIGUSR2: a checkpoint is written after the step, and the run goes on.\n\n"
      "Example: strider train --dataset_dir results/torus_30x40/dataset --config configs/config_2M_llama.json \\\n"
      "           --output_dir results/torus_30x40/2M_llama");
  command->callback([options, command] { run_train(command->get_parent()->get_name(), *options); });
}

}  // namespace strider::cli
