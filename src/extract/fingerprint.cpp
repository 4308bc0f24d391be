#include "extract/fingerprint.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "io/checksum.h"

namespace strider {
namespace {

constexpr const char* kUsualPrecision = "float32";  // which is not recorded

std::string text_in(const nlohmann::json& object, const std::string& field) {
  const bool is_there = object.is_object() && object.contains(field) && object[field].is_string();
  return is_there ? object[field].get<std::string>() : "not recorded";
}

}  // namespace

ModelFingerprint fingerprint_of(const LlamaConfig& config, const ParameterLayout& layout, std::span<const float> values,
                                std::span<const std::int32_t> token_ids) {
  std::uint32_t sum = 0;
  for (const ParameterInfo& tensor : layout.tensors()) {
    if (tensor.name == "lm_head.weight") continue;
    const auto part = values.subspan(tensor.offset, static_cast<std::size_t>(tensor.size));
    sum = crc32_of(std::as_bytes(part), sum);
  }
  ModelFingerprint fingerprint;
  fingerprint.weights = fmt::format("crc32 {:08x}", sum);
  fingerprint.token_ids = fmt::format("{} ids, crc32 {:08x}", token_ids.size(), crc32_of(std::as_bytes(token_ids)));
  const auto add = [&](const char* field, auto value) {
    fingerprint.configuration.emplace_back(field, fmt::format("{}", value));
  };
  add("vocab_size", config.vocab_size);
  add("hidden_size", config.hidden_size);
  add("intermediate_size", config.intermediate_size);
  add("num_hidden_layers", config.num_hidden_layers);
  add("num_attention_heads", config.num_attention_heads);
  add("num_key_value_heads", config.num_key_value_heads);
  add("head_dim", config.head_dim);
  add("rms_norm_eps", config.rms_norm_eps);
  return fingerprint;
}

nlohmann::ordered_json to_json(const ModelFingerprint& fingerprint) {
  nlohmann::ordered_json configuration = nlohmann::ordered_json::object();
  for (const auto& [field, value] : fingerprint.configuration) configuration[field] = value;
  nlohmann::ordered_json object = {
      {"weights", fingerprint.weights}, {"token_ids", fingerprint.token_ids}, {"configuration", configuration}};
  if (fingerprint.precision != kUsualPrecision) object["precision"] = fingerprint.precision;
  for (const auto& [field, value] : fingerprint.contexts) object["contexts"][field] = value;
  return object;
}

std::string differences(const nlohmann::json& earlier, const ModelFingerprint& now) {
  std::string text;
  const auto compare = [&](const std::string& what, const std::string& before, const std::string& value) {
    if (before == value) return;
    text += fmt::format("{}{} was {}, now {}", text.empty() ? "" : "; ", what, before, value);
  };
  const nlohmann::json configuration = earlier.value("configuration", nlohmann::json::object());
  for (const auto& [field, value] : now.configuration) compare(field, text_in(configuration, field), value);
  compare("the vocabulary", text_in(earlier, "token_ids"), now.token_ids);
  compare("the weights' checksum", text_in(earlier, "weights"), now.weights);
  compare("PRECISION", earlier.contains("precision") ? text_in(earlier, "precision") : kUsualPrecision, now.precision);
  const bool had_contexts = earlier.contains("contexts");
  if (!had_contexts && now.contexts.empty()) return text;
  if (had_contexts != !now.contexts.empty()) {
    const std::string before = had_contexts ? text_in(earlier["contexts"], "UPSAMPLE") : "0";
    compare("UPSAMPLE", before, now.contexts.empty() ? "0" : now.contexts.front().second);
    return text;
  }
  for (const auto& [field, value] : now.contexts) compare(field, text_in(earlier["contexts"], field), value);
  return text;
}

}  // namespace strider
