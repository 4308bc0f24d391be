#include "extract/output.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace strider {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int kIndent = 2;

// The bytes of Python's json.dump(indent=2): ASCII only, no newline at the end. A folder's name need not be UTF-8.
std::string text_of(const Json& json) {
  return json.dump(kIndent, ' ', true, Json::error_handler_t::replace);
}

std::int64_t tokens_of(const ExtractPlan& plan) {
  return plan.token_ids.size();
}

Json asked_names(const ExtractPlan& plan) {
  Json names = Json::array();
  for (const Representation what : plan.asked) names.push_back(representation_type(what).name);
  return names;
}

}  // namespace

std::string metadata_json(std::span<const std::int32_t> ids, std::span<const std::string> texts,
                          const std::vector<IdRange>& never_seen) {
  Json rows = Json::array();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    Json& row = rows.emplace_back(Json{{"token_id", ids[i]}, {"token_str", texts[i]}});
    if (contains(never_seen, ids[i])) row["never_seen"] = true;
  }
  return text_of(rows);
}

std::string summary_json(const ExtractPlan& plan) {
  Json keys = Json::array();
  for (const TokenArray& array : plan.arrays) keys.push_back(array.name);
  const fs::path vocab_file = plan.settings.model_dir / "vocab.json";
  Json summary = {
      {"model_dir", plan.settings.model_dir.string()},
      {"vocab_file", fs::exists(vocab_file) ? Json(vocab_file.string()) : Json(nullptr)},
      {"vocab_size", tokens_of(plan)},
      {"num_layers", plan.config.num_hidden_layers},
      {"hidden_size", plan.config.hidden_size},
      {"intermediate_size", plan.config.intermediate_size},
      {"representations_extracted", asked_names(plan)},
      {"representation_keys", keys},
      {"representation_shape", fmt::format("[vocab_size={}, hidden_dim]", tokens_of(plan))},
  };
  if (plan.contexts != nullptr) {
    summary["upsampled"] = true;
    summary["dataset_dir"] = plan.settings.dataset_dir.string();
    summary["upsample_n"] = plan.settings.upsample;
    summary["seed"] = plan.settings.upsample_seed;
    if (plan.keeps_raw) summary["upsampled_raw_file"] = kRawFile;
  }
  return text_of(summary);
}

std::string array_checksum(const NpzEntry& entry) {
  return fmt::format("crc32 {:08x}", entry.crc32);
}

std::string info_json(const ExtractPlan& plan, const ModelFingerprint& fingerprint,
                      const std::vector<NpzEntry>& entries, const std::vector<NpzEntry>& raw_entries) {
  Json identity = to_json(fingerprint);
  for (const NpzEntry& entry : entries) identity["arrays"][entry.name] = array_checksum(entry);
  for (const NpzEntry& entry : raw_entries) identity["raw_arrays"][entry.name] = array_checksum(entry);
  Json where = Json::object();
  for (const Representation what : plan.asked) {
    const RepresentationType& type = representation_type(what);
    where[std::string(type.name)] = type.where;
  }
  Json arrays = Json::object();
  for (const TokenArray& array : plan.arrays) arrays[array.name] = {tokens_of(plan), array.width};
  return text_of({
      {"model",
       {{"model_dir", plan.settings.model_dir.string()},
        {"model_type", "llama"},
        {"vocab_size", plan.config.vocab_size},
        {"hidden_size", plan.config.hidden_size},
        {"intermediate_size", plan.config.intermediate_size},
        {"num_layers", plan.config.num_hidden_layers},
        {"num_attention_heads", plan.config.num_attention_heads},
        {"num_key_value_heads", plan.config.num_key_value_heads},
        {"head_dim", plan.config.head_dim},
        {"parameters", plan.parameters}}},
      {"vocab_size", tokens_of(plan)},
      {"representations_extracted", asked_names(plan)},
      {"taken_at", where},
      {"dtype", "float32"},
      {"arrays", arrays},
      {"fingerprint", identity},
  });
}

}  // namespace strider
