#pragma once
// Which name has which id. Where the names are the whole numbers 0 to n-1, each is its own id. Else they are numbered:
// whole numbers (all of them) by size, other names in the order of their bytes, so that the same set of names has the
// same ids whatever the order in which they come.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace strider {

struct HashText {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
using TokenIds = std::unordered_map<std::string, std::int32_t, HashText, std::equal_to<>>;

inline constexpr std::size_t kMostTokenNames = INT32_MAX - 1;

/// Gives each name its id; returns the names in the order of the ids. `file` is where they are from, for errors. Throws
/// Error where two names are the same number ("7" and "07").
std::vector<std::string> number_names(TokenIds& ids, const std::filesystem::path& file);

/// Whether names in the order of their ids are 0 to n-1.
bool are_ids(const std::vector<std::string>& names);

/// vocab.json: {name: id}, in the order of the ids. Throws Error where a name is not UTF-8.
std::string vocabulary_json(const std::vector<std::string>& names);
/// The names in the order of the ids. Throws Error where the file is not such an object, with ids from 0 to n-1.
std::vector<std::string> read_vocabulary_names(const std::filesystem::path& file);

}  // namespace strider
