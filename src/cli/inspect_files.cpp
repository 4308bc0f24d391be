#include "cli/inspect_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <string_view>

#include "base/error.h"
#include "data/walks_csv.h"
#include "io/json.h"
#include "io/npy_header.h"
#include "io/npz.h"
#include "io/record_file.h"
#include "io/safetensors.h"

namespace strider::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

std::string show_shape(const std::string& type, const std::vector<std::int64_t>& shape) {
  return fmt::format("{} [{}]", type, fmt::join(shape, ", "));
}

ordered_json describe_safetensors(const fs::path& file) {
  const SafetensorsFile contents(file);
  ordered_json tensors;
  for (const TensorEntry& entry : contents.tensors()) {
    tensors[entry.name] = show_shape(entry.dtype, entry.shape);
  }
  return {{"kind", "tensors (safetensors)"}, {"bytes", fs::file_size(file)}, {"tensors", tensors}};
}

ordered_json describe_walks(const fs::path& file) {
  const WalksCsv walks(file);
  std::int64_t shortest = walks.length(0), longest = walks.length(0);
  for (std::int64_t walk = 0; walk < walks.size(); ++walk) {
    shortest = std::min(shortest, walks.length(walk));
    longest = std::max(longest, walks.length(walk));
  }
  return {{"kind", "walks"},
          {"walks", walks.size()},
          {"tokens", walks.tokens()},
          {"shortest walk", shortest},
          {"longest walk", longest},
          {"smallest id", walks.min_id()},
          {"largest id", walks.max_id()}};
}

ordered_json describe_metrics(const fs::path& file) {
  ordered_json metrics = {{"kind", "metrics of a run"}};
  std::ifstream stream(file);
  std::int64_t lines = 0;
  for (std::string text; std::getline(stream, text); ++lines) {
    const nlohmann::json line = nlohmann::json::parse(text, nullptr, false);
    if (!line.is_object()) continue;  // a line that is being written
    for (const char* name : {"output_dir", "step", "loss", "eval_loss"}) {
      if (line.contains(name))
        metrics[name == std::string_view("output_dir") ? name : fmt::format("last {}", name)] = line[name];
    }
  }
  metrics["events"] = lines;
  return metrics;
}

NpyHeader npy_header_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string start(kNpyPrefix, '\0');
  const auto read_more = [&](std::size_t from) {
    stream.read(start.data() + from, static_cast<std::streamsize>(start.size() - from));
    start.resize(from + static_cast<std::size_t>(stream.gcount()));
  };
  read_more(0);
  start.resize(npy_header_bytes(start, file, {}));
  read_more(kNpyPrefix);
  return parse_npy_header(start, file, {}).header;
}

std::string first_line(const fs::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

std::int64_t count_lines(const fs::path& file) {
  std::ifstream stream(file);
  return std::count(std::istreambuf_iterator<char>(stream), {}, '\n');
}

std::optional<ordered_json> describe_csv(const fs::path& file) {
  const std::string header = first_line(file);
  if (header.empty()) throw Error("the file is empty", {.file = file.string(), .place = {}, .advice = {}});
  if (header.find("sequence_labels") != std::string::npos) return describe_walks(file);
  return ordered_json{{"kind", "table (CSV)"},
                      {"rows", std::max<std::int64_t>(0, count_lines(file) - 1)},
                      {"columns", header.size() > 120 ? header.substr(0, 120) + " ..." : header}};
}

ordered_json describe_json(const fs::path& file) {
  if (file.filename() == "trainer_state.json") {
    ordered_json log = {{"kind", "log of a run"}};
    log.update(describe_log(file));
    return log;
  }
  ordered_json description = {{"kind", "JSON"}};
  add_fields(file, description);
  return description;
}

}  // namespace

ordered_json describe_npz(const fs::path& file) {
  ordered_json arrays;
  for (const NpzEntry& entry : read_npz_entries(file)) arrays[entry.name] = show_shape(entry.dtype, entry.shape);
  return {{"kind", "arrays (npz)"}, {"bytes", fs::file_size(file)}, {"arrays", arrays}};
}

ordered_json describe_log(const fs::path& file) {
  const nlohmann::json state = read_json(file);
  if (!state.is_object()) {
    throw Error("this is no log of a run", {.file = file.string(), .place = {}, .advice = {}});
  }
  ordered_json log = ordered_json::object();
  for (const char* name : {"global_step", "max_steps", "epoch", "best_metric", "best_model_checkpoint"}) {
    if (state.contains(name)) log[name] = state[name];
  }
  ordered_json evaluations;
  if (state.contains("log_history")) {
    for (const auto& entry : state["log_history"]) {
      if (entry.contains("loss")) log["last loss"] = entry["loss"];
      if (entry.contains("eval_loss")) {
        evaluations[fmt::format("step {}", json_integer(entry, "step", file))] = entry["eval_loss"];
      }
    }
  }
  if (!evaluations.empty()) log["evaluation losses"] = evaluations;
  return log;
}

void add_fields(const fs::path& file, ordered_json& description) {
  const nlohmann::json value = read_json(file);
  if (value.is_array()) description["entries"] = value.size();
  if (!value.is_object()) return;
  for (const auto& [name, field] : value.items()) {
    if (field.is_array()) {
      description[name] = fmt::format("{} entries", field.size());
    } else if (field.is_object()) {
      for (const auto& [inner, part] : field.items()) {
        if (!part.is_structured()) description[name][inner] = part;
      }
    } else {
      description[name] = field;
    }
  }
}

std::optional<ordered_json> describe_file(const fs::path& file) {
  const std::string name = file.filename().string();
  if (file.extension() == ".npz") return describe_npz(file);
  if (file.extension() == ".safetensors") return describe_safetensors(file);
  if (file.extension() == ".npy") {
    const NpyHeader header = npy_header_of(file);
    return ordered_json{
        {"kind", "array (npy)"}, {"bytes", fs::file_size(file)}, {"array", show_shape(header.dtype, header.shape)}};
  }
  if (file.extension() == ".csv") return describe_csv(file);
  if (name == "README.md") return ordered_json{{"kind", "model card"}, {"lines", count_lines(file)}};
  if (name == "metrics.jsonl") return describe_metrics(file);
  if (file.extension() == ".html") {
    return ordered_json{{"kind", "page (HTML); a browser opens it"}, {"bytes", fs::file_size(file)}};
  }
  if (name.starts_with("events.out.tfevents.")) {
    return ordered_json{
        {"kind", "events (TensorBoard)"}, {"bytes", fs::file_size(file)}, {"records", read_records(file).size()}};
  }
  if (file.extension() == ".json") return describe_json(file);
  if (file.extension() == ".arrow") {
    return ordered_json{{"kind", "walks of a dataset (Arrow); its folder says more"}, {"bytes", fs::file_size(file)}};
  }
  return std::nullopt;
}

}  // namespace strider::cli
