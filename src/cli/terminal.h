#pragma once
// What a command may do where its output goes.
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "communicator/communicator.h"

namespace strider::cli {

/// Whether a line may be drawn over the one before: on a terminal that moves its cursor, and not on the one that Open
/// MPI makes for each rank, wherever its own output goes. Colours are never printed, so that NO_COLOR
/// (https://no-color.org) has nothing to forbid.
inline bool can_redraw(int descriptor) {
  if (isatty(descriptor) != 1 || launched_ranks() > 1) return false;
  const char* const terminal = std::getenv("TERM");
  return terminal == nullptr || std::string_view(terminal) != "dumb";
}

}  // namespace strider::cli
