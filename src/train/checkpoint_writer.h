#pragma once
// Checkpoints written behind the run's back: the thread that trains only copies weights, moments and state.
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

#include "train/checkpoint.h"
#include "train/engine.h"

namespace strider {

class CheckpointWriter {
 public:
  /// `written` is told the step of each checkpoint that is whole on the disk, older ones rotated; it is called by
  /// save(), poll() and wait(), in their thread. `origin` outlives the writer. Takes address space for one copy, 3 P
  /// floats, whose pages come with the first save(). Throws when it cannot be had.
  CheckpointWriter(const CheckpointOrigin& origin, std::function<void(std::int64_t step)> written);
  /// Ends the write under way, whose failure then is told to no one: wait() first.
  ~CheckpointWriter() = default;
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  /// Waits for the write before it, copies, and returns while the new one is written.
  void save(const Engine& engine, const TrainerState& state);
  /// Throws the error of a write that has failed since. Does not wait.
  void poll();
  /// The same after the write under way, if there is one, has ended.
  void wait();

 private:
  enum class Phase { kIdle, kWriting, kEnded };
  void serve(const std::stop_token& stop);
  void conclude(std::unique_lock<std::mutex> lock);

  CheckpointOrigin origin_;
  std::function<void(std::int64_t)> written_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  Phase phase_ = Phase::kIdle;
  std::exception_ptr error_;  // of the write that has ended
  Checkpoint copy_;           // the writing thread's while phase_ is kWriting, else the caller's
  std::jthread thread_;
};

}  // namespace strider
