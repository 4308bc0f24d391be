#include "cli/usage.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

namespace strider::cli {
namespace {

// Letters to change, add or drop (Levenshtein 1966).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

// "; did you mean X?", or nothing where no name is near.
std::string suggestion(const std::string& word, const std::vector<std::string>& names) {
  const auto nearest =
      std::ranges::min_element(names, {}, [&](const std::string& name) { return distance(word, name); });
  if (nearest == names.end() || distance(word, *nearest) > std::max<std::size_t>(2, word.size() / 3)) return {};
  return fmt::format("; did you mean {}?", *nearest);
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

}  // namespace

std::string wrong_usage(const CLI::App& program, int argc, const char* const* argv) {
  if (argc < 2) return {};
  const std::string word = argv[1];
  if (word.starts_with('-')) return {};
  const CLI::App* chosen = nullptr;
  std::vector<std::string> commands;
  for (const CLI::App* command : program.get_subcommands([](const CLI::App*) { return true; })) {
    commands.push_back(command->get_name());
    if (commands.back() == word) chosen = command;
  }
  if (chosen == nullptr) {
    return fmt::format("there is no command \"{}\"{}\n  The commands are {}.", word, suggestion(word, commands),
                       fmt::join(commands, ", "));
  }
  const std::vector<std::string> names = option_names(*chosen);
  std::string unknown;
  for (int i = 2; i < argc && std::string_view(argv[i]) != "--"; ++i) {
    const std::string_view argument = argv[i];
    if (!argument.starts_with("--")) continue;
    const std::string name(argument.substr(0, argument.find('=')));
    if (std::ranges::find(names, name) != names.end()) continue;
    unknown += fmt::format("{}strider {} has no option {}{}", unknown.empty() ? "" : "\n  ", word, name,
                           suggestion(name, names));
  }
  if (unknown.empty()) return {};
  return unknown + fmt::format("\n  strider {} --help lists its options.", word);
}

}  // namespace strider::cli
