#pragma once
// Where the time of a sitting goes, by the clock of the thread that trains.
#include <chrono>

#include "base/clock.h"

namespace strider {

/// Seconds from before the first step until the run is finished; each moment belongs to one of them.
struct WallTime {
  double steps = 0.0;        // walks read, forward, backward, update
  double evaluation = 0.0;   // the same for the validation walks
  double checkpoints = 0.0;  // copying, waiting for the write before, the final model
  double logging = 0.0;      // log entries, the log's file, the observer
  double snapshots = 0.0;    // representations and geometry of the model on its way

  double total() const { return steps + evaluation + checkpoints + logging + snapshots; }
};

class WallClock {
 public:
  void start() { last_ = Clock::now(); }
  /// What has passed since the last call, or since start(), belongs to `part`.
  void lap(double WallTime::*part) {
    const Clock::time_point now = Clock::now();
    time_.*part += std::chrono::duration<double>(now - last_).count();
    last_ = now;
  }
  const WallTime& time() const { return time_; }

 private:
  Clock::time_point last_ = Clock::now();
  WallTime time_;
};

}  // namespace strider
