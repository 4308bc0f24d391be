#pragma once
// Manual pages in the macros of man(7), from the definitions that --help is printed from.
#include <string>
#include <vector>

#include "cli/command_line.h"

namespace strider::cli {

struct ManualPage {
  std::string file;  // "strider.1", "strider-train.1"
  std::string text;
};

/// One of the program and one of each command.
std::vector<ManualPage> manual_pages(const ProgramDescription& program);

}  // namespace strider::cli
