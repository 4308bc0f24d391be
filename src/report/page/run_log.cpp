#include "report/page/run_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <optional>

#include "base/exists.h"
#include "base/whole_number.h"
#include "io/json.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::optional<double> number_in(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  const double value = found->get<double>();
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

void add_point(Series& series, double step, const std::optional<double>& value) {
  // A step that comes again, or goes back, would make a curve that runs backwards.
  if (!value || (!series.step.empty() && step <= series.step.back())) return;
  series.step.push_back(step);
  series.value.push_back(*value);
}

void add_entry(RunLog& log, const json& entry) {
  const std::optional<double> step = number_in(entry, "step");
  if (!step) return;
  const auto either = [&](const char* first, const char* second) {
    const std::optional<double> value = number_in(entry, first);
    return value ? value : number_in(entry, second);
  };
  add_point(log.loss, *step, either("loss_per_prediction", "loss"));
  add_point(log.evaluation, *step, either("eval_loss_per_prediction", "eval_loss"));
  add_point(log.learning_rate, *step, number_in(entry, "learning_rate"));
  add_point(log.gradient_norm, *step, number_in(entry, "grad_norm"));
}

// Whether a line is what metrics_file.h says, of a later step than those before.
bool is_geometry(const json& line, const RunLog& log) {
  const std::optional<double> step = number_in(line, "step");
  return step && line.contains("arrays") && line["arrays"].is_object() &&
         (log.geometry.empty() || *step > log.geometry.back()["step"].get<double>());
}

// Tokens and seconds by step, as the log lines have them.
class Progress {
 public:
  void add(const json& entry) {
    const auto step = number_in(entry, "step"), tokens = number_in(entry, "tokens"),
               rate = number_in(entry, "tokens_per_second");
    if (!step || !tokens || *step <= step_.back() || *tokens < tokens_.back()) return;
    // Of a run that went on, the rate is that of the steps since then.
    if (rate && *rate > 0) seconds_passed_ += (*tokens - tokens_.back()) / *rate;
    has_seconds_ = has_seconds_ && rate.has_value();
    step_.push_back(*step);
    tokens_.push_back(*tokens);
    seconds_.push_back(seconds_passed_);
  }

  void give(Series& series) const {
    if (step_.size() < 2) return;
    for (const double step : series.step) {
      series.tokens.push_back(interpolate(step_, tokens_, step));
      if (has_seconds_) series.seconds.push_back(interpolate(step_, seconds_, step));
    }
  }

 private:
  std::vector<double> step_{0.0}, tokens_{0.0}, seconds_{0.0};
  double seconds_passed_ = 0;
  bool has_seconds_ = true;
};

void read_lines(const fs::path& file, RunLog& log, Missing& missing) {
  Progress progress;
  std::ifstream stream(file, std::ios::binary);
  std::size_t line_number = 0, damaged = 0, first_damaged = 0;
  bool is_torn = false;
  for (std::string text; std::getline(stream, text);) {
    ++line_number;
    json line = json::parse(text, nullptr, false);
    const std::string event = line.is_object() && line.contains("event") && line["event"].is_string()
                                  ? line["event"].get<std::string>()
                                  : std::string();
    if (event.empty()) {
      is_torn = stream.eof();
      if (!is_torn && ++damaged == 1) first_damaged = line_number;
      continue;
    }
    if (event == "log") progress.add(line);
    if (event == "log" || event == "evaluation") add_entry(log, line);
    if (event == "geometry" && is_geometry(line, log)) log.geometry.push_back(std::move(line));
    if (event == "run") log.run = std::move(line);
    if (event == "end") log.end = std::move(line);
  }
  if (stream.bad() || line_number == 0)
    missing.add(fmt::format("Curves: {} is empty or cannot be read.", file.string()));
  if (is_torn) {
    missing.add(fmt::format("The last log entry: line {} of {} has no end; the run writes it now, or was killed then.",
                            line_number, file.string()));
  }
  if (damaged > 0) {
    missing.add(fmt::format("{} log {}: line {} of {} is damaged{}.", damaged, damaged == 1 ? "entry" : "entries",
                            first_damaged, file.string(), damaged == 1 ? "" : " (the first of them)"));
  }
  for (Series* series : {&log.loss, &log.evaluation, &log.learning_rate, &log.gradient_norm}) progress.give(*series);
}

void read_trainer_state(const fs::path& file, RunLog& log, Missing& missing) {
  try {
    const json state = read_json(file);
    const json history = state.is_object() ? state.value("log_history", json()) : json();
    if (!history.is_array())
      throw Error("the list log_history is missing", {.file = file.string(), .place = {}, .advice = {}});
    for (const json& entry : history) {
      if (entry.is_object()) add_entry(log, entry);
    }
    missing.add(
        fmt::format("Curves by token and by second: there is no metrics.jsonl, so the curves are those of {}, "
                    "which has steps alone.",
                    file.string()));
  } catch (const Error& error) {
    missing.add("Curves", error);
  }
}

}  // namespace

std::vector<std::pair<std::int64_t, fs::path>> checkpoints_of(const fs::path& run) {
  constexpr std::string_view kPrefix = "checkpoint-";
  std::vector<std::pair<std::int64_t, fs::path>> found;
  std::error_code status;
  for (const fs::directory_entry& entry : fs::directory_iterator(run, status)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix) || !is_folder(entry.path())) continue;
    if (const auto step = parse_whole_number(std::string_view(name).substr(kPrefix.size()))) {
      found.emplace_back(*step, entry.path());
    }
  }
  std::ranges::sort(found);
  return found;
}

RunLog read_run_log(const fs::path& run, const fs::path& log_folder, Missing& missing) {
  RunLog log;
  log.file = log_folder / "metrics.jsonl";
  if (path_exists(log.file)) {
    read_lines(log.file, log, missing);
    return log;
  }
  log.file = run / "trainer_state.json";
  if (!path_exists(log.file)) {
    const auto checkpoints = checkpoints_of(run);
    if (!checkpoints.empty()) log.file = checkpoints.back().second / "trainer_state.json";
  }
  if (path_exists(log.file)) {
    read_trainer_state(log.file, log, missing);
  } else {
    missing.add(fmt::format("Curves: there is neither metrics.jsonl nor trainer_state.json in {}.", run.string()));
  }
  return log;
}

}  // namespace strider
