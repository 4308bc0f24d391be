#pragma once
// What a signal handler and a run share: all of it atomic, so that a handler may read and write it.
#include <atomic>
#include <chrono>
#include <cstdint>

namespace strider {

/// Nanoseconds of std::chrono::steady_clock, which is CLOCK_MONOTONIC.
inline std::int64_t steady_nanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// What a run is doing.
enum class Activity { kPreparing, kStep, kEvaluation, kSaving };

/// A step or an evaluation that is not over this long after a request to stop, or will not be, is given up: the state
/// of the last whole step is saved, and a resumed run makes it again.
inline constexpr std::int64_t kPatienceNanoseconds = 5'000'000'000;

struct TrainingSignals {
  // Requests. `stop_at` is written before `stop`; 0: when is not known.
  std::atomic<int> stop{0};  // a signal's number: save and return
  std::atomic<std::int64_t> stop_at{0};
  std::atomic<bool> checkpoint{false};  // write a checkpoint after the step and go on

  // What the run is doing, since when, and how long the same took before (0: not known).
  std::atomic<Activity> activity{Activity::kPreparing};
  std::atomic<std::int64_t> began_at{0};
  std::atomic<std::int64_t> expected{0};

  /// Of the activity, at `now`, in nanoseconds; at least 0, and 0 where it is not known.
  std::int64_t expected_rest(std::int64_t now) const {
    const std::int64_t rest = began_at.load() + expected.load() - now;
    return expected.load() > 0 && rest > 0 ? rest : 0;
  }

  /// Whether the step or evaluation under way is to be given up.
  bool gives_up() const {
    if (stop.load() == 0 || stop_at.load() == 0) return false;
    const std::int64_t now = steady_nanoseconds();
    return now - stop_at.load() >= kPatienceNanoseconds || expected_rest(now) > kPatienceNanoseconds;
  }
};

}  // namespace strider
