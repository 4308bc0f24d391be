// strider train: a Llama is trained on the walks of a dataset folder.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/shell_word.h"
#include "cli/commands.h"
#include "cli/ranks.h"
#include "cli/say.h"
#include "cli/setting_options.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "io/atomic_file.h"
#include "report/metrics_file.h"
#include "report/screen.h"
#include "report/tensorboard_events.h"
#include "report/training_report.h"
#include "snapshots/along_run.h"
#include "train/settings_table.h"
#include "train/trainer.h"

namespace strider::cli {
namespace {

// For which programs curves are written, beside metrics.jsonl; kAll: for those that this build can write for.
enum class ReportTo { kAll, kTensorBoard, kNone };

struct Options {
  TrainingSettings settings;
  bool no_cuda = false;  // DEVICE=cpu
  ReportTo report_to = ReportTo::kAll;
  bool json = false;  // one object on stdout at the end; what a person reads then goes to stderr
  std::vector<std::string> representations = {"after_block"};  // that REPRESENTATION_STEPS takes
  std::optional<std::filesystem::path> graph_dir;              // that GEOMETRY_STEPS compares with
  std::filesystem::path logging_dir;  // of metrics.jsonl and event files; empty: the output folder
  RankOptions ranks;
  std::filesystem::path plan;  // where to write what the run takes, instead of training; empty: train
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

void print_next_step(std::FILE* out, const std::string& program, const TrainingOutcome& outcome) {
  // The script that called the program knows the variables that its user has set.
  const char* const script = std::getenv("STRIDER_NEXT_STEP");
  const std::string command =
      script != nullptr && *script != '\0'
          ? std::string(script)
          : fmt::format("{} extract --model_dir {} --output_dir {}", shell_word(program),
                        shell_word(outcome.final_model.string()),
                        shell_word((outcome.final_model.parent_path() / "token_representations").string()));
  say(out, "\nNext step: Extract representations with\n  {}\n", command);
}

TrainingSettings settings_of(const Options& options) {
  TrainingSettings settings = options.settings;
  if (!options.no_cuda) return settings;
  if (settings.device == Device::kCuda) {
    throw Error("USE_CPU=true and DEVICE=cuda (--no_cuda, --device) ask for two machines",
                {.file = {}, .place = {}, .advice = "Leave one of them out."});
  }
  settings.device = Device::kCpu;
  return settings;
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

// Keeps what --json prints at the end.
class JsonReport : public RunListener {
 public:
  void on_start(const RunStarted& event) override {
    run_ = {{"config", event.config},
            {"dataset_dir", event.dataset_dir},
            {"output_dir", event.output_dir},
            {"vocab_size", event.vocab_size},
            {"hidden_size", event.hidden_size},
            {"layers", event.layers},
            {"heads", event.heads},
            {"key_value_heads", event.key_value_heads},
            {"intermediate_size", event.intermediate_size},
            {"parameters", event.parameters},
            {"embedding_parameters", event.embedding_parameters},
            {"train_walks", event.train_walks},
            {"validation_walks", event.validation_walks},
            {"tokens_per_epoch", event.tokens_per_epoch},
            {"max_steps", event.max_steps},
            {"first_step", event.first_step},
            {"walks_per_step", event.walks_per_step},
            {"schedule", event.schedule},
            {"precision", event.precision},
            {"loss_denominator", event.loss_denominator},
            {"threads", event.threads},
            {"ranks", event.ranks},
            {"memory_bytes", event.memory_bytes},
            {"memory_limit", event.memory_limit},
            {"processor", event.processor},
            {"vectors", event.vectors},
            {"peak_flops", event.peak_flops},
            {"arithmetic_seconds", event.arithmetic_seconds_of_steps()},
            {"evaluation_arithmetic_seconds", event.arithmetic_seconds_of_evaluations()}};
  }
  void on_notice(const std::string& text) override { notices_.push_back(text); }
  void on_end(const RunEnded& event) override { seconds_ = event.seconds; }

  std::string text_of_plan() const { return nlohmann::ordered_json{{"plan", run_}, {"notices", notices_}}.dump(2); }

  std::string text(const TrainingOutcome& outcome) const {
    const auto or_null = [](const auto& value) { return value ? nlohmann::ordered_json(*value) : nullptr; };
    const bool is_finished = outcome.stopped_by == 0;
    const nlohmann::ordered_json object = {
        {"plan", run_},  // null where an earlier sitting had finished the run
        {"result",
         {{"steps", outcome.steps},
          {"finished", is_finished},
          {"already_finished", outcome.already_finished},
          {"stopped_by_signal", is_finished ? nlohmann::ordered_json() : nlohmann::ordered_json(outcome.stopped_by)},
          {"final_model", is_finished ? nlohmann::ordered_json(outcome.final_model.string()) : nullptr},
          {"best_checkpoint",
           outcome.best_checkpoint.empty() ? nullptr : nlohmann::ordered_json(outcome.best_checkpoint)},
          {"averaged_steps", outcome.averaged_steps},
          {"eval_loss", or_null(outcome.final_eval_loss)},
          {"eval_loss_per_prediction", or_null(outcome.final_eval_per_prediction)},
          {"best_possible_loss", or_null(outcome.best_loss)},
          {"seconds", is_finished ? nlohmann::ordered_json(seconds_) : nullptr}}},
        {"notices", notices_}};
    return object.dump(2);
  }

 private:
  nlohmann::ordered_json run_;
  std::vector<std::string> notices_;
  double seconds_ = 0.0;  // trained, over all sittings
};

// A rank other than 0, which passes on signals that only it gets.
void serve_rank(Communicator& ranks, const TrainingSettings& settings) {
  constexpr int kNoOutput = -1;
  TrainingSignals signals;
  const SignalScope scope(signals, kNoOutput);
  ranks.signal_here = [&signals] { return signals.stop.load(); };
  follow_rank(ranks, settings.threads);
}

void train_here(const std::string& program, const Options& options, const TrainingSettings& settings,
                Communicator& ranks) {
  std::FILE* const out = options.json ? stderr : stdout;
  say(out, "{}\nGraph Walk Model Training\n{}\n\n", kRule, kRule);
  std::fflush(out);
  Screen screen(out, can_redraw(fileno(out)));
  TrainingReport report(screen);
  JsonReport json;
  if (!options.plan.empty()) {
    RunListeners readers({&report, &json});
    plan_training(settings, readers);
    print_notices(out, write_file_atomically(options.plan, json.text_of_plan() + "\n"));
    say(out, "Plan: {}; nothing was trained\n", options.plan.string());
    return;
  }
  const std::filesystem::path& log_folder = options.logging_dir.empty() ? settings.output_dir : options.logging_dir;
  MetricsFile metrics(log_folder);
  const std::unique_ptr<RunListener> curves = make_curves(options, log_folder);
  RunListeners readers({&report, &metrics, curves.get(), &json});
  const std::unique_ptr<RunListener> representations =
      make_representations_along_run(settings.output_dir, options.representations, settings.threads);
  const std::unique_ptr<RunListener> geometry =
      settings.geometry_steps > 0
          ? make_geometry_along_run(settings.output_dir, options.graph_dir, settings.threads, readers)
          : std::make_unique<RunListener>();
  RunListeners listeners({&readers, representations.get(), geometry.get()});
  TrainingSignals signals;
  TrainingOutcome outcome;
  {
    const SignalScope scope(signals, fileno(out));
    ranks.on_signal_elsewhere = [&signals](int signal) {
      std::int64_t none = 0;
      if (signals.stop_at.compare_exchange_strong(none, steady_nanoseconds())) signals.stop.store(signal);
    };
    outcome = train(settings, listeners, signals, &ranks);
  }
  screen.clear_status();
  if (options.json) say("{}\n", json.text(outcome));
  if (outcome.already_finished) {
    say(out, "This run is finished: {} steps, its model is in {}\nOVERWRITE=true (--overwrite) trains it anew.\n",
        outcome.steps, outcome.final_model.string());
    print_next_step(out, program, outcome);
    return;
  }
  if (outcome.stopped_by != 0) {
    screen.line(stopped_text(outcome));
    constexpr int kSignalled = 128;
    throw CLI::RuntimeError(kSignalled + outcome.stopped_by);
  }
  print_next_step(out, program, outcome);
}

void run_train(const std::string& program, const Options& options) {
  const std::unique_ptr<Communicator> ranks = ranks_of(options.ranks);
  TrainingSettings settings = settings_of(options);
  if (ranks->size() > 1) {
    if (settings.device == Device::kCuda) {
      throw Error(fmt::format("DEVICE=cuda is one GPU, and {} ranks were started", ranks->size()),
                  {.file = {}, .place = {}, .advice = "Start it once, without mpirun; or set DEVICE=cpu."});
    }
    settings.device = Device::kCpu;
  }
  if (ranks->rank() > 0) {
    serve_rank(*ranks, settings);
    return;
  }
  lead_ranks(*ranks, [&] { train_here(program, options, settings, *ranks); });
}

// What only the command itself uses.
std::vector<Setting<Options>> command_settings() {
  using namespace settings;
  return {
      Setting("report_to", "REPORT_TO",
              choice(&Options::report_to,
                     {{"all", ReportTo::kAll}, {"tensorboard", ReportTo::kTensorBoard}, {"none", ReportTo::kNone}}),
              any_value(), "tensorboard: event files in LOG_DIR; none; or all: what this build can write"),
      Setting("logging_dir", "LOG_DIR", folder(&Options::logging_dir), any_value(),
              "Folder of metrics.jsonl and event files, written while the run goes [the output folder]"),
      Setting("graph_dir", "GRAPH_DIR", folder(&Options::graph_dir), any_value(),
              "Folder of the graph that --geometry_steps compares with [graph/ near the output folder]"),
      Setting(
          "plan", "PLAN", folder(&Options::plan), any_value(),
          "Check everything, write what the run takes (steps, memory, seconds of its arithmetic) to this JSON file, "
          "and train nothing"),
      Setting("no_cuda", "USE_CPU", toggle(&Options::no_cuda), any_value(), "The CPU, as DEVICE=cpu"),
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
  add_settings(*command, rank_settings(), options->ranks);
  command
      ->add_option("--representations", options->representations,
                   "Types that --representation_steps takes, with spaces or commas between (strider extract --help)")
      ->expected(1, CLI::detail::expected_max_vector_size)
      ->option_text("REPRESENTATIONS [after_block] ...")
      ->type_name(words_type(representation_type_names()));
  command->add_flag("--json", options->json,
                    "Print one JSON object at the end: plan, result and notices; the log goes to stderr");
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
