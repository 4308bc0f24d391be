#pragma once
// What an extraction is of: enough to see later whether a model is still the same.
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/config.h"
#include "model/parameters.h"

namespace strider {

struct ModelFingerprint {
  std::string weights;    // "crc32 0123abcd", of all float32 parameters but the output head, which no vector depends on
  std::string token_ids;  // "48 ids, crc32 0123abcd", of the rows' ids
  std::vector<std::pair<std::string, std::string>> configuration;  // fields of config.json that results depend on
  std::string precision = "float32";                               // of matrix products
  // UPSAMPLE, UPSAMPLE_SEED and "training_walks", which says of which walks; empty where each token is taken alone.
  std::vector<std::pair<std::string, std::string>> contexts = {};
  bool operator==(const ModelFingerprint&) const = default;
};

/// `values` are the model's parameters in the layout's order, `token_ids` the ids of the rows.
ModelFingerprint fingerprint_of(const LlamaConfig& config, const ParameterLayout& layout, std::span<const float> values,
                                std::span<const std::int32_t> token_ids);

/// As it is in representation_info.json under "fingerprint".
nlohmann::ordered_json to_json(const ModelFingerprint& fingerprint);

/// What differs from a fingerprint that was written earlier, for a person: empty when nothing does. Fields that are
/// missing there differ, but for two: without contexts tokens were taken alone, without a precision in float32.
std::string differences(const nlohmann::json& earlier, const ModelFingerprint& now);

}  // namespace strider
