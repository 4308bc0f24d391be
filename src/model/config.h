#pragma once
// What a Llama is: the fields of a Hugging Face config.json (model_type "llama") that change its arithmetic.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace strider {

struct LlamaConfig {
  std::int64_t vocab_size = 0;  // 0 in a preset: the dataset gives it
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t num_hidden_layers = 0;
  std::int64_t num_attention_heads = 0;
  std::int64_t num_key_value_heads = 0;
  std::int64_t head_dim = 0;  // hidden_size / num_attention_heads, rounded down, unless given
  std::int64_t max_position_embeddings = 2048;
  double rope_theta = 10000.0;
  double rms_norm_eps = 1e-6;
  double initializer_range = 0.02;
  bool tie_word_embeddings = false;
  double attention_dropout = 0.0;            // of training alone, which has none: it refuses anything but 0
  std::optional<std::int64_t> pad_token_id;  // whose embedding starts at zero and is not trained

  bool operator==(const LlamaConfig&) const = default;
};

/// Reads and checks a config.json. The vocabulary is the file's, or `vocab_size` where that is larger.
/// Throws Error: no such file, broken JSON (line and column), a field of the wrong type or sign, key/value heads that
/// do not divide, and by name whatever Strider cannot do (another model_type or architecture, attention_bias, mlp_bias,
/// rope_scaling or rope_parameters that scale, another hidden_act, quantization). Fields that change nothing in
/// transformers 4.57.1's Llama (pretraining_tp, sliding_window, rope_scaling of type default ...) are passed over.
LlamaConfig read_config(const std::filesystem::path& file, std::int64_t vocab_size = 0);

/// The same checks on a value in memory; `file` names it in errors.
void check_config(const LlamaConfig& config, const std::filesystem::path& file);

/// The config.json that transformers 4.57.1 writes for this model, ending in a newline; bos, eos and pad tokens are
/// null, since every id is a node: transformers' defaults, 1 and 2, would end a generated walk at node 2.
std::string config_json(const LlamaConfig& config);

}  // namespace strider
