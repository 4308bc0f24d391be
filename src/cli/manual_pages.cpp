#include "cli/manual_pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>

namespace strider::cli {
namespace {

// A backslash begins an escape, "-" alone may be set as a hyphen that no shell understands, and a line that begins with
// a point or an apostrophe is a request.
std::string escaped(std::string_view text) {
  std::string made;
  bool begins_line = true;
  for (const char letter : text) {
    if (begins_line && (letter == '.' || letter == '\'')) made += "\\&";
    begins_line = letter == '\n';
    if (letter == '\\') {
      made += "\\e";
    } else if (letter == '-') {
      made += "\\-";
    } else if (letter == '\'') {
      made += "\\(aq";
    } else if (letter == '`') {
      made += "\\(ga";
    } else if (letter == '^') {
      made += "\\(ha";
    } else if (letter == '~') {
      made += "\\(ti";
    } else {
      made += letter;
    }
  }
  return made;
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char letter) { return static_cast<char>(std::toupper(letter)); });
  return text;
}

std::string header(const std::string& name, const ProgramDescription& program) {
  return fmt::format(".TH {} 1 \"\" \"{}\" \"Strider Manual\"\n", escaped(upper(name)), escaped(program.version));
}

// Text as it stands, line by line.
std::string preformatted(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return fmt::format(".nf\n{}\n.fi\n", escaped(text));
}

std::string sentence(const std::string& text) {
  return escaped(text) + (text.ends_with('.') || text.ends_with('\n') ? "" : ".");
}

std::string option_entry(const OptionDescription& option) {
  std::string names;
  for (const std::string& name : option.names) {
    names += fmt::format("{}\\fB{}\\fR", names.empty() ? "" : ", ", escaped(name));
  }
  if (!option.value_text.empty()) names += fmt::format(" \\fI{}\\fR", escaped(option.value_text));
  std::string text = fmt::format(".TP\n{}\n{}\n", names, sentence(option.help));
  if (option.may_lack_value) text += "Without a value: true.\n";
  return text;
}

std::string exit_status() {
  return ".SH EXIT STATUS\n.TP\n0\nDone.\n.TP\n1\nFailed; the message says what went wrong, in which file and where, "
         "and "
         "what to do next.\n.TP\n2\nWrong usage.\n.TP\n128 + \\fIn\\fR\nStopped by signal \\fIn\\fR.\n";
}

std::string see_also(const ProgramDescription& program, const std::string& but) {
  std::string pages;
  const auto add = [&](const std::string& page) {
    if (page == but) return;
    pages += fmt::format("{}.BR {} (1)", pages.empty() ? "" : ",\n", escaped(page));
  };
  add("strider");
  for (const CommandDescription& command : program.commands) add("strider-" + command.name);
  return ".SH SEE ALSO\n" + pages + "\n";
}

ManualPage page_of_program(const ProgramDescription& program) {
  std::string text = header("strider", program);
  text += ".SH NAME\nstrider \\- train small Llama models on walks over graphs\n";
  text += ".SH SYNOPSIS\n.B strider\n\\fIcommand\\fR [\\fIoption\\fR ...]\n";
  text += fmt::format(".SH DESCRIPTION\n{}\n.PP\nEach command has a page of its own, such as\n.BR {} (1).\n",
                      escaped(program.summary), escaped("strider-train"));
  text += ".SH COMMANDS\n";
  for (const CommandDescription& command : program.commands) {
    text += fmt::format(".TP\n\\fB{}\\fR\n{}\n", escaped(command.name), sentence(command.summary));
  }
  text += ".SH OPTIONS\n";
  for (const OptionDescription& option : program.options) text += option_entry(option);
  text += exit_status();
  text +=
      ".SH ENVIRONMENT\n.TP\n\\fBNO_COLOR\\fR\nStrider never prints colours, so there is none to leave out.\n"
      ".TP\n\\fBTERM\\fR\n\\fIdumb\\fR: no line is drawn over another one.\n";
  return {.file = "strider.1", .text = text + see_also(program, "strider")};
}

ManualPage page_of_command(const ProgramDescription& program, const CommandDescription& command) {
  const std::string name = "strider-" + command.name;
  std::string summary = command.summary;
  if (!summary.empty()) summary[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(summary[0])));
  std::string text = header(name, program);
  text += fmt::format(".SH NAME\n{} \\- {}\n", escaped(name), escaped(summary));
  text += fmt::format(".SH SYNOPSIS\n.B strider {}\n[\\fIoption\\fR ...]\n", escaped(command.name));
  for (const OptionDescription& argument : command.arguments) {
    text += fmt::format("\\fI{}\\fR{}\n", escaped(argument.names.front()), argument.takes_several ? " ..." : "");
  }
  if (!command.arguments.empty()) text += ".SH ARGUMENTS\n";
  for (const OptionDescription& argument : command.arguments) text += option_entry(argument);
  text += ".SH OPTIONS\n";
  for (const OptionDescription& option : command.options) text += option_entry(option);
  if (!command.notes.empty()) text += ".SH NOTES\n" + preformatted(command.notes);
  return {.file = name + ".1", .text = text + exit_status() + see_also(program, name)};
}

}  // namespace

std::vector<ManualPage> manual_pages(const ProgramDescription& program) {
  std::vector<ManualPage> pages{page_of_program(program)};
  for (const CommandDescription& command : program.commands) pages.push_back(page_of_command(program, command));
  return pages;
}

}  // namespace strider::cli
