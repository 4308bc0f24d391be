#include "train/start.h"

#include <fmt/format.h>

#include "base/error.h"
#include "model/folder.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
  std::error_code status;
  return fs::is_regular_file(path, status);
}

// Fields that weights do not show in their shapes: with others the same weights are another model.
void check_same_model(const LlamaConfig& config, const fs::path& init_from) {
  const LlamaConfig theirs = read_config(init_from / "config.json");
  const auto require = [&](const char* field, auto wanted, auto found) {
    if (wanted == found) return;
    throw Error(fmt::format("the model of INIT_FROM has {} {}, the configuration says {}", field, found, wanted),
                {.file = (init_from / "config.json").string(),
                 .place = field,
                 .advice = "Give that folder's config.json as CONFIG, or start from another model."});
  };
  require("vocab_size", config.vocab_size, theirs.vocab_size);
  require("hidden_size", config.hidden_size, theirs.hidden_size);
  require("intermediate_size", config.intermediate_size, theirs.intermediate_size);
  require("num_hidden_layers", config.num_hidden_layers, theirs.num_hidden_layers);
  require("num_attention_heads", config.num_attention_heads, theirs.num_attention_heads);
  require("num_key_value_heads", config.num_key_value_heads, theirs.num_key_value_heads);
  require("head_dim", config.head_dim, theirs.head_dim);
  require("rope_theta", config.rope_theta, theirs.rope_theta);
  require("rms_norm_eps", config.rms_norm_eps, theirs.rms_norm_eps);
  require("tie_word_embeddings", config.tie_word_embeddings, theirs.tie_word_embeddings);
}

}  // namespace

LlamaConfig read_start_config(const TrainingSettings& settings, std::int64_t vocab_size) {
  if (!is_file(settings.config)) {
    throw Error(fmt::format("Model configuration {} not found!", settings.config.string()),
                {.file = {},
                 .place = {},
                 .advice = "Name a config.json with CONFIG (--config), such as configs/config_2M_llama.json"});
  }
  const LlamaConfig config = read_config(settings.config, vocab_size);
  if (!settings.init_from) return config;
  if (!is_file(*settings.init_from / "config.json") || !is_file(*settings.init_from / "model.safetensors")) {
    throw Error("INIT_FROM (--init_from) is no model folder: it needs config.json and model.safetensors",
                {.file = settings.init_from->string(),
                 .place = {},
                 .advice = "Name a final_model or checkpoint folder, or leave it out."});
  }
  check_same_model(config, *settings.init_from);
  return config;
}

std::vector<float> initial_weights(const TrainingSettings& settings, const LlamaConfig& config,
                                   const ParameterLayout& layout) {
  std::vector<float> values(static_cast<std::size_t>(layout.total()));
  if (settings.init_from) {
    read_weights(*settings.init_from, layout, values);
  } else {
    initialize_parameters(config, layout, settings.seed, values);
  }
  return values;
}

void check_save_steps(const TrainingSettings& settings, const WalkDataset& dataset) {
  if (!dataset.validation || settings.save_steps % settings.eval_steps == 0) return;
  throw Error(fmt::format("--save_steps (SAVE_STEPS) is {}, it must be a multiple of --eval_steps (EVAL_STEPS), {}",
                          settings.save_steps, settings.eval_steps),
              {.file = {},
               .place = {},
               .advice = "Otherwise the weights with the lowest evaluation loss may not be among the saved ones."});
}

void refuse_to_resume(const fs::path& output_dir, const std::string& checkpoint) {
  throw Error("RESUME is never, and an interrupted run stands in the output folder",
              {.file = output_dir.string(),
               .place = checkpoint,
               .advice = "RESUME=auto goes on with it, OVERWRITE=true replaces it."});
}

}  // namespace strider
