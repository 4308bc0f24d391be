#include "data/token_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/whole_number.h"
#include "io/json.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

// The numbers that the names are, by size, each with its name; nothing where one is no whole number.
std::optional<std::vector<std::pair<std::int64_t, std::string>>> numbers_of(const TokenIds& ids, const fs::path& file) {
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

}  // namespace

std::vector<std::string> number_names(TokenIds& ids, const fs::path& file) {
  std::vector<std::string> names;
  names.reserve(ids.size());
  if (const auto numbers = numbers_of(ids, file)) {
    for (const auto& [number, name] : *numbers) names.push_back(name);
  } else {
    for (const auto& [name, id] : ids) names.push_back(name);
    std::sort(names.begin(), names.end());
  }
  for (std::size_t id = 0; id < names.size(); ++id) ids.find(names[id])->second = static_cast<std::int32_t>(id);
  return names;
}

bool are_ids(const std::vector<std::string>& names) {
  for (std::size_t id = 0; id < names.size(); ++id) {
    if (parse_whole_number(names[id]) != static_cast<std::int64_t>(id)) return false;
  }
  return true;
}

std::string vocabulary_json(const std::vector<std::string>& names) {
  std::string text = "{";
  for (std::size_t id = 0; id < names.size(); ++id) {
    try {
      text += fmt::format("{}\n  {}: {}", id == 0 ? "" : ",", nlohmann::json(names[id]).dump(), id);
    } catch (const nlohmann::json::type_error&) {
      throw Error(fmt::format("the name of token {} is not UTF-8, as vocab.json has to be", id),
                  {.file = {}, .place = {}, .advice = "Write the file in UTF-8."});
    }
  }
  return text + "\n}\n";
}

std::vector<std::string> read_vocabulary_names(const fs::path& file) {
  const nlohmann::json object = read_json(file);
  const auto fail = [&](const std::string& message) {
    throw Error(message,
                {.file = file.string(), .place = {}, .advice = "Make the graph again (strider graph --from)."});
  };
  if (!object.is_object()) fail("This is no vocabulary: an object of names and ids");
  std::vector<std::string> names(object.size());
  std::vector<bool> is_known(object.size());
  for (const auto& [name, id] : object.items()) {
    const bool fits = id.is_number_unsigned() && id.get<std::uint64_t>() < names.size();
    if (!fits || is_known[id.get<std::size_t>()])
      fail(fmt::format("The id {} of \"{}\" is none of 0 to {}, or taken", id.dump(), name, names.size() - 1));
    names[id.get<std::size_t>()] = name;
    is_known[id.get<std::size_t>()] = true;
  }
  return names;
}

}  // namespace strider
