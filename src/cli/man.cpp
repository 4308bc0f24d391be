// strider man: the manual pages, as files.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "cli/manual_pages.h"
#include "cli/say.h"
#include "cli/value_type.h"
#include "io/atomic_file.h"

namespace strider::cli {
namespace {

void write_pages(const CLI::App& program, const std::filesystem::path& folder) {
  Notices notices;
  for (const ManualPage& page : manual_pages(describe_program(program))) {
    notices.add(write_file_atomically(folder / page.file, page.text));
    say("{}\n", (folder / page.file).string());
  }
  print_notices(notices);
}

}  // namespace

void add_man_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("man", "Write the manual pages");
  auto folder = std::make_shared<std::filesystem::path>();
  command->add_option("folder", *folder, "Folder for strider.1 and a page for each command")
      ->required()
      ->type_name(kFolderType)
      ->option_text("FOLDER REQUIRED");
  command->footer(
      "`make install` puts them where man finds them. Without it:\n"
      "  strider man pages && man pages/strider-train.1");
  command->callback([command, folder] { write_pages(*command->get_parent(), *folder); });
}

}  // namespace strider::cli
