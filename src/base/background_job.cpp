#include "base/background_job.h"

#include <signal.h>

#include <utility>

namespace strider {
namespace {

/// While it lives, threads that are started inherit a mask that blocks all signals.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

BackgroundJob::BackgroundJob() {
  const BlockedSignals blocked;
  thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
}

void BackgroundJob::start(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    job_ = std::move(job);
    ended_ = false;
  }
  pending_ = true;
  changed_.notify_all();
}

bool BackgroundJob::finished() {
  if (!pending_) return false;
  {
    const std::lock_guard lock(mutex_);
    if (!ended_) return false;
  }
  return conclude();
}

bool BackgroundJob::wait() {
  if (!pending_) return false;
  wait_for_end();
  return conclude();
}

void BackgroundJob::abandon() noexcept {
  if (!std::exchange(pending_, false)) return;
  wait_for_end();
  error_ = nullptr;
}

void BackgroundJob::wait_for_end() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return ended_; });
}

bool BackgroundJob::conclude() {
  pending_ = false;
  if (const std::exception_ptr error = std::exchange(error_, nullptr)) std::rethrow_exception(error);
  return true;
}

void BackgroundJob::serve(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return static_cast<bool>(job_); })) {
    const std::function<void()> job = std::exchange(job_, nullptr);
    lock.unlock();
    std::exception_ptr error;
    try {
      job();
    } catch (...) {
      error = std::current_exception();  // for the caller
    }
    lock.lock();
    error_ = error;
    ended_ = true;
    changed_.notify_all();
  }
}

}  // namespace strider
