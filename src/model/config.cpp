#include "model/config.h"

#include <fmt/format.h>

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

// What changes the arithmetic in ways that the engine has not; each is only accepted when it is switched off.
void refuse_unknown_arithmetic(const json& object, const fs::path& file) {
  if (has(object, "model_type") && object["model_type"] != "llama") cannot(file, "model_type", object["model_type"]);
  if (has(object, "hidden_act") && object["hidden_act"] != "silu") cannot(file, "hidden_act", object["hidden_act"]);
  for (const char* field : {"attention_bias", "mlp_bias"}) {
    if (has(object, field) && object[field] != false) cannot(file, field, object[field]);
  }
  for (const char* field : {"rope_scaling", "quantization_config", "sliding_window"}) {
    if (has(object, field)) cannot(file, field, object[field]);
  }
  for (const char* field : {"attention_dropout", "partial_rotary_factor", "pretraining_tp"}) {
    if (!has(object, field)) continue;
    const double neutral = std::string(field) == "attention_dropout" ? 0.0 : 1.0;
    if (json_number(object, field, file) != neutral) cannot(file, field, object[field]);
  }
  if (has(object, "rope_parameters")) {  // how later transformers write rope_theta
    const json& rope = object["rope_parameters"];
    if (!rope.is_object() || (has(rope, "rope_type") && rope["rope_type"] != "default")) {
      cannot(file, "rope_parameters", rope);
    }
  }
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
  if (object[field].is_array()) return;  // several end tokens: nothing here generates text
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
  read_token_id(object, "bos_token_id", file, config.bos_token_id);
  read_token_id(object, "eos_token_id", file, config.eos_token_id);
  read_token_id(object, "pad_token_id", file, config.pad_token_id);
  read_optional(object, "vocab_size", file, config.vocab_size);
  if (vocab_size > 0) config.vocab_size = vocab_size;
  check_size(file, "num_attention_heads", config.num_attention_heads);
  if (has(object, "head_dim")) {
    config.head_dim = json_integer(object, "head_dim", file);
  } else {
    if (config.hidden_size % config.num_attention_heads != 0) {
      refuse(file,
             fmt::format("hidden_size {} is not divisible by num_attention_heads {}", config.hidden_size,
                         config.num_attention_heads),
             "Change one of them, or give head_dim.");
    }
    config.head_dim = config.hidden_size / config.num_attention_heads;
  }
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
  if (config.head_dim % 2 != 0) {
    refuse(file, fmt::format("head_dim {} is odd: rotary positions need pairs", config.head_dim));
  }
  if (!(config.rms_norm_eps > 0.0))
    refuse(file, fmt::format("rms_norm_eps is {}, it must be positive", config.rms_norm_eps));
  if (!(config.rope_theta > 0.0)) refuse(file, fmt::format("rope_theta is {}, it must be positive", config.rope_theta));
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
  auto token = [](const std::optional<std::int64_t>& id) { return id ? json(*id) : json(nullptr); };
  json object = {
      {"architectures", {"LlamaForCausalLM"}},
      {"attention_bias", false},
      {"attention_dropout", 0.0},
      {"bos_token_id", token(config.bos_token_id)},
      {"dtype", "float32"},
      {"eos_token_id", token(config.eos_token_id)},
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
      {"pretraining_tp", 1},
      {"rms_norm_eps", config.rms_norm_eps},
      {"rope_scaling", nullptr},
      {"rope_theta", config.rope_theta},
      {"tie_word_embeddings", config.tie_word_embeddings},
      {"transformers_version", "4.57.1"},
      {"use_cache", true},
      {"vocab_size", config.vocab_size},
  };
  if (config.pad_token_id) object["pad_token_id"] = *config.pad_token_id;
  return object.dump(2) + "\n";
}

}  // namespace strider
