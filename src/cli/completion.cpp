// strider completion: what a shell reads to complete strider's command line.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/completion_scripts.h"
#include "cli/say.h"
#include "cli/value_type.h"

namespace strider::cli {
namespace {

void print_completion(const CLI::App& program, const std::string& shell) {
  const ProgramDescription description = describe_program(program);
  if (shell == "bash") {
    say("{}", bash_completion(description));
  } else if (shell == "zsh") {
    say("{}", zsh_completion(description));
  } else if (shell == "fish") {
    say("{}", fish_completion(description));
  } else {
    throw Error("there is no completion for \"" + shell + "\"",
                {.file = {}, .place = {}, .advice = "The shells are bash, zsh and fish."});
  }
}

}  // namespace

void add_completion_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("completion", "Print a script with which a shell completes strider");
  auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->type_name(words_type({"bash", "zsh", "fish"}))
      ->option_text("bash|zsh|fish REQUIRED");
  command->footer(
      "`make install` puts the scripts where the shells look for them. By hand:\n"
      "  bash   source <(strider completion bash)          in ~/.bashrc\n"
      "  zsh    source <(strider completion zsh)           in ~/.zshrc, after compinit\n"
      "  fish   strider completion fish > ~/.config/fish/completions/strider.fish");
  command->callback([command, shell] { print_completion(*command->get_parent(), *shell); });
}

}  // namespace strider::cli
