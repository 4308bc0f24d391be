#pragma once
// Walks of any kind (walk_sources.h) as the CSV that WalksCsv reads, and which token has which id
// (token_names.h).
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/notices.h"
#include "data/walk_sources.h"

namespace strider {

struct ImportedWalks {
  WalkKind kind = WalkKind::kText;
  std::string column = {};  // empty: the file has none
  std::int64_t walks = 0;
  std::vector<std::string> names = {};  // of each id; empty: the ids are the tokens
  Notices notices = {};
};

/// Reads `from` twice and writes `csv`, which appears whole. Memory grows with the number of names. Throws Error as
/// WalkSource, or when two names are the same number ("7" and "07"), or there are more than 2^31 - 2 names.
ImportedWalks import_walks(const std::filesystem::path& from, const std::string& column,
                           const std::filesystem::path& csv);

}  // namespace strider
