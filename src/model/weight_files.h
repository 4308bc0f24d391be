#pragma once
// Where a model folder keeps its weights: model.safetensors, or the shards that model.safetensors.index.json lists.
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "model/parameters.h"

namespace strider {

class WeightFiles {
 public:
  /// Throws Error when the folder has no weights that can be read, naming what it has instead and how to convert that;
  /// or for a damaged file, a shard that is missing, or a name that is in two shards.
  explicit WeightFiles(const std::filesystem::path& folder);

  struct Found {
    const SafetensorsFile* file = nullptr;
    const TensorEntry* entry = nullptr;
  };
  /// A tensor by its name in a LlamaForCausalLM; a LlamaModel's names lack the leading "model.".
  std::optional<Found> find(const std::string& name) const;

  /// Throws Error for a tensor that is neither the layout's nor one of those that transformers passes over as well (the
  /// rotary embedding's buffers, a tied head that was saved beside the embedding).
  void refuse_unknown(const ParameterLayout& layout) const;

  /// The file or the index.
  const std::filesystem::path& path() const { return path_; }

 private:
  void open_shards();

  std::filesystem::path path_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, Found> tensors_;
};

}  // namespace strider
