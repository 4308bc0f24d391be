#pragma once
// Work that is handed to another thread while the caller goes on: one job at a time, its error thrown to the caller.
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace strider {

/// A thread of its own that runs one job after the other. What the job reads and writes belongs to that thread from
/// start() until finished() has returned true or wait() has returned. Signals are not delivered to this thread, so that
/// the main thread's handlers stay the only ones.
class BackgroundJob {
 public:
  BackgroundJob();
  /// Waits for the job under way, whose error is lost: wait() first.
  ~BackgroundJob() = default;
  BackgroundJob(const BackgroundJob&) = delete;
  BackgroundJob& operator=(const BackgroundJob&) = delete;

  /// Hands `job` over. The job before it must have been waited for, or have been seen to be finished.
  void start(std::function<void()> job);
  /// Whether a job was started and not yet seen to be finished.
  bool is_pending() const { return pending_; }
  /// Whether the pending job has ended; does not wait. True at most once for each job. Throws what the job threw.
  bool finished();
  /// The same after the pending job has ended; false where none is pending.
  bool wait();
  /// Waits for the pending job and drops its outcome: for destructors of what was given up.
  void abandon() noexcept;

 private:
  void serve(const std::stop_token& stop);
  void wait_for_end();
  bool conclude();

  bool pending_ = false;  // the caller's thread's
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::function<void()> job_;  // empty while there is nothing to do
  bool ended_ = false;
  std::exception_ptr error_;
  std::jthread thread_;  // last, so that it ends before what it uses
};

}  // namespace strider
