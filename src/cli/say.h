#pragma once
// How commands print. Whoever reads the output may go at any time (a closed pipe, a terminal that hangs up, a full disk
// behind a redirection): what cannot be printed is dropped, and the command does its work all the same. main() ignores
// SIGPIPE for that.
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>

#include "base/notices.h"

namespace strider::cli {

template <typename... Values>
void say(std::FILE* out, fmt::format_string<Values...> format, Values&&... values) {
  const std::string text = fmt::format(format, std::forward<Values>(values)...);
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), out));
}

template <typename... Values>
void say(fmt::format_string<Values...> format, Values&&... values) {
  say(stdout, format, std::forward<Values>(values)...);
}

inline void print_notices(const Notices& notices) {
  for (const std::string& text : notices.texts()) say("Note: {}\n", text);
}

}  // namespace strider::cli
