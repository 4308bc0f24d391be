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
  std::int64_t head_dim = 0;  // hidden_size / num_attention_heads unless given
  std::int64_t max_position_embeddings = 2048;
  double rope_theta = 10000.0;
  double rms_norm_eps = 1e-6;
  double initializer_range = 0.02;
  bool tie_word_embeddings = false;
  std::optional<std::int64_t> bos_token_id = 1;
  std::optional<std::int64_t> eos_token_id = 2;
  std::optional<std::int64_t> pad_token_id;

  bool operator==(const LlamaConfig&) const = default;
};

/// Reads and checks a config.json. `vocab_size` 0 keeps what the file says, else replaces it.
/// Throws Error: no such file, broken JSON (line and column), a field of the wrong type or sign, sizes that do not
/// divide, and by name whatever Strider cannot do (attention_bias, mlp_bias, rope_scaling other than null, another
/// model_type or hidden_act, attention_dropout, sliding windows).
LlamaConfig read_config(const std::filesystem::path& file, std::int64_t vocab_size = 0);

/// The same checks on a value in memory; `file` names it in errors.
void check_config(const LlamaConfig& config, const std::filesystem::path& file);

/// The config.json that transformers 4.57.1 writes for this model, ending in a newline.
std::string config_json(const LlamaConfig& config);

}  // namespace strider
