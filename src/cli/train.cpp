// strider train: a Llama is trained on the walks of a dataset folder.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <memory>
#include <utility>

#include "base/error.h"
#include "base/shell_word.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "cli/setting_options.h"
#include "cli/signals.h"
#include "report/metrics_file.h"
#include "report/screen.h"
#include "report/tensorboard_events.h"
#include "report/training_report.h"
#include "train/settings_table.h"
#include "train/trainer.h"

namespace strider::cli {
namespace {

// For which programs curves are written, beside metrics.jsonl; kAll: for those that this build can write for.
enum class ReportTo { kAll, kTensorBoard, kNone };

struct Options {
  TrainingSettings settings;
  bool no_cuda = false;
  ReportTo report_to = ReportTo::kAll;
  std::filesystem::path logging_dir;  // of metrics.jsonl and event files; empty: the output folder
};

// Throws Error where what is asked for cannot be written.
std::unique_ptr<RunListener> make_curves(const Options& options, const std::filesystem::path& folder) {
  const bool has_histograms = options.settings.histogram_steps > 0;
  if (options.report_to == ReportTo::kNone && has_histograms) {
    throw Error("HISTOGRAM_STEPS asks for histograms, and with REPORT_TO=none there are no event files to hold them",
                {.file = {}, .place = {}, .advice = "Set REPORT_TO=tensorboard (--report_to), or HISTOGRAM_STEPS=0."});
  }
  const bool as_it_can = options.report_to == ReportTo::kAll && !has_histograms;
  const bool none = options.report_to == ReportTo::kNone || (as_it_can && !has_tensorboard_events());
  return none ? std::make_unique<RunListener>() : make_tensorboard_events(folder);
}

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
  const std::filesystem::path& log_folder = options.logging_dir.empty() ? settings.output_dir : options.logging_dir;
  MetricsFile metrics(log_folder);
  const std::unique_ptr<RunListener> curves = make_curves(options, log_folder);
  RunListeners listeners({&report, &metrics, curves.get()});
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

// What only the command itself uses.
std::vector<Setting<Options>> command_settings() {
  using namespace settings;
  return {
      Setting("report_to", "REPORT_TO",
              choice(&Options::report_to,
                     {{"all", ReportTo::kAll}, {"tensorboard", ReportTo::kTensorBoard}, {"none", ReportTo::kNone}}),
              any_value(), "tensorboard: event files in LOG_DIR; none; or all: what this build can write"),
      Setting("logging_dir", "LOG_DIR", path(&Options::logging_dir), any_value(),
              "Folder of metrics.jsonl and event files, written while the run goes [the output folder]"),
      Setting("no_cuda", "USE_CPU", toggle(&Options::no_cuda), any_value(),
              "For a GPU to come; this version trains on the CPU either way"),
  };
}

// The options of the settings that CONTINUE=true may change, some on each line.
std::string continuable_options() {
  constexpr std::size_t kWidth = 110;
  std::string text, line;
  for (const TrainingSetting& setting : training_settings_table()) {
    if (setting.facts().on_resume != OnResume::kMayBeContinued) continue;
    const std::string name = "--" + setting.facts().option;
    if (line.size() + name.size() > kWidth) text += std::exchange(line, "") + ",\n";
    line += (line.empty() ? "  " : ", ") + name;
  }
  return text + line;
}

}  // namespace

void add_train_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("train", "Train a Llama on a dataset of walks");
  auto options = std::make_shared<Options>();
  add_settings(*command, training_settings_table(), options->settings);
  add_settings(*command, command_settings(), *options);
  command->footer(fmt::format(
      "Words in capitals are the variables of 02a_model_training.sh, and brackets have the defaults. An option whose\n"
      "default is false may be given without a value, which means true.\n\n"
      "--continue allows other values of\n{}\n\n"
      "Ctrl-C (SIGINT), SIGTERM, SIGXCPU or a closed terminal (SIGHUP): a checkpoint is written, and the same command\n"
      "goes on later. A second one after two seconds ends the program at once.\n"
      "SIGUSR1, SIGUSR2: a checkpoint is written after the step, and the run goes on.\n\n"
      "Example: strider train --dataset_dir results/torus_30x40/dataset --config configs/config_2M_llama.json \\\n"
      "           --output_dir results/torus_30x40/2M_llama",
      continuable_options()));
  command->callback([options, command] { run_train(command->get_parent()->get_name(), *options); });
}

}  // namespace strider::cli
