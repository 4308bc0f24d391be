#include "model/folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/atomic_file.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "model/weight_files.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHeadName = "lm_head.weight";

std::string show(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

}  // namespace

void read_weights(const fs::path& folder, const ParameterLayout& layout, std::span<float> values, Head head) {
  const WeightFiles files(folder);
  for (const ParameterInfo& tensor : layout.tensors()) {
    const std::span<float> place = values.subspan(tensor.offset, static_cast<std::size_t>(tensor.size));
    const std::optional<WeightFiles::Found> found = files.find(tensor.name);
    if (!found) {
      if (head == Head::kOptional && tensor.name == kHeadName) {
        std::ranges::fill(place, 0.0F);
        continue;
      }
      throw Error(fmt::format("the weights have no tensor \"{}\"", tensor.name),
                  {.file = files.path().string(),
                   .place = {},
                   .advice = tensor.name == kHeadName
                                 ? "They are a model without a head (LlamaModel): take those of a LlamaForCausalLM, or "
                                   "set tie_word_embeddings to true in its config.json where the two are one."
                                 : "They are not those of the model that the config.json beside them describes."});
    }
    if (found->entry->shape != tensor.shape) {
      throw Error(fmt::format("a tensor has shape {}, the configuration asks for {}", show(found->entry->shape),
                              show(tensor.shape)),
                  {.file = found->file->path().string(),
                   .place = fmt::format("tensor \"{}\"", found->entry->name),
                   .advice = "The config.json beside it must be that of this model."});
    }
    found->file->read(*found->entry, place);
  }
  files.refuse_unknown(layout);
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
  for (const char* token : {"bos_token_id", "eos_token_id", "pad_token_id"}) generation[token] = nullptr;
  generation["transformers_version"] = "4.57.1";
  write_file_atomically(folder / "generation_config.json", generation.dump(2) + "\n");
}

}  // namespace strider
