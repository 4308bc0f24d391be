#include "train/checkpoint_writer.h"

#include <signal.h>

#include <utility>

namespace strider {
namespace {

/// While it lives, this thread and those that it starts are sent no signals: they are the main thread's to handle.
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

CheckpointWriter::CheckpointWriter(const CheckpointOrigin& origin, std::function<void(std::int64_t)> written)
    : origin_(origin), written_(std::move(written)) {
  const auto total = static_cast<std::size_t>(origin.layout.total());
  for (std::vector<float>* values : {&copy_.parameters, &copy_.first_moments, &copy_.second_moments}) {
    values->reserve(total);
  }
  const BlockedSignals blocked;
  thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
}

void CheckpointWriter::save(const Engine& engine, const TrainerState& state) {
  wait();
  copy_.state = state;
  copy_.parameters.assign(engine.parameters().begin(), engine.parameters().end());
  copy_.first_moments.assign(engine.first_moments().begin(), engine.first_moments().end());
  copy_.second_moments.assign(engine.second_moments().begin(), engine.second_moments().end());
  {
    const std::lock_guard lock(mutex_);
    phase_ = Phase::kWriting;
  }
  changed_.notify_all();
}

void CheckpointWriter::poll() {
  conclude(std::unique_lock(mutex_));
}

void CheckpointWriter::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return phase_ != Phase::kWriting; });
  conclude(std::move(lock));
}

void CheckpointWriter::conclude(std::unique_lock<std::mutex> lock) {
  if (phase_ != Phase::kEnded) return;
  phase_ = Phase::kIdle;
  const std::exception_ptr error = std::exchange(error_, nullptr);
  lock.unlock();
  if (error) std::rethrow_exception(error);
  written_(copy_.state.global_step);
}

void CheckpointWriter::serve(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return phase_ == Phase::kWriting; })) {
    lock.unlock();
    std::exception_ptr error;
    try {
      write_checkpoint(origin_, copy_);
      rotate_checkpoints(origin_.settings.output_dir, copy_.state, rotation_rule(origin_.settings, origin_.plan));
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    error_ = error;
    phase_ = Phase::kEnded;
    changed_.notify_all();
  }
}

}  // namespace strider
