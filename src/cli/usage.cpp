#include "cli/usage.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <numeric>
#include <span>
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

// "; did you mean X?", or nothing where no name is near. A name that goes on where the word ends is nearest.
std::string suggestion(const std::string& word, const std::vector<std::string>& names) {
  const auto apart = [&](const std::string& name) { return name.starts_with(word) ? 0 : distance(word, name); };
  const auto nearest = std::ranges::min_element(names, {}, apart);
  if (nearest == names.end() || apart(*nearest) > std::max<std::size_t>(2, word.size() / 3)) return {};
  return fmt::format("; did you mean {}?", *nearest);
}

// "--help" of "--help=x", "-h" of "-h"; empty for what is no option: a value, or a negative number.
std::string option_in(std::string_view argument) {
  if (argument.size() < 2 || argument[0] != '-' || std::isdigit(static_cast<unsigned char>(argument[1])) != 0)
    return {};
  return std::string(argument.substr(0, argument.find('=')));
}

// What a command's line has that the command does not take, in the order given.
class Leftovers {
 public:
  explicit Leftovers(const CLI::App& command) : command_(command) {
    for (const CLI::Option* option : command.get_options()) {
      for (const std::string& name : option->get_lnames()) names_.push_back("--" + name);
      if (option->get_positional()) positionals_ += std::max(0, option->get_items_expected_max());
    }
  }

  std::string of(std::span<const char* const> arguments) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      const std::string_view argument = arguments[i];
      if (argument == "--") break;
      const std::string name = option_in(argument);
      if (name.empty()) {
        if (--positionals_ < 0) say(fmt::format("takes no \"{}\"", argument), "");
        continue;
      }
      const CLI::Option* const option = command_.get_option_no_throw(name);
      if (option == nullptr) {
        say(fmt::format("has no option {}", name), suggestion(name, names_));
      } else if (argument.find('=') == std::string_view::npos) {
        i += values_of(*option, arguments.subspan(i + 1));
      }
    }
    return text_;
  }

 private:
  // How many of the next arguments are the option's.
  static std::size_t values_of(const CLI::Option& option, std::span<const char* const> next) {
    const auto least = static_cast<std::size_t>(std::max(0, option.get_items_expected_min()));
    const auto most = static_cast<std::size_t>(std::max(0, option.get_items_expected_max()));
    std::size_t count = std::min(least, next.size());
    while (count < std::min(most, next.size()) && option_in(next[count]).empty()) ++count;
    return count;
  }

  void say(const std::string& what, const std::string& more) {
    text_ += fmt::format("{}strider {} {}{}", text_.empty() ? "" : "\n  ", command_.get_name(), what, more);
  }

  const CLI::App& command_;
  std::vector<std::string> names_;
  int positionals_ = 0;  // arguments that need no option's name
  std::string text_;
};

}  // namespace

std::string wrong_usage(const CLI::App& program, int argc, const char* const* argv) {
  if (argc < 2) return {};
  const std::string word = argv[1];
  std::vector<std::string> commands;
  for (const CLI::App* command : program.get_subcommands([](const CLI::App*) { return true; })) {
    commands.push_back(command->get_name());
  }
  if (word.starts_with('-')) {
    if (program.get_option_no_throw(word) != nullptr) return {};
    return fmt::format("strider has no option {}\n  The commands are {}.", word, fmt::join(commands, ", "));
  }
  if (std::ranges::find(commands, word) == commands.end()) {
    return fmt::format("there is no command \"{}\"{}\n  The commands are {}.", word, suggestion(word, commands),
                       fmt::join(commands, ", "));
  }
  const std::span<const char* const> arguments(argv + 2, static_cast<std::size_t>(argc - 2));
  const std::string unknown = Leftovers(*program.get_subcommand(word)).of(arguments);
  if (unknown.empty()) return {};
  return unknown + fmt::format("\n  strider {} --help lists what it takes.", word);
}

}  // namespace strider::cli
