#include "report/metrics_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/exists.h"
#include "base/version.h"
#include "io/atomic_file.h"
#include "io/file_steps.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// Seconds since 1970, cut to milliseconds.
double time_now() {
  return std::floor(1000.0 * seconds_since_1970()) / 1000.0;
}

std::string line_of(const Json& object) {
  return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string absolute(const std::string& path) {
  return fs::absolute(path).lexically_normal().string();
}

template <typename Value>
void add(Json& object, const char* name, const std::optional<Value>& value) {
  if (value) object[name] = *value;
}

Json run_line(const RunStarted& event) {
  Json line = {{"event", "run"},
               {"step", 0},
               {"output_dir", absolute(event.output_dir)},
               {"config", event.config},
               {"dataset_dir", event.dataset_dir},
               {"max_steps", event.max_steps},
               {"steps_per_epoch", event.steps_per_epoch},
               {"walks_per_step", event.walks_per_step},
               {"parameters", event.parameters},
               {"vocab_size", event.vocab_size},
               {"precision", event.precision},
               {"loss_denominator", event.loss_denominator},
               {"processor", event.processor},
               {"vectors", event.vectors},
               {"threads", event.threads},
               {"strider", program_version()}};
  add(line, "best_loss", event.best_loss);
  return line;
}

}  // namespace

MetricsFile::~MetricsFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

// Lines up to the checkpoint that the run goes on from; empty for a run from its first step, whose file begins anew.
std::string MetricsFile::kept_lines(const RunStarted& event) const {
  std::string kept;
  std::ifstream stream(file_, std::ios::binary);
  bool is_first = true;
  for (std::string text; std::getline(stream, text);) {
    const bool torn = stream.eof();  // a killed run's last line may have no end
    const Json line = Json::parse(text, nullptr, false);
    const bool ours =
        line.is_object() && line.value("event", Json()).is_string() && line.value("step", Json()).is_number_integer();
    if (!ours && torn && !is_first) break;
    if (!ours || (is_first && line["event"] != "run")) {
      throw Error("metrics.jsonl was not written by Strider",
                  {.file = file_.string(), .place = {}, .advice = "Choose another LOG_DIR, or move that file away."});
    }
    if (is_first && file_.parent_path().lexically_normal() != fs::path(event.output_dir).lexically_normal() &&
        line.value("output_dir", "") != absolute(event.output_dir)) {
      throw Error(fmt::format("metrics.jsonl is of the run in {}", line.value("output_dir", "another folder")),
                  {.file = file_.string(), .place = {}, .advice = "Give each run a LOG_DIR of its own."});
    }
    is_first = false;
    const std::int64_t step = line["step"].get<std::int64_t>();
    const bool is_made_again = step == event.first_step && event.evaluation_pending && line["event"] == "evaluation";
    if (event.first_step == 0 || step > event.first_step || is_made_again || line["event"] == "end") continue;
    kept += text + "\n";
  }
  return kept;
}

// The same refusals as on_start's, and whether the folder may be written to, or made.
void MetricsFile::check(const std::string& output_dir) {
  RunStarted event;
  event.output_dir = output_dir;
  kept_lines(event);
  fs::path folder = fs::absolute(file_).lexically_normal().parent_path();
  while (!path_exists(folder) && folder != folder.parent_path()) folder = folder.parent_path();
  if (!is_folder(folder)) {
    throw Error("LOG_DIR is no folder", {.file = folder.string(), .place = {}, .advice = "Choose another LOG_DIR."});
  }
  if (access(folder.c_str(), W_OK | X_OK) != 0) fail_on_file("cannot write to LOG_DIR", errno, folder);
}

void MetricsFile::on_start(const RunStarted& event) {
  std::string lines = kept_lines(event);
  if (lines.empty()) lines = line_of(run_line(event));
  write_file_atomically(file_, lines);
  descriptor_ = open(file_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (descriptor_ < 0) fail_on_file("cannot write the file", errno, file_);
}

void MetricsFile::on_step(const StepDone& event) {
  since_log_.add(event);
}

void MetricsFile::on_geometry(const GeometryMeasured& event) {
  Json arrays = Json::object();
  for (const ArrayGeometry& array : event.arrays) {
    Json& measures = arrays[array.array] = Json::object();
    for (const auto& [name, value] : array.measures) measures[name] = value;
  }
  append(line_of({{"event", "geometry"},
                  {"step", event.step},
                  {"arrays", arrays},
                  {"seconds", event.seconds},
                  {"time", time_now()}}));
}

void MetricsFile::on_log(const Logged& event) {
  Json line = {{"event", "log"}, {"step", event.step}, {"epoch", event.epoch}, {"loss", event.loss}};
  add(line, "loss_per_prediction", event.loss_per_prediction);
  line["grad_norm"] = event.grad_norm;
  line["learning_rate"] = event.learning_rate;
  add(line, "tokens", event.tokens);
  if (since_log_.seconds > 0.0) line["tokens_per_second"] = since_log_.tokens / since_log_.seconds;
  line["time"] = time_now();
  since_log_ = {};
  append(line_of(line));
}

void MetricsFile::on_evaluation(const Evaluated& event) {
  append(line_of({{"event", "evaluation"},
                  {"step", event.step},
                  {"epoch", event.epoch},
                  {"eval_loss", event.loss},
                  {"eval_loss_per_prediction", event.loss_per_prediction},
                  {"seconds", event.seconds},
                  {"time", time_now()}}));
}

// Also called for a run that was finished before, which has its line already.
void MetricsFile::on_end(const RunEnded& event) {
  if (descriptor_ < 0) return;
  Json line = {{"event", "end"}, {"step", event.steps}};
  add(line, "eval_loss", event.eval_loss);
  add(line, "eval_loss_per_prediction", event.eval_per_prediction);
  if (!event.best_checkpoint.empty()) line["best_checkpoint"] = event.best_checkpoint;
  if (event.averaged_steps > 0) line["averaged_steps"] = event.averaged_steps;
  line["seconds"] = event.seconds;
  line["time"] = time_now();
  append(line_of(line));
  if (close(std::exchange(descriptor_, -1)) != 0) fail_on_file("cannot close the file", errno, file_);
}

// One call, so that whoever follows the file sees whole lines.
void MetricsFile::append(const std::string& line) {
  write_all(descriptor_, line, file_);
}

}  // namespace strider
