#pragma once
// The command line as data, read from the CLI11 definitions that --help is printed from: what completion
// (completion.h) and manual pages (manual.h) are made of, so that neither can name what the program does not take.
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace strider::cli {

enum class ValueKind {
  kNone,    // a flag
  kWords,   // one of OptionDescription::words
  kFile,    // a path
  kFolder,  // a path of a folder
  kOther,   // a number, or a text that no shell can guess
};

struct OptionDescription {
  std::vector<std::string> names;  // "--batch_size", "--batch-size"; of an argument without a name: "path"
  std::string value_text;          // as help shows it behind the names: "BATCH_SIZE [50]"; empty of a flag
  std::string help;
  ValueKind value = ValueKind::kNone;
  std::vector<std::string> words;
  bool may_lack_value = false;  // a switch, which may be given alone
  bool takes_several = false;   // values, with spaces between
};

struct CommandDescription {
  std::string name;
  std::string summary;
  std::string notes;                         // what help prints below the options; may be empty
  std::vector<OptionDescription> options;    // in the order of the help
  std::vector<OptionDescription> arguments;  // without a name, in their order
};

struct ProgramDescription {
  std::string version;  // "strider 0.1.0"
  std::string summary;
  std::vector<OptionDescription> options;
  std::vector<CommandDescription> commands;
};

ProgramDescription describe_program(const CLI::App& program);

}  // namespace strider::cli
