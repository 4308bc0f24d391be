#pragma once
// Walks of any kind (walk_sources.h) as the CSV that WalksCsv reads, and which token has which id. Where the tokens are
// the whole numbers 0 to n-1, each is its own id. Else they are numbered: whole numbers (all of them) by size, other
// names in the order of their bytes, so that the same set of names has the same ids whatever the order of the walks.
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

/// vocab.json: {name: id}, in the order of the ids.
std::string vocabulary_json(const std::vector<std::string>& names);

}  // namespace strider
