#pragma once
// std::filesystem's failures (no permission to look, a link that leads nowhere ...), turned into ours.
#include <filesystem>

#include "base/error.h"

namespace strider {

/// What `action` returns.
template <typename Action>
auto with_file_errors(const Action& action) {
  try {
    return action();
  } catch (const std::filesystem::filesystem_error& error) {
    throw system_error("cannot read", error.code().value(),
                       {.file = error.path1().string(),
                        .place = {},
                        .advice = "Check the permissions of it and of the folders above."});
  }
}

}  // namespace strider
