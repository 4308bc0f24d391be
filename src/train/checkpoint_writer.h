#pragma once
// Checkpoints written in the background: the thread that trains only copies weights, optimizer state and the run's
// state, or begins a copy that an engine on another device makes while it goes on.
#include <cstdint>
#include <functional>
#include <memory>
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
  /// Ends the copy and the write under way, whose failures are then lost: wait() first.
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  /// Waits for the write before it, copies or begins to, and returns while the new one is written. The engine outlives
  /// the writer. `weight_sums`: Checkpoint's.
  void save(Engine& engine, const TrainerState& state, std::span<const double> weight_sums = {});
  /// Lets a copy that has come be written, and throws the error of a write that has failed since. Does not wait.
  void poll();
  /// The same after the copy and the write under way, if there is one, have ended.
  void wait();

 private:
  void write();

  CheckpointOrigin origin_;
  std::function<void(std::int64_t, const Notices&)> written_;
  std::unique_ptr<StateCopy> copying_;  // of the engine, on its way to copy_; null from the write on
  Checkpoint copy_;                     // the writing thread's while a write is pending
  Notices notices_;                     // of the last write; the writing thread's in the same way
  BackgroundJob writing_;               // last, so that it ends before what it uses
};

}  // namespace strider
