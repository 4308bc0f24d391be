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

/// Nothing where `out` is null: what a command says to people while it prints JSON.
template <typename... Values>
void say(std::FILE* out, fmt::format_string<Values...> format, Values&&... values) {
  if (out == nullptr) return;
  const std::string text = fmt::format(format, std::forward<Values>(values)...);
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), out));
}

template <typename... Values>
void say(fmt::format_string<Values...> format, Values&&... values) {
  say(stdout, format, std::forward<Values>(values)...);
}

inline void print_notices(std::FILE* out, const Notices& notices) {
  for (const std::string& text : notices.texts()) say(out, "Note: {}\n", text);
}

inline void print_notices(const Notices& notices) {
  print_notices(stdout, notices);
}

/// What is printed so far is seen now; for a null `out` too.
inline void show_now(std::FILE* out) {
  if (out != nullptr) std::fflush(out);
}

}  // namespace strider::cli
