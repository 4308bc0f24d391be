#pragma once
// The files of an extraction beside the arrays themselves.
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/id_ranges.h"
#include "extract/extract.h"
#include "io/npz.h"

namespace strider {

inline constexpr const char* kArraysFile = "token_representations.npz";
inline constexpr const char* kRawFile = "token_representations_upsampled_raw.npz";
inline constexpr const char* kMetadataFile = "token_metadata.json";
inline constexpr const char* kSummaryFile = "extraction_summary.json";
inline constexpr const char* kInfoFile = "representation_info.json";

/// token_metadata.json: [{"token_id": 7, "token_str": "7"}, ...], a row of the arrays each; with "never_seen": true
/// where training never saw the token.
std::string metadata_json(std::span<const std::int32_t> ids, std::span<const std::string> texts,
                          const std::vector<IdRange>& never_seen);
/// extraction_summary.json, with the keys of LLM-Topo's 02b; in context also those of its later versions.
std::string summary_json(const ExtractPlan& plan);
/// representation_info.json: the model, the types and where they are taken, each array's shape, the vocabulary size,
/// and the fingerprint of the model and of the arrays, `entries` of the file that has been written and `raw_entries` of
/// that of the single vectors, if any.
std::string info_json(const ExtractPlan& plan, const ModelFingerprint& fingerprint,
                      const std::vector<NpzEntry>& entries, const std::vector<NpzEntry>& raw_entries);
/// "crc32 0123abcd", of the array's .npy file.
std::string array_checksum(const NpzEntry& entry);

}  // namespace strider
