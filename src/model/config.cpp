#include "model/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/json.h"

namespace strider {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// Bounds that keep every size, and every product of sizes that the engine makes, inside 64 bits and any machine's
// memory.
constexpr std::int64_t kLargestSize = 1 << 24;
constexpr std::int64_t kMostLayers = 4096;
constexpr std::int64_t kMostParameters = 1LL << 36;

[[noreturn]] void refuse(const fs::path& file, const std::string& message, const std::string& advice = {}) {
  throw Error(message, {.file = file.string(), .place = {}, .advice = advice});
}

[[noreturn]] void cannot(const fs::path& file, const std::string& field, const json& value) {
  refuse(file, fmt::format("{} is {}: Strider cannot do that", field, value.dump()),
         "It trains Llama models without biases, dropout or RoPE scaling, with silu.");
}

bool has(const json& object, const char* field) {
  return object.contains(field) && !object[field].is_null();
}

// A configuration may leave model_type out; then its architectures say what it is.
void refuse_other_models(const json& object, const fs::path& file) {
  if (has(object, "model_type") && object["model_type"] != "llama") cannot(file, "model_type", object["model_type"]);
  if (has(object, "model_type") || !has(object, "architectures")) return;
  const json& names = object["architectures"];
  const auto is_llama = [](const json& name) { return name == "LlamaForCausalLM" || name == "LlamaModel"; };
  if (!names.is_array() || std::ranges::none_of(names, is_llama)) cannot(file, "architectures", names);
}

// rope_scaling, and rope_parameters as transformers 5 writes it: no scaling under any of its names is accepted. Of keys
// that belong to a scaling the default rotary embedding reads none; a key that is not known is refused.
void check_rope(const json& object, const char* field, const fs::path& file) {
  if (!has(object, field)) return;
  const json& rope = object[field];
  if (!rope.is_object()) cannot(file, field, rope);
  constexpr std::array kOfScalings = {"factor",      "attention_factor", "original_max_position_embeddings",
                                      "beta_fast",   "beta_slow",        "short_factor",
                                      "long_factor", "low_freq_factor",  "high_freq_factor",
                                      "mscale",      "mscale_all_dim",   "truncate"};
  for (const auto& [key, value] : rope.items()) {
    const std::string place = fmt::format("{}.{}", field, key);
    if (key == "rope_type" || key == "type") {
      const bool decides = key == "rope_type" || !has(rope, "rope_type");
      if (decides && !value.is_null() && value != "default") cannot(file, place, value);
    } else if (key == "partial_rotary_factor") {
      if (!value.is_null() && json_number(rope, key, file) != 1.0) cannot(file, place, value);
    } else if (key != "rope_theta" && std::ranges::find(kOfScalings, key) == kOfScalings.end()) {
      cannot(file, place, value);
    }
  }
}

// What changes the arithmetic in ways that the engine has not; each is only accepted when it is switched off.
void refuse_unknown_arithmetic(const json& object, const fs::path& file) {
  refuse_other_models(object, file);
  if (has(object, "hidden_act") && object["hidden_act"] != "silu" && object["hidden_act"] != "swish") {
    cannot(file, "hidden_act", object["hidden_act"]);
  }
  for (const char* field : {"attention_bias", "mlp_bias"}) {
    if (has(object, field) && object[field] != false) cannot(file, field, object[field]);
  }
  if (has(object, "quantization_config")) cannot(file, "quantization_config", object["quantization_config"]);
  if (has(object, "partial_rotary_factor") && json_number(object, "partial_rotary_factor", file) != 1.0) {
    cannot(file, "partial_rotary_factor", object["partial_rotary_factor"]);
  }
  check_rope(object, "rope_scaling", file);
  check_rope(object, "rope_parameters", file);
}

void read_optional(const json& object, const char* field, const fs::path& file, std::int64_t& value) {
  if (has(object, field)) value = json_integer(object, field, file);
}

void read_optional(const json& object, const char* field, const fs::path& file, double& value) {
  if (has(object, field)) value = json_number(object, field, file);
}

void read_token_id(const json& object, const char* field, const fs::path& file, std::optional<std::int64_t>& value) {
  if (!object.contains(field)) return;
  value.reset();
  if (object[field].is_array()) return;
  if (!object[field].is_null()) value = json_integer(object, field, file);
}

void check_size(const fs::path& file, const char* field, std::int64_t value, std::int64_t largest = kLargestSize) {
  if (value < 1) refuse(file, fmt::format("{} is {}, it must be at least 1", field, value));
  if (value > largest) refuse(file, fmt::format("{} is {}, the most is {}", field, value, largest));
}

}  // namespace

LlamaConfig read_config(const fs::path& file, std::int64_t vocab_size) {
  const json object = read_json(file);
  if (!object.is_object()) refuse(file, "a model configuration is a JSON object");
  refuse_unknown_arithmetic(object, file);
  LlamaConfig config;
  config.hidden_size = json_integer(object, "hidden_size", file);
  config.intermediate_size = json_integer(object, "intermediate_size", file);
  config.num_hidden_layers = json_integer(object, "num_hidden_layers", file);
  config.num_attention_heads = json_integer(object, "num_attention_heads", file);
  config.num_key_value_heads = config.num_attention_heads;
  read_optional(object, "num_key_value_heads", file, config.num_key_value_heads);
  read_optional(object, "max_position_embeddings", file, config.max_position_embeddings);
  read_optional(object, "rope_theta", file, config.rope_theta);
  if (has(object, "rope_parameters")) read_optional(object["rope_parameters"], "rope_theta", file, config.rope_theta);
  read_optional(object, "rms_norm_eps", file, config.rms_norm_eps);
  read_optional(object, "initializer_range", file, config.initializer_range);
  if (has(object, "tie_word_embeddings"))
    config.tie_word_embeddings = json_boolean(object, "tie_word_embeddings", file);
  read_optional(object, "attention_dropout", file, config.attention_dropout);
  read_token_id(object, "pad_token_id", file, config.pad_token_id);
  if (config.pad_token_id && *config.pad_token_id < 0) config.pad_token_id.reset();  // as some tools write "none"
  read_optional(object, "vocab_size", file, config.vocab_size);
  config.vocab_size = std::max(config.vocab_size, vocab_size);
  check_size(file, "num_attention_heads", config.num_attention_heads);
  config.head_dim = config.hidden_size / config.num_attention_heads;  // rounded down, as in transformers
  read_optional(object, "head_dim", file, config.head_dim);
  check_config(config, file);
  return config;
}

void check_config(const LlamaConfig& config, const fs::path& file) {
  check_size(file, "hidden_size", config.hidden_size);
  check_size(file, "intermediate_size", config.intermediate_size);
  check_size(file, "num_hidden_layers", config.num_hidden_layers, kMostLayers);
  check_size(file, "num_attention_heads", config.num_attention_heads);
  check_size(file, "num_key_value_heads", config.num_key_value_heads);
  check_size(file, "head_dim", config.head_dim);
  check_size(file, "max_position_embeddings", config.max_position_embeddings);
  check_size(file, "vocab_size", config.vocab_size);
  if (config.num_attention_heads % config.num_key_value_heads != 0) {
    refuse(file, fmt::format("num_attention_heads {} is not divisible by num_key_value_heads {}",
                             config.num_attention_heads, config.num_key_value_heads));
  }
  if (config.head_dim % 2 != 0 && config.head_dim != 1) {
    refuse(file, fmt::format("head_dim {} is odd: rotary positions need pairs", config.head_dim));
  }
  if (!(config.rms_norm_eps > 0.0))
    refuse(file, fmt::format("rms_norm_eps is {}, it must be positive", config.rms_norm_eps));
  if (!(config.rope_theta > 0.0)) refuse(file, fmt::format("rope_theta is {}, it must be positive", config.rope_theta));
  if (!(config.attention_dropout >= 0.0)) {
    refuse(file, fmt::format("attention_dropout is {}, it must not be negative", config.attention_dropout));
  }
  if (config.pad_token_id && (*config.pad_token_id < 0 || *config.pad_token_id >= config.vocab_size)) {
    refuse(file,
           fmt::format("pad_token_id {} is outside the vocabulary of {}", *config.pad_token_id, config.vocab_size),
           "Leave it out: walks need no padding token.");
  }
  if (!(config.initializer_range >= 0.0)) {
    refuse(file, fmt::format("initializer_range is {}, it must not be negative", config.initializer_range));
  }
  // In floating point, since the sizes together may pass 64 bits.
  const auto hidden = static_cast<double>(config.hidden_size);
  const double width = static_cast<double>(config.head_dim) *
                       static_cast<double>(2 * config.num_attention_heads + 2 * config.num_key_value_heads);
  const double layer = hidden * (width + 3.0 * static_cast<double>(config.intermediate_size) + 2.0);
  const double total =
      static_cast<double>(config.num_hidden_layers) * layer + 2.0 * hidden * static_cast<double>(config.vocab_size);
  if (total > static_cast<double>(kMostParameters)) {
    refuse(file, fmt::format("the model would have {:.3g} parameters, the most is {:.3g}", total,
                             static_cast<double>(kMostParameters)));
  }
}

std::string config_json(const LlamaConfig& config) {
  const json object = {
      {"architectures", {"LlamaForCausalLM"}},
      {"attention_bias", false},
      {"attention_dropout", config.attention_dropout},
      {"bos_token_id", nullptr},
      {"dtype", "float32"},
      {"eos_token_id", nullptr},
      {"head_dim", config.head_dim},
      {"hidden_act", "silu"},
      {"hidden_size", config.hidden_size},
      {"initializer_range", config.initializer_range},
      {"intermediate_size", config.intermediate_size},
      {"max_position_embeddings", config.max_position_embeddings},
      {"mlp_bias", false},
      {"model_type", "llama"},
      {"num_attention_heads", config.num_attention_heads},
      {"num_hidden_layers", config.num_hidden_layers},
      {"num_key_value_heads", config.num_key_value_heads},
      {"pad_token_id", nullptr},
      {"pretraining_tp", 1},
      {"rms_norm_eps", config.rms_norm_eps},
      {"rope_scaling", nullptr},
      {"rope_theta", config.rope_theta},
      {"tie_word_embeddings", config.tie_word_embeddings},
      {"transformers_version", "4.57.1"},
      {"use_cache", true},
      {"vocab_size", config.vocab_size},
  };
  return object.dump(2) + "\n";
}

}  // namespace strider
