#include "extract/pieces_ahead.h"

#include <utility>

namespace strider {

PiecesAhead::PiecesAhead(std::int64_t most_floats, std::function<std::int64_t(float* out)> make)
    : make_(std::move(make)),
      next_(static_cast<std::size_t>(most_floats)),
      taken_(next_.size()),
      worker_([this](const std::stop_token& stop) { work(stop); }) {}

void PiecesAhead::work(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return floats_ == 0; })) {
    lock.unlock();  // nobody reads next_ while there is none to take
    std::int64_t floats = 0;
    std::exception_ptr failure;
    try {
      floats = make_(next_.data());
    } catch (...) {
      failure = std::current_exception();  // for take()
    }
    lock.lock();
    floats_ = floats;
    failure_ = failure;
    changed_.notify_all();
    if (floats == 0) return;
  }
}

std::span<const float> PiecesAhead::take() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return floats_ != 0 || failure_ != nullptr; });
  if (failure_ != nullptr) std::rethrow_exception(failure_);
  std::swap(next_, taken_);
  const auto floats = static_cast<std::size_t>(std::exchange(floats_, 0));
  changed_.notify_all();
  return std::span(taken_).first(floats);
}

}  // namespace strider
