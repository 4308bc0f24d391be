#pragma once
// Completion of strider's command line for shells: commands, their options in both spellings, the words that an option
// takes, files and folders. Each returns the text of a script, which the shell reads once.
#include <string>

#include "cli/command_line.h"

namespace strider::cli {

/// For bash 4.4 or newer, with or without the package bash-completion:
/// https://www.gnu.org/software/bash/manual/html_node/Programmable-Completion.html
std::string bash_completion(const ProgramDescription& program);

/// For zsh's completion system (compinit), by its function _arguments:
/// https://zsh.sourceforge.io/Doc/Release/Completion-System.html
std::string zsh_completion(const ProgramDescription& program);

/// For fish 3: https://fishshell.com/docs/current/completions.html
std::string fish_completion(const ProgramDescription& program);

}  // namespace strider::cli
