#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <string_view>

#include "cli/value_type.h"

namespace strider::cli {
namespace {

std::vector<std::string> words_of(std::string_view type) {
  std::vector<std::string> words;
  if (type.size() < 2 || type.front() != '{' || type.back() != '}') return words;
  type = type.substr(1, type.size() - 2);
  while (!type.empty()) {
    const std::size_t comma = std::min(type.find(','), type.size());
    words.emplace_back(type.substr(0, comma));
    type.remove_prefix(std::min(comma + 1, type.size()));
  }
  return words;
}

OptionDescription describe_option(const CLI::Option& option) {
  OptionDescription described;
  for (const std::string& name : option.get_snames()) described.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) described.names.push_back("--" + name);
  const bool has_name = !described.names.empty();
  if (!has_name) described.names.push_back(option.get_name(true));
  described.help = option.get_description();
  if (option.get_items_expected_max() == 0) return described;
  const std::string type = option.get_type_name();
  described.value_text = option.get_option_text().empty() && has_name ? type : option.get_option_text();
  described.words = words_of(type);
  described.may_lack_value = option.get_items_expected_min() == 0;
  described.takes_several = option.get_items_expected_max() > 1;
  if (!described.words.empty()) {
    described.value = ValueKind::kWords;
  } else if (type == kFolderType) {
    described.value = ValueKind::kFolder;
  } else {
    // What stands without a name is a path, whatever its type is called.
    described.value = type == kFileType || !has_name ? ValueKind::kFile : ValueKind::kOther;
  }
  return described;
}

CommandDescription describe_command(const CLI::App& command) {
  CommandDescription described{.name = command.get_name(),
                               .summary = command.get_description(),
                               .notes = command.get_footer(),
                               .options = {},
                               .arguments = {}};
  for (const CLI::Option* const option : command.get_options()) {
    (option->nonpositional() ? described.options : described.arguments).push_back(describe_option(*option));
  }
  return described;
}

}  // namespace

ProgramDescription describe_program(const CLI::App& program) {
  ProgramDescription described;
  described.version = program.version();
  described.summary = program.get_description();
  for (const CLI::Option* const option : program.get_options()) described.options.push_back(describe_option(*option));
  for (const CLI::App* const command : program.get_subcommands([](const CLI::App*) { return true; })) {
    described.commands.push_back(describe_command(*command));
  }
  return described;
}

}  // namespace strider::cli
