#include "model/folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/atomic_file.h"
#include "io/json.h"
#include "io/safetensors.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

std::string show(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

}  // namespace

void read_weights(const fs::path& folder, const ParameterLayout& layout, std::span<float> values) {
  const fs::path file = folder / "model.safetensors";
  const SafetensorsFile weights(file);
  const std::string advice = "The config.json beside it must be that of this model.";
  for (const ParameterInfo& tensor : layout.tensors()) {
    const TensorEntry* entry = weights.find(tensor.name);
    const std::string place = fmt::format("tensor \"{}\"", tensor.name);
    if (entry == nullptr) throw Error("a tensor is missing", {.file = file.string(), .place = place, .advice = advice});
    if (entry->shape != tensor.shape) {
      throw Error(
          fmt::format("a tensor has shape {}, the configuration asks for {}", show(entry->shape), show(tensor.shape)),
          {.file = file.string(), .place = place, .advice = advice});
    }
    weights.read(*entry,
                 values.subspan(static_cast<std::size_t>(tensor.offset), static_cast<std::size_t>(tensor.size)));
  }
  for (const TensorEntry& entry : weights.tensors()) {
    const auto& known = layout.tensors();
    const bool wanted =
        std::any_of(known.begin(), known.end(), [&](const ParameterInfo& t) { return t.name == entry.name; });
    // A tied lm_head is sometimes saved beside the embedding that it is.
    if (!wanted && entry.name != "lm_head.weight") {
      throw Error("a tensor has no place in this model",
                  {.file = file.string(), .place = fmt::format("tensor \"{}\"", entry.name), .advice = advice});
    }
  }
}

void write_model(const fs::path& folder, const LlamaConfig& config, const ParameterLayout& layout,
                 std::span<const float> values) {
  std::vector<TensorToWrite> tensors;
  for (const ParameterInfo& tensor : layout.tensors()) {
    tensors.push_back({tensor.name, tensor.shape, values.data() + tensor.offset});
  }
  write_safetensors(folder / "model.safetensors", tensors, {{"format", "pt"}});
  write_file_atomically(folder / "config.json", config_json(config));
  nlohmann::ordered_json generation;
  generation["_from_model_config"] = true;
  if (config.bos_token_id) generation["bos_token_id"] = *config.bos_token_id;
  if (config.eos_token_id) generation["eos_token_id"] = *config.eos_token_id;
  if (config.pad_token_id) generation["pad_token_id"] = *config.pad_token_id;
  generation["transformers_version"] = "4.57.1";
  write_file_atomically(folder / "generation_config.json", generation.dump(2) + "\n");
}

}  // namespace strider
