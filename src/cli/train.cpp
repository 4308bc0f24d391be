// strider train: a Llama is trained on the walks of a dataset folder.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "base/error.h"
#include "base/machine.h"
#include "base/thread_team.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "cli/setting_options.h"
#include "cli/signals.h"
#include "report/training_report.h"
#include "train/trainer.h"

namespace strider::cli {
namespace {

struct Options {
  TrainingSettings settings;
  bool no_cuda = false;
  std::string logging_dir;  // for logs of other tools; training itself writes none
};

// Tells the report what the run tells.
class ReportingObserver : public TrainingObserver {
 public:
  ReportingObserver(const Options& options, Screen& screen) : options_(options), report_(screen) {}

  void on_start(const RunFacts& facts) override { report_.start(summary(facts)); }
  void on_step(const StepFacts& facts) override {
    report_.step({.step = facts.step,
                  .loss = facts.loss,
                  .loss_per_prediction = facts.loss_per_prediction,
                  .tokens = static_cast<double>(facts.tokens),
                  .flops = facts.flops,
                  .seconds = facts.seconds},
                 TrainingReport::Clock::now());
  }
  void on_log(const LogEntry& entry) override {
    report_.log(value_of(entry, "loss"), value_of(entry, "learning_rate"), value_of(entry, "grad_norm"));
  }
  void on_evaluation(std::int64_t step, double loss, double loss_per_prediction) override {
    report_.evaluation(step, loss, loss_per_prediction, TrainingReport::Clock::now());
  }
  void on_checkpoint(std::int64_t step, const std::filesystem::path& folder) override {
    report_.checkpoint(step, folder.string(), TrainingReport::Clock::now());
  }
  void on_notice(const std::string& text) override { report_.notice(text); }
  void on_end(const TrainingOutcome& outcome) {
    const WallTime& time = outcome.wall_time;
    report_.end({.final_model = outcome.final_model.string(),
                 .output_dir = options_.settings.output_dir.string(),
                 .best_checkpoint = outcome.best_checkpoint,
                 .steps = outcome.steps,
                 .seconds = outcome.seconds,
                 .eval_loss = outcome.final_eval_loss,
                 .eval_per_prediction = outcome.final_eval_per_prediction,
                 .best_loss = outcome.best_loss,
                 .wall_seconds = {{"steps", time.steps},
                                  {"evaluation", time.evaluation},
                                  {"checkpoints", time.checkpoints},
                                  {"logging", time.logging}}});
  }

 private:
  static double value_of(const LogEntry& entry, const std::string& name) {
    for (const auto& [key, value] : entry.values) {
      if (key == name) return value;
    }
    throw Error("a log entry has no " + name);
  }

  TrainingSummary summary(const RunFacts& facts) const {
    const TrainingSettings& settings = options_.settings;
    TrainingSummary s;
    s.config = settings.config.string();
    s.dataset_dir = settings.dataset_dir.string();
    s.output_dir = settings.output_dir.string();
    s.hidden_size = facts.config.hidden_size;
    s.layers = facts.config.num_hidden_layers;
    s.heads = facts.config.num_attention_heads;
    s.key_value_heads = facts.config.num_key_value_heads;
    s.intermediate_size = facts.config.intermediate_size;
    s.vocab_size = facts.config.vocab_size;
    s.parameters = facts.parameters;
    s.embedding_parameters = facts.embedding_parameters;
    s.train_walks = facts.plan.walks;
    s.validation_walks = facts.validation_walks;
    s.tokens_per_epoch = facts.tokens_per_epoch;
    s.max_length = settings.max_length;
    s.max_steps = facts.plan.max_steps;
    s.steps_per_epoch = facts.plan.steps_per_epoch;
    s.walks_per_step = settings.batch_size * settings.gradient_accumulation_steps;
    s.eval_steps = settings.eval_steps;
    s.schedule = fmt::format("{}, peak {}, {} steps of warmup", name_of(settings.lr_scheduler), settings.learning_rate,
                             settings.lr_scheduler == LrScheduler::kConstant ? 0 : settings.warmup_steps);
    s.loss_denominator = name_of(settings.loss_denominator);
    s.precision = name_of(facts.precision);
    s.best_loss = facts.best_loss;
    s.memory_bytes = facts.memory_bytes;
    s.memory_limit = facts.memory_limit;
    if (!options_.no_cuda) s.device = "USE_CPU=false: this build has no GPU support, so it trains on the CPU";
    s.processor = processor_name();
    s.vectors = vector_instructions();
    s.threads = settings.threads;
    s.peak_flops = measure_peak_flops(settings.threads);
    const double mean_length = static_cast<double>(facts.tokens_per_epoch) / static_cast<double>(facts.plan.walks);
    s.flops_per_epoch = static_cast<double>(facts.plan.walks) * training_flops(facts.config, std::lround(mean_length));
    s.first_step = facts.first_step;
    s.resumed_from = facts.resumed_from;
    return s;
  }

  const Options& options_;
  TrainingReport report_;
};

void print_next_step(const TrainingOutcome& outcome) {
  say("\nNext step: Extract representations with\n  ./02b_representation_extraction.sh\nor\n"
      "  strider extract --model_dir {} --output_dir {}\n",
      outcome.final_model.string(), (outcome.final_model.parent_path() / "token_representations").string());
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

void run_train(const Options& options) {
  say("{}\nGraph Walk Model Training\n{}\n\n", kRule, kRule);
  std::fflush(stdout);
  Screen screen(stdout, isatty(STDOUT_FILENO) == 1);
  ReportingObserver observer(options, screen);
  TrainingSignals signals;
  TrainingOutcome outcome;
  {
    const SignalScope scope(signals);
    outcome = train(options.settings, observer, signals);
  }
  screen.clear_status();
  if (outcome.already_finished) {
    say("This run is finished: {} steps, its model is in {}\nOVERWRITE=true (--overwrite) trains it anew.\n",
        outcome.steps, outcome.final_model.string());
    print_next_step(outcome);
    return;
  }
  if (outcome.stopped_by != 0) {
    screen.line(stopped_text(outcome));
    constexpr int kSignalled = 128;
    throw CLI::RuntimeError(kSignalled + outcome.stopped_by);
  }
  observer.on_end(outcome);
  print_next_step(outcome);
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
                     "Folder for the logs of other tools; the whole log is in OUTPUT_DIR/trainer_state.json");
}

void add_settings(CLI::App& command, Options& options) {
  SettingOptions add(command);
  TrainingSettings& s = options.settings;
  add.number("epochs", "EPOCHS", s.epochs, "Passes over the training walks; may be a fraction");
  add.number("batch_size", "BATCH_SIZE", s.batch_size, "Walks a micro-batch");
  add.number("gradient_accumulation_steps", "GRAD_ACCUM", s.gradient_accumulation_steps, "Micro-batches a step");
  add.number("learning_rate", "LEARNING_RATE", s.learning_rate, "Peak learning rate");
  add.number("max_length", "MAX_LENGTH", s.max_length, "Tokens a walk; longer walks are cut");
  add.number("save_steps", "SAVE_STEPS", s.save_steps, "Steps between checkpoints");
  add.number("eval_steps", "EVAL_STEPS", s.eval_steps, "Steps between evaluations");
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
  add.flag("no_cuda", "USE_CPU", options.no_cuda, "Do not look for a GPU");
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
  command->callback([options] { run_train(*options); });
}

}  // namespace strider::cli
