// strider tune: a search for the values with which a model learns a dataset fastest.
#include "tune/tune.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "base/machine.h"
#include "base/thread_team.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "cli/setting_options.h"
#include "cli/signals.h"
#include "report/screen.h"

namespace strider::cli {
namespace {

std::string trial_text(const Trial& trial) {
  std::string text = fmt::format("loss {:.4f}", trial.loss);
  if (trial.surface) {
    text +=
        fmt::format("  neighbours {:.2f}  within two {:.2f}  geodesics {:.2f}  three components {:.2f}  score {:.4f}",
                    trial.surface->neighbours, trial.surface->within_two, trial.surface->geodesics,
                    trial.surface->components, trial.score);
  }
  return text + fmt::format("  {:.0f} s", trial.seconds);
}

class Lines : public TuneListener {
 public:
  void on_notice(const std::string& text) override { say("{}\n", text); }
  void on_plan(const std::vector<Rung>& rungs, std::size_t done, std::size_t all) override {
    for (std::size_t i = 0; i < rungs.size(); ++i) {
      say("  rung {}: {} runs of {:.2f} million tokens\n", i + 1, rungs[i].candidates,
          static_cast<double>(rungs[i].tokens) * 1e-6);
    }
    if (done > 0) say("Goes on: {} of {} runs are made\n", done, all);
    std::fflush(stdout);
  }
  void on_trial(const Trial& trial, const Candidate&, std::size_t done, std::size_t all) override {
    say("run {}/{}: rung {}, candidate {}: {}\n", done, all, trial.rung + 1, trial.candidate + 1, trial_text(trial));
    std::fflush(stdout);
  }
};

void run_tune(TuneSettings settings) {
  if (settings.threads == 0) settings.threads = available_processors();
  if (settings.output_dir.empty()) settings.output_dir = settings.dataset_dir.parent_path() / "tune";
  if (settings.graph_dir.empty()) settings.graph_dir = settings.dataset_dir.parent_path() / "graph";
  say("{}\nSearch for a fast recipe\n{}\n\n", kRule, kRule);
  say("Dataset: {}\nModel config: {}\nOutput: {}\nScore: {}\n", settings.dataset_dir.string(), settings.config.string(),
      settings.output_dir.string(),
      settings.keep_surface ? "loss, and what the surface in the best layer falls short of" : "loss");
  std::fflush(stdout);
  TrainingSignals signals;
  Lines lines;
  TuneOutcome outcome;
  {
    const SignalScope scope(signals, STDOUT_FILENO);
    outcome = tune(settings, lines, signals);
  }
  if (outcome.stopped_by != 0) {
    say("\nStopped by signal {}. The same command goes on from here.\n", outcome.stopped_by);
    constexpr int kSignalled = 128;
    throw CLI::RuntimeError(kSignalled + outcome.stopped_by);
  }
  say("\nBest: candidate {}, {}\n", outcome.best.candidate + 1, trial_text(outcome.best));
  say("To train with it:\n  {} ./02a_model_training.sh\n", outcome.variables);
  say("Saved: {}\n       {}\n", outcome.json.string(), outcome.chart.string());
}

std::vector<Setting<TuneSettings>> tune_table() {
  using namespace settings;
  using Row = Setting<TuneSettings>;
  using S = TuneSettings;
  constexpr double kMost = 1e15;
  return {
      Row("dataset_dir", "DATASET_DIR", path(&S::dataset_dir), any_value(),
          "Dataset folder, as strider dataset writes it; it has to have a validation split")
          .required(),
      Row("config", "CONFIG", path(&S::config), any_value(), "Model configuration (a Llama config.json)").required(),
      Row("output_dir", "OUTPUT_DIR", path(&S::output_dir), any_value(),
          "Folder of the search; else tune/ beside the dataset"),
      Row("keep_surface", "KEEP_SURFACE", toggle(&S::keep_surface), any_value(),
          "Score the surface in the representations too, not the loss alone"),
      Row("graph_dir", "GRAPH_DIR", path(&S::graph_dir), any_value(),
          "Folder of the graph, for that; else graph/ beside the dataset"),
      Row("candidates", "CANDIDATES", number(&S::candidates), between(1, 10'000), "Candidates of the first rung"),
      Row("tokens", "TOKENS", number(&S::tokens), between(1000, kMost), "Tokens of each of the longest runs"),
      Row("max_minutes", "MAX_MINUTES", number(&S::max_minutes), at_least(0),
          "Fewer candidates, where all would take longer than this; 0: no limit"),
      Row("seed", "SEED", number(&S::seed), any_value(), "Draws the candidates"),
      Row("max_length", "MAX_LENGTH", number(&S::max_length), between(2, 1 << 20),
          "Tokens per walk; longer ones are cut"),
      Row("precision", "PRECISION",
          choice(&S::precision,
                 {{"float32", Precision::kFloat32}, {"bfloat16", Precision::kBfloat16}, {"auto", std::nullopt}}),
          any_value(), "Operands of matrix products: float32, bfloat16, or auto"),
      Row("threads", "THREADS", number(&S::threads).or_word("all", 0), between(1, kMostThreads), "Threads; or all"),
  };
}

}  // namespace

void add_tune_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("tune", "Search for the settings that train a dataset fastest");
  auto settings = std::make_shared<TuneSettings>();
  settings->threads = 0;  // all
  add_settings(*command, tune_table(), *settings);
  command->footer(
      "Successive halving: all candidates make short runs, the best third of them runs of three times the length, and\n"
      "so on. The first candidate is RECIPE=fast, or without --keep_surface RECIPE=lowest-loss; the others are drawn\n"
      "around it. It can be stopped at any time (Ctrl-C), and the same command goes on.\n\n"
      "Example: strider tune --dataset_dir results/klein_x_20x20/dataset --config configs/config_400K_llama.json \\\n"
      "           --tokens 1000000 --max_minutes 30 --keep_surface");
  command->callback([settings] { run_tune(*settings); });
}

}  // namespace strider::cli
