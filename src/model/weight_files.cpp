#include "model/weight_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "base/error.h"
#include "base/exists.h"
#include "base/shell_word.h"
#include "io/json.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFile = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

std::string conversion(const fs::path& folder) {
  return fmt::format(
      "Convert them: python3 -c \"import sys; from transformers import AutoModelForCausalLM as M; "
      "M.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[1])\" {}",
      shell_word(folder.string()));
}

// What other programs call their weights.
[[noreturn]] void refuse_other_weights(const fs::path& folder) {
  struct Other {
    std::string_view begin, end, what;
    bool converts;
  };
  constexpr std::array kOthers = {
      Other{"pytorch_model", ".bin", "weights that torch pickled", true},
      Other{"pytorch_model", ".index.json", "weights that torch pickled, in shards", true},
      Other{"tf_model", ".h5", "weights of TensorFlow", true},
      Other{"flax_model", ".msgpack", "weights of Flax", true},
      Other{"consolidated.", ".pth", "weights in the form that Llama was published in", false},
      Other{"", ".gguf", "weights of llama.cpp", false},
      Other{"adapter_model", "", "an adapter (LoRA), which is no whole model", false},
  };
  std::error_code status;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, status)) {
    const std::string name = entry.path().filename().string();
    for (const Other& other : kOthers) {
      if (!name.starts_with(other.begin) || !name.ends_with(other.end)) continue;
      throw Error(
          fmt::format("there is no {}, but {}: {}", kFile, name, other.what),
          {.file = folder.string(),
           .place = {},
           .advice = other.converts ? conversion(folder) : fmt::format("Make a model folder with {} of it.", kFile)});
    }
  }
  const bool is_run = is_file(folder / "final_model" / kFile);
  throw Error(
      fmt::format("there are no weights: neither {} nor {}", kFile, kIndex),
      {.file = folder.string(),
       .place = {},
       .advice = is_run ? fmt::format("This is a run: its model is {}", shell_word((folder / "final_model").string()))
                        : std::string("Name a model folder, such as a final_model or a checkpoint.")});
}

// Tensors that are no parameters.
bool is_buffer(std::string_view name) {
  constexpr std::array<std::string_view, 4> kEnds = {"rotary_emb.inv_freq", "rotary_emb.cos_cached",
                                                     "rotary_emb.sin_cached", ".masked_bias"};
  return std::ranges::any_of(kEnds, [&](std::string_view end) { return name.ends_with(end); });
}

}  // namespace

WeightFiles::WeightFiles(const fs::path& folder) : path_(folder / kFile) {
  if (is_file(path_)) {
    files_.emplace_back(path_);
  } else if (is_file(folder / kIndex)) {
    path_ = folder / kIndex;
    open_shards();
  } else {
    refuse_other_weights(folder);
  }
  for (const SafetensorsFile& file : files_) {
    for (const TensorEntry& entry : file.tensors()) {
      if (tensors_.emplace(entry.name, Found{&file, &entry}).second) continue;
      throw Error("a tensor is in two shards",
                  {.file = file.path().string(), .place = fmt::format("tensor \"{}\"", entry.name), .advice = {}});
    }
  }
}

void WeightFiles::open_shards() {
  const nlohmann::json index = read_json(path_);
  const auto map = index.is_object() ? index.find("weight_map") : index.end();
  if (!index.is_object() || map == index.end() || !map->is_object()) {
    throw Error("the object weight_map is missing", {.file = path_.string(), .place = {}, .advice = {}});
  }
  std::set<std::string> names;
  for (const auto& [tensor, file] : map->items()) {
    const std::string name = json_string(*map, tensor, path_);
    if (name.empty() || name == "." || name == ".." || name != fs::path(name).filename().string()) {
      throw Error(fmt::format("\"{}\" is no plain file name", name),
                  {.file = path_.string(), .place = tensor, .advice = "Shards lie beside their index."});
    }
    names.insert(name);
  }
  for (const std::string& name : names) {
    const fs::path shard = path_.parent_path() / name;
    if (!is_file(shard)) {
      throw Error("a shard of the weights is missing",
                  {.file = shard.string(), .place = {}, .advice = "Copy all files of the model again."});
    }
    files_.emplace_back(shard);
  }
}

std::optional<WeightFiles::Found> WeightFiles::find(const std::string& name) const {
  constexpr std::string_view kPrefix = "model.";
  auto found = tensors_.find(name);
  if (found == tensors_.end() && name.starts_with(kPrefix)) found = tensors_.find(name.substr(kPrefix.size()));
  if (found == tensors_.end()) return std::nullopt;
  return found->second;
}

void WeightFiles::refuse_unknown(const ParameterLayout& layout) const {
  std::set<std::string_view> known = {"lm_head.weight"};  // a tied one is sometimes saved beside the embedding
  for (const ParameterInfo& tensor : layout.tensors()) {
    const std::optional<Found> found = find(tensor.name);
    if (found) known.insert(found->entry->name);
  }
  for (const auto& [name, found] : tensors_) {
    if (known.contains(name) || is_buffer(name)) continue;
    throw Error("a tensor has no place in this model",
                {.file = found.file->path().string(),
                 .place = fmt::format("tensor \"{}\"", name),
                 .advice = "The config.json beside it must be that of this model."});
  }
}

}  // namespace strider
