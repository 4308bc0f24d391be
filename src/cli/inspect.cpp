// strider inspect: what a folder or file of Strider's holds.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/inspect_files.h"
#include "cli/say.h"
#include "data/walk_dataset.h"
#include "io/json.h"
#include "model/config.h"
#include "model/parameters.h"
#include "report/figures.h"
#include "train/checkpoint.h"

namespace strider::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

std::optional<ordered_json> describe_folder(const fs::path& folder);

ordered_json describe_model(const fs::path& folder) {
  const LlamaConfig config = read_config(folder / "config.json");
  const ParameterLayout layout(config);
  const bool checkpoint = fs::exists(folder / "strider_state.json");
  ordered_json model = {{"kind", checkpoint ? "checkpoint" : "model"},
                        {"vocab_size", config.vocab_size},
                        {"hidden_size", config.hidden_size},
                        {"intermediate_size", config.intermediate_size},
                        {"layers", config.num_hidden_layers},
                        {"heads", config.num_attention_heads},
                        {"key/value heads", config.num_key_value_heads},
                        {"parameters", layout.total()},
                        {"non-embedding parameters", layout.non_embedding()},
                        {"weights", fs::exists(folder / "model.safetensors") ? "model.safetensors" : "missing"}};
  if (fs::exists(folder / "trainer_state.json")) model["training"] = describe_log(folder / "trainer_state.json");
  return model;
}

ordered_json describe_split(const WalkSplit& split) {
  std::int64_t shortest = split.length(0), longest = split.length(0), tokens = 0;
  for (std::int64_t walk = 0; walk < split.size(); ++walk) {
    const std::int64_t length = split.length(walk);
    shortest = std::min(shortest, length);
    longest = std::max(longest, length);
    tokens += length;
  }
  return {{"walks", split.size()}, {"tokens", tokens}, {"shortest walk", shortest}, {"longest walk", longest}};
}

ordered_json describe_dataset(const fs::path& folder) {
  const WalkDataset dataset = open_dataset(folder);
  ordered_json description = {{"kind", "dataset"}};
  if (fs::exists(folder / "vocab_info.json")) add_fields(folder / "vocab_info.json", description);
  description["train"] = describe_split(dataset.train);
  if (dataset.validation) description["validation"] = describe_split(*dataset.validation);
  return description;
}

// What a run that is finished says of itself, else what its newest checkpoint says.
void add_run_settings(const fs::path& folder, const std::vector<CheckpointPlace>& checkpoints, ordered_json& run) {
  fs::path file = folder / "strider_run.json";
  run["finished"] = fs::exists(file);
  if (!fs::exists(file) && !checkpoints.empty()) file = checkpoints.back().folder / "strider_state.json";
  if (!fs::exists(file)) return;
  const nlohmann::json object = read_json(file);
  for (const char* part : {"result", "settings"}) {
    if (object.contains(part)) run[part] = object[part];
  }
}

ordered_json describe_run(const fs::path& folder) {
  ordered_json run = {{"kind", "training run"}};
  const std::vector<CheckpointPlace> checkpoints = list_checkpoints(folder);
  run["checkpoints"] = ordered_json::array();
  for (const CheckpointPlace& place : checkpoints) run["checkpoints"].push_back(place.folder.filename().string());
  run["final_model"] = fs::exists(folder / "final_model" / "config.json") ? "there" : "missing";
  const fs::path log = fs::exists(folder / "trainer_state.json") || checkpoints.empty()
                           ? folder / "trainer_state.json"
                           : checkpoints.back().folder / "trainer_state.json";
  if (fs::exists(log)) run["training"] = describe_log(log);
  add_run_settings(folder, checkpoints, run);
  return run;
}

bool has_checkpoints(const fs::path& folder) {
  return !list_checkpoints(folder).empty() || fs::exists(folder / "final_model");
}

ordered_json describe_representations(const fs::path& folder) {
  ordered_json description = describe_npz(folder / "token_representations.npz");
  description["kind"] = "token representations";
  if (fs::exists(folder / "representation_info.json")) {
    add_fields(folder / "representation_info.json", description["about"]);
  }
  return description;
}

// A folder of folders or of files, each with what it is: results/, results/{name}/, graph/, sequences/.
std::optional<ordered_json> describe_collection(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  ordered_json contents;
  for (const fs::path& path : paths) {
    const std::string name = path.filename().string();
    if (name.starts_with('.')) continue;
    if (fs::is_directory(path)) {
      if (const auto inner = describe_folder(path)) contents[name] = inner->value("kind", "folder");
    } else if (const auto file = describe_file(path)) {
      contents[name] = *file;
    }
  }
  if (contents.empty()) return std::nullopt;
  return ordered_json{{"kind", "folder"}, {"contents", contents}};
}

// A split of a dataset folder, whose vocabulary lies above it.
std::optional<ordered_json> describe_split_folder(const fs::path& folder) {
  const fs::path parent = fs::absolute(folder).lexically_normal().parent_path();
  if (!fs::exists(folder / "state.json") || !fs::exists(parent / "dataset_dict.json")) return std::nullopt;
  const WalkDataset dataset = open_dataset(parent);
  const std::string name = fs::absolute(folder).lexically_normal().filename().string();
  const bool is_train = name == "train";
  if (!is_train && !dataset.validation) return std::nullopt;
  ordered_json description = {{"kind", "split of a dataset"}, {"split", name}};
  description.update(describe_split(is_train ? dataset.train : *dataset.validation));
  return description;
}

std::optional<ordered_json> describe_folder(const fs::path& folder) {
  if (fs::exists(folder / "config.json")) return describe_model(folder);
  if (fs::exists(folder / "token_representations.npz")) return describe_representations(folder);
  if (fs::exists(folder / "vocab_info.json")) return describe_dataset(folder);
  if (auto split = describe_split_folder(folder)) return split;
  if (has_checkpoints(folder)) return describe_run(folder);
  return describe_collection(folder);
}

ordered_json describe(const fs::path& given) {
  const fs::path path = given.has_filename() ? given : given.parent_path();  // "results/" is "results"
  if (!fs::exists(path)) throw Error("no such file or folder", {.file = path.string(), .place = {}, .advice = {}});
  const bool is_folder = fs::is_directory(path);
  if (auto description = is_folder ? describe_folder(path) : describe_file(path)) return *description;
  throw Error(is_folder ? "nothing that Strider knows is in this folder" : "a kind of file that Strider does not know",
              {.file = path.string(),
               .place = {},
               .advice = "It knows models, checkpoints, runs, datasets, graphs, walks, representations, folders of "
                         "these, and .npz, .npy, .safetensors, .json, .csv, .arrow, metrics.jsonl and event files."});
}

void print_lines(const ordered_json& description, int indent) {
  for (const auto& [name, value] : description.items()) {
    if (value.is_object()) {
      say("{:{}}{}:\n", "", indent, name);
      print_lines(value, indent + 2);
    } else if (value.is_number_integer()) {
      say("{:{}}{}: {}\n", "", indent, name, with_commas(value.get<std::int64_t>()));
    } else if (value.is_array() && std::ranges::none_of(value, [](const auto& part) { return part.is_structured(); })) {
      std::string words;
      for (const auto& part : value) {
        words += (words.empty() ? "" : " ") + (part.is_string() ? part.template get<std::string>() : part.dump());
      }
      say("{:{}}{}: {}\n", "", indent, name, words);
    } else if (value.is_string()) {
      say("{:{}}{}: {}\n", "", indent, name, value.get<std::string>());
    } else {
      say("{:{}}{}: {}\n", "", indent, name, value.dump());
    }
  }
}

}  // namespace

void add_inspect_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("inspect", "Say what a folder or file holds");
  auto path = std::make_shared<fs::path>();
  auto as_json = std::make_shared<bool>(false);
  command
      ->add_option("path", *path,
                   "A model, checkpoint, run, dataset, graph, walks or representations folder, a folder of these, or a "
                   "file in one")
      ->required();
  command->add_flag("--json", *as_json, "Print JSON");
  command->callback([path, as_json] {
    const ordered_json description = describe(*path);
    if (*as_json) {
      say("{}\n", description.dump(2));
    } else {
      print_lines(description, 0);
    }
  });
}

}  // namespace strider::cli
