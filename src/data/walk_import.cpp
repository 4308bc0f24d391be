#include "data/walk_import.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "base/whole_number.h"
#include "io/atomic_file.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

struct HashText {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
using Ids = std::unordered_map<std::string, std::int32_t, HashText, std::equal_to<>>;

constexpr std::size_t kMostNames = INT32_MAX - 1;

// The numbers that the names are, by size, each with its name; nothing where one is no whole number.
std::optional<std::vector<std::pair<std::int64_t, std::string>>> numbers_of(const Ids& ids, const fs::path& file) {
  std::vector<std::pair<std::int64_t, std::string>> numbers;
  numbers.reserve(ids.size());
  for (const auto& [name, id] : ids) {
    const std::optional<std::int64_t> number = parse_whole_number(name);
    if (!number) return std::nullopt;
    numbers.emplace_back(*number, name);
  }
  std::sort(numbers.begin(), numbers.end());
  const auto same = [](const auto& a, const auto& b) { return a.first == b.first; };
  const auto twice = std::adjacent_find(numbers.begin(), numbers.end(), same);
  if (twice != numbers.end()) {
    throw Error(fmt::format("the names \"{}\" and \"{}\" are the same number", twice->second, (twice + 1)->second),
                {.file = file.string(), .place = {}, .advice = "Write each node's name in one way."});
  }
  return numbers;
}

// Gives each name its id, and the names in the order of the ids.
std::vector<std::string> number_names(Ids* ids, const fs::path& file) {
  std::vector<std::string> names;
  names.reserve(ids->size());
  if (const auto numbers = numbers_of(*ids, file)) {
    for (const auto& [number, name] : *numbers) names.push_back(name);
  } else {
    for (const auto& [name, id] : *ids) names.push_back(name);
    std::sort(names.begin(), names.end());
  }
  for (std::size_t id = 0; id < names.size(); ++id) ids->find(names[id])->second = static_cast<std::int32_t>(id);
  return names;
}

// Whether the names, in the order of their ids, are 0 to n-1.
bool are_ids(const std::vector<std::string>& names) {
  for (std::size_t id = 0; id < names.size(); ++id) {
    if (parse_whole_number(names[id]) != static_cast<std::int64_t>(id)) return false;
  }
  return true;
}

bool has_space(const std::string& name) {
  return name.find_first_of(" \t\r\n\v\f") != std::string::npos;
}

}  // namespace

ImportedWalks import_walks(const fs::path& from, const std::string& column, const fs::path& csv) {
  const WalkSource source(from, column);
  ImportedWalks imported{.kind = source.kind(), .column = source.column()};
  Ids ids;
  source.read([&](std::span<const std::string_view> tokens, const std::string& place) {
    ++imported.walks;
    for (const std::string_view token : tokens) {
      if (ids.find(token) != ids.end()) continue;
      if (ids.size() == kMostNames) {
        throw Error("there are more names than ids", {.file = from.string(), .place = place, .advice = {}});
      }
      ids.emplace(token, 0);
    }
  });
  if (imported.walks == 0) {
    throw Error("there is no walk in it",
                {.file = from.string(), .place = {}, .advice = "Name a file that has walks with --from."});
  }
  imported.names = number_names(&ids, from);
  AtomicFile out(csv);
  out.write("walk_id,length,sequence_labels\n");
  std::int64_t walk = 0;
  std::string line;
  source.read([&](std::span<const std::string_view> tokens, const std::string& place) {
    line = fmt::format("{},{},", walk++, tokens.size());
    for (const std::string_view token : tokens) {
      const auto found = ids.find(token);
      if (found == ids.end()) {
        throw Error("the file was changed while it was read",
                    {.file = from.string(), .place = place, .advice = "Run the command again."});
      }
      fmt::format_to(std::back_inserter(line), "{} ", found->second);
    }
    line.back() = '\n';
    out.write(line);
  });
  imported.notices.add(out.commit());
  if (are_ids(imported.names)) {
    imported.names.clear();
  } else if (const auto spaced = std::ranges::find_if(imported.names, has_space); spaced != imported.names.end()) {
    imported.notices.add(fmt::format(
        "The name \"{}\" has white space in it, where a tokenizer ends a token: texts of walks cannot be read back.",
        *spaced));
  }
  return imported;
}

std::string vocabulary_json(const std::vector<std::string>& names) {
  std::string text = "{";
  for (std::size_t id = 0; id < names.size(); ++id) {
    try {
      text += fmt::format("{}\n  {}: {}", id == 0 ? "" : ",", nlohmann::json(names[id]).dump(), id);
    } catch (const nlohmann::json::type_error&) {
      throw Error(fmt::format("the name of token {} is not UTF-8, as vocab.json has to be", id),
                  {.file = {}, .place = {}, .advice = "Write the file of walks in UTF-8."});
    }
  }
  return text + "\n}\n";
}

}  // namespace strider
