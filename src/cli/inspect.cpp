// strider inspect: what a folder or file of Strider's holds.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "data/walk_dataset.h"
#include "io/json.h"
#include "io/npz.h"
#include "io/safetensors.h"
#include "model/config.h"
#include "model/parameters.h"
#include "report/figures.h"

namespace strider::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

std::string show_shape(const std::string& type, const std::vector<std::int64_t>& shape) {
  return fmt::format("{} [{}]", type, fmt::join(shape, ", "));
}

ordered_json describe_npz(const fs::path& file) {
  ordered_json arrays;
  for (const NpzEntry& entry : read_npz_entries(file)) arrays[entry.name] = show_shape(entry.dtype, entry.shape);
  return {{"kind", "arrays (npz)"}, {"bytes", fs::file_size(file)}, {"arrays", arrays}};
}

ordered_json describe_safetensors(const fs::path& file) {
  const SafetensorsFile contents(file);
  ordered_json tensors;
  for (const TensorEntry& entry : contents.tensors()) {
    tensors[entry.name] = show_shape(entry.dtype, entry.shape);
  }
  return {{"kind", "tensors (safetensors)"}, {"bytes", fs::file_size(file)}, {"tensors", tensors}};
}

// A file's numbers and words, without what nests.
void add_scalars(const fs::path& file, ordered_json& description) {
  const nlohmann::json object = read_json(file);
  for (const auto& [name, value] : object.items()) {
    if (!value.is_structured()) description[name] = value;
  }
}

ordered_json describe_log(const fs::path& file) {
  const nlohmann::json state = read_json(file);
  ordered_json log;
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
  if (fs::exists(folder / "vocab_info.json")) add_scalars(folder / "vocab_info.json", description);
  description["train"] = describe_split(dataset.train);
  if (dataset.validation) description["validation"] = describe_split(*dataset.validation);
  return description;
}

ordered_json describe_run(const fs::path& folder, const std::vector<std::string>& checkpoints) {
  ordered_json run = {{"kind", "training run"}, {"checkpoints", checkpoints}};
  run["final_model"] = fs::exists(folder / "final_model" / "config.json") ? "there" : "missing";
  if (fs::exists(folder / "trainer_state.json")) run["training"] = describe_log(folder / "trainer_state.json");
  return run;
}

ordered_json describe_folder(const fs::path& folder) {
  if (fs::exists(folder / "config.json")) return describe_model(folder);
  if (fs::exists(folder / "token_representations.npz")) return describe_npz(folder / "token_representations.npz");
  if (fs::exists(folder / "dataset_dict.json") || fs::exists(folder / "dataset_info.json")) {
    return describe_dataset(folder);
  }
  std::vector<std::string> checkpoints;
  ordered_json graphs = {{"kind", "graph folder"}};
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("checkpoint-")) checkpoints.push_back(name);
    if (name.starts_with("graph_info_") && name.ends_with(".json")) add_scalars(entry.path(), graphs[name]);
  }
  std::sort(checkpoints.begin(), checkpoints.end());
  if (!checkpoints.empty() || fs::exists(folder / "final_model")) return describe_run(folder, checkpoints);
  if (graphs.size() > 1) return graphs;
  throw Error("nothing that Strider knows is in this folder",
              {.file = folder.string(),
               .place = {},
               .advice = "Give a model, a checkpoint, a run, a dataset, a graph or a representations folder, or a .npz "
                         "or .safetensors file."});
}

ordered_json describe(const fs::path& path) {
  if (fs::is_directory(path)) return describe_folder(path);
  if (!fs::exists(path)) throw Error("no such file or folder", {.file = path.string(), .place = {}, .advice = {}});
  if (path.extension() == ".npz") return describe_npz(path);
  if (path.extension() == ".safetensors") return describe_safetensors(path);
  throw Error("a kind of file that Strider does not know",
              {.file = path.string(), .place = {}, .advice = "Give a folder, a .npz or a .safetensors file."});
}

void print_lines(const ordered_json& description, int indent) {
  for (const auto& [name, value] : description.items()) {
    if (value.is_object()) {
      say("{:{}}{}:\n", "", indent, name);
      print_lines(value, indent + 2);
    } else if (value.is_number_integer()) {
      say("{:{}}{}: {}\n", "", indent, name, with_commas(value.get<std::int64_t>()));
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
                   "A model, checkpoint, run, dataset, graph or representations folder; a .npz or .safetensors file")
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
