#pragma once
// What a command may do where its output goes.
#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace strider::cli {

/// Whether a line may be drawn over the one before: on a terminal that moves its cursor. Colours are never printed, so
/// that NO_COLOR (https://no-color.org) has nothing to forbid.
inline bool can_redraw(int descriptor) {
  if (isatty(descriptor) != 1) return false;
  const char* const terminal = std::getenv("TERM");
  return terminal == nullptr || std::string_view(terminal) != "dumb";
}

}  // namespace strider::cli
