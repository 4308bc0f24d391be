#pragma once
// Time that passes, whatever is done to the clock on the wall, and what that clock shows.
#include <chrono>

namespace strider {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// By the clock on the wall.
inline double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace strider
