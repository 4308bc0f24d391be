#pragma once
// Checkpoints written in the background: the thread that trains only copies weights, optimizer state and the run's
// state.
#include <cstdint>
#include <functional>
#include <span>

#include "base/background_job.h"
#include "engine/engine.h"
#include "train/checkpoint.h"

namespace strider {

class CheckpointWriter {
 public:
  /// `written` is called with the step of each checkpoint that is whole on the disk, older ones rotated, and with what
  /// the filesystem could not do, by save(), poll() and wait(), in their thread. `origin` outlives the writer. Takes
  /// address space for one copy of the engine's parameters and optimizer state (and of the sums of AVERAGE_SHARE),
  /// whose pages come with the first save(). Throws when it cannot be had.
  CheckpointWriter(const CheckpointOrigin& origin, const Engine& engine,
                   std::function<void(std::int64_t step, const Notices&)> written);
  /// Ends the write under way, whose failure is then lost: wait() first.
  ~CheckpointWriter() = default;
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  /// Waits for the write before it, copies, and returns while the new one is written.
  /// `weight_sums`: Checkpoint's.
  void save(const Engine& engine, const TrainerState& state, std::span<const double> weight_sums = {});
  /// Throws the error of a write that has failed since. Does not wait.
  void poll();
  /// The same after the write under way, if there is one, has ended.
  void wait();

 private:
  CheckpointOrigin origin_;
  std::function<void(std::int64_t, const Notices&)> written_;
  Checkpoint copy_;        // the writing thread's while a write is pending
  Notices notices_;        // of the last write; the writing thread's in the same way
  BackgroundJob writing_;  // last, so that it ends before what it uses
};

}  // namespace strider
