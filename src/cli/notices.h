#pragma once
#include "base/notices.h"
#include "cli/say.h"

namespace strider::cli {

inline void print_notices(const Notices& notices) {
  for (const std::string& text : notices.texts()) say("Note: {}\n", text);
}

}  // namespace strider::cli
