#include "cli/completion_scripts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>
#include <vector>

namespace strider::cli {
namespace {

// "a b c"
std::string spaced(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

// What a list of completions has room for: the first line, without the sentences behind a semicolon.
std::string short_help(const std::string& help) {
  return help.substr(0, std::min(help.find('\n'), help.size()));
}

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

// The last name is the one with dashes, where there are two spellings; the first is offered.
std::vector<std::string> first_names(const std::vector<OptionDescription>& options) {
  std::vector<std::string> names;
  for (const OptionDescription& option : options) {
    if (option.names.front().starts_with("--") || option.names.size() == 1) {
      names.push_back(option.names.front());
    } else {
      names.push_back(option.names.back());  // --help of "-h,--help"
    }
  }
  return names;
}

std::vector<std::string> all_names(const std::vector<OptionDescription>& options) {
  std::vector<std::string> names;
  for (const OptionDescription& option : options) names.insert(names.end(), option.names.begin(), option.names.end());
  return names;
}

std::vector<std::string> command_names(const ProgramDescription& program) {
  std::vector<std::string> names;
  for (const CommandDescription& command : program.commands) names.push_back(command.name);
  return names;
}

const char* bash_kind(const OptionDescription& option) {
  switch (option.value) {
    case ValueKind::kNone:
      return "none";
    case ValueKind::kWords:
      return "words";
    case ValueKind::kFile:
      return "file";
    case ValueKind::kFolder:
      return "folder";
    case ValueKind::kOther:
      return "other";
  }
  return "other";
}

// A line of bash's `case` for each option that takes a value: sets kind, words, alone and several.
std::string bash_values(const CommandDescription& command) {
  std::string text;
  for (const OptionDescription& option : command.options) {
    if (option.value == ValueKind::kNone) continue;
    std::string patterns;
    for (const std::string& name : option.names) {
      patterns += fmt::format("{}\"{} {}\"", patterns.empty() ? "" : " | ", command.name, name);
    }
    text += fmt::format("    {})\n      kind=\"{}\"", patterns, bash_kind(option));
    if (!option.words.empty()) text += fmt::format(" words=\"{}\"", spaced(option.words));
    if (option.may_lack_value) text += " alone=yes";
    if (option.takes_several) text += " several=yes";
    text += "\n      ;;\n";
  }
  return text;
}

constexpr std::string_view kBashFunctions = R"(
# Adds what begins with `current` to the completions: words, or places in the file system.
_strider_offer() {
  local found
  case $1 in
    words) mapfile -t found < <(compgen -W "$2" -- "$current") ;;
    file) mapfile -t found < <(compgen -f -- "$current") ;;
    folder) mapfile -t found < <(compgen -d -- "$current") ;;
    *) return ;;
  esac
  if [[ $1 != words ]]; then compopt -o filenames 2>/dev/null; fi
  COMPREPLY+=("${found[@]/#/$prefix}")
}

_strider() {
  local current=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} prefix=""
  local kind=none words="" alone="" several="" names="" other_names="" argument=none argument_words=""
  local i option="" values=0 equals=""
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    _strider_offer words "$_strider_commands"
    return
  fi
  _strider_command "$command" || return

  # The option before the cursor, and how many words are between. "--name=value" is three words where = separates words.
  for ((i = COMP_CWORD - 1; i > 1; --i)); do
    if [[ ${COMP_WORDS[i]} == -?* ]]; then
      option=${COMP_WORDS[i]}
      break
    fi
    if [[ ${COMP_WORDS[i]} != = ]]; then ((++values)); fi
  done
  if [[ $current == = ]]; then
    current="" equals=yes
  elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == = ]]; then
    equals=yes
  elif [[ $current == --*=* ]]; then
    option=${current%%=*} prefix=$option= current=${current#*=} equals=yes values=0
  fi
  if [[ -n $option ]]; then _strider_value "$command $option"; fi
  if ((values > 0)) && [[ -z $several ]]; then kind=none; fi

  if [[ $current != -* || -n $equals ]]; then _strider_offer "$kind" "$words"; fi
  # An option that wants a value takes what comes next.
  if [[ -n $equals || ($kind != none && -z $alone && $values == 0) ]]; then return; fi
  if [[ $kind == none && $current != -* ]]; then _strider_offer "$argument" "$argument_words"; fi
  if [[ $current == -* || (-z $current && $argument == none) ]]; then
    _strider_offer words "$names"
    if ((${#COMPREPLY[@]} == 0)); then _strider_offer words "$other_names"; fi
  fi
}

complete -F _strider strider
)";

std::string zsh_quoted(const std::string& text) {
  return fmt::format("'{}'", replaced(text, "'", R"('\'')"));
}

// Within the brackets and between the colons of _arguments.
std::string zsh_text(std::string text) {
  for (const char* special : {"\\", "[", "]", ":"}) text = replaced(text, special, std::string("\\") + special);
  return text;
}

std::string zsh_action(const OptionDescription& option) {
  switch (option.value) {
    case ValueKind::kWords:
      return fmt::format("({})", spaced(option.words));
    case ValueKind::kFile:
      return "_files";
    case ValueKind::kFolder:
      return "_files -/";
    default:
      return " ";
  }
}

// One specification for each name, which excludes the other spelling.
std::string zsh_option(const OptionDescription& option) {
  std::string text;
  for (const std::string& name : option.names) {
    std::string spec;
    if (option.names.size() > 1) spec += fmt::format("({})", spaced(option.names));
    spec += name;
    if (option.value != ValueKind::kNone && !option.takes_several && name.starts_with("--")) spec += "=";
    spec += fmt::format("[{}]", zsh_text(short_help(option.help)));
    if (option.value != ValueKind::kNone) {
      const std::string variable = option.value_text.substr(0, option.value_text.find(' '));
      spec += fmt::format("{}{}:{}",
                          option.takes_several    ? ":*-*:"
                          : option.may_lack_value ? "::"
                                                  : ":",
                          zsh_text(variable), zsh_action(option));
    }
    text += fmt::format("        {} \\\n", zsh_quoted(spec));
  }
  return text;
}

std::string zsh_argument(const OptionDescription& argument) {
  return fmt::format("        {} \\\n",
                     zsh_quoted(fmt::format("{}:{}:{}", argument.takes_several ? "*" : "",
                                            zsh_text(argument.names.front()), zsh_action(argument))));
}

std::string fish_quoted(const std::string& text) {
  return fmt::format("'{}'", replaced(replaced(text, "\\", "\\\\"), "'", "\\'"));
}

std::string fish_value(const OptionDescription& option) {
  switch (option.value) {
    case ValueKind::kNone:
      return {};
    case ValueKind::kWords:
      return fmt::format("{} -a {}", option.may_lack_value ? " -f" : " -x", fish_quoted(spaced(option.words)));
    case ValueKind::kFile:
      return " -r -F";
    case ValueKind::kFolder:
      return " -x -a '(__fish_complete_directories)'";
    case ValueKind::kOther:
      return " -x";
  }
  return {};
}

std::string fish_option(const std::string& condition, const OptionDescription& option) {
  std::string text;
  for (const std::string& name : option.names) {
    const bool is_long = name.starts_with("--");
    text += fmt::format("complete -c strider -n {} {} {} -d {}{}\n", condition, is_long ? "-l" : "-s",
                        name.substr(is_long ? 2 : 1), fish_quoted(short_help(option.help)), fish_value(option));
  }
  return text;
}

}  // namespace

std::string bash_completion(const ProgramDescription& program) {
  std::string text = "# Completion of strider in bash, made by `strider completion bash`.\n";
  text += fmt::format("_strider_commands=\"{} {}\"\n\n", spaced(command_names(program)),
                      spaced(first_names(program.options)));
  text += "# Sets names and other_names to the options of a command, argument to what it takes without a name.\n";
  text += "_strider_command() {\n  case $1 in\n";
  for (const CommandDescription& command : program.commands) {
    text += fmt::format("    {})\n      names=\"{}\"\n      other_names=\"{}\"\n", command.name,
                        spaced(first_names(command.options)), spaced(all_names(command.options)));
    if (!command.arguments.empty()) {
      const OptionDescription& argument = command.arguments.front();
      text += fmt::format("      argument={} argument_words=\"{}\"\n", bash_kind(argument), spaced(argument.words));
    }
    text += "      ;;\n";
  }
  text += "    *) return 1 ;;\n  esac\n}\n\n";
  text +=
      "# Sets kind, words, alone (the value may be left out) and several (values may follow) of \"command option\".\n";
  text += "_strider_value() {\n  case $1 in\n";
  for (const CommandDescription& command : program.commands) text += bash_values(command);
  text += "    *) kind=none ;;\n  esac\n}\n";
  return text + std::string(kBashFunctions);
}

std::string zsh_completion(const ProgramDescription& program) {
  std::string text = "#compdef strider\n# Completion of strider in zsh, made by `strider completion zsh`.\n\n";
  text += "_strider() {\n  local curcontext=$curcontext state line\n  typeset -A opt_args\n  local -a commands\n";
  text += "  commands=(\n";
  for (const CommandDescription& command : program.commands) {
    text += fmt::format("    {}\n", zsh_quoted(command.name + ":" + zsh_text(short_help(command.summary))));
  }
  text += "  )\n  _arguments -C \\\n";
  for (const OptionDescription& option : program.options) text += zsh_option(option);
  text += "    '1:command:->command' '*::argument:->arguments' && return\n";
  text += "  case $state in\n    command) _describe -t commands command commands ;;\n    arguments)\n";
  text += "      case $words[1] in\n";
  for (const CommandDescription& command : program.commands) {
    text += fmt::format("        {})\n          _arguments \\\n", command.name);
    for (const OptionDescription& option : command.options) text += zsh_option(option);
    for (const OptionDescription& argument : command.arguments) text += zsh_argument(argument);
    text += "            && return\n          ;;\n";
  }
  text += "      esac\n      ;;\n  esac\n}\n\n";
  // The file is a function of its own where compinit loads it, and defines one where a user sources it.
  return text + "if [ \"$funcstack[1]\" = _strider ]; then\n  _strider \"$@\"\nelse\n  compdef _strider strider\nfi\n";
}

std::string fish_completion(const ProgramDescription& program) {
  std::string text = "# Completion of strider in fish, made by `strider completion fish`.\ncomplete -c strider -f\n";
  const std::string first = "__fish_use_subcommand";
  for (const OptionDescription& option : program.options) text += fish_option(first, option);
  for (const CommandDescription& command : program.commands) {
    text += fmt::format("complete -c strider -n {} -a {} -d {}\n", first, command.name,
                        fish_quoted(short_help(command.summary)));
  }
  for (const CommandDescription& command : program.commands) {
    const std::string condition = fmt::format("'__fish_seen_subcommand_from {}'", command.name);
    for (const OptionDescription& option : command.options) text += fish_option(condition, option);
    for (const OptionDescription& argument : command.arguments) {
      text += fmt::format("complete -c strider -n {}{}\n", condition,
                          argument.words.empty() ? " -F" : " -a " + fish_quoted(spaced(argument.words)));
    }
  }
  return text;
}

}  // namespace strider::cli
