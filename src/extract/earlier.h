#pragma once
// What an output folder holds of an earlier extraction, and whether it is of the same model.
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "extract/fingerprint.h"
#include "model/representation.h"

namespace strider {

struct EarlierExtraction {
  std::string mismatch;               // why it cannot be kept, for a person; empty: it can
  std::vector<Representation> types;  // that it has, in the order of representation_types(); only when it can be kept
  bool has_raw = false;               // the single vectors of tokens in context as well
};

/// Reads the files of an extraction in `folder`, all of their bytes, and compares them with the model that `now` is of.
/// An extraction without a fingerprint, a damaged or missing file, and arrays that are not those that were written with
/// representation_info.json are mismatches. The single vectors are [tokens, per_token, width]. Memory does not grow
/// with the arrays.
EarlierExtraction read_earlier(const std::filesystem::path& folder, const LlamaConfig& config,
                               const ModelFingerprint& now, std::int64_t tokens, std::int64_t per_token);

}  // namespace strider
