#pragma once
// Time that passes, whatever is done to the clock on the wall.
#include <chrono>

namespace strider {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace strider
