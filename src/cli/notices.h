#pragma once
#include <fmt/format.h>

#include "base/notices.h"

namespace strider::cli {

inline void print_notices(const Notices& notices) {
  for (const std::string& text : notices.texts()) fmt::print("Note: {}\n", text);
}

}  // namespace strider::cli
