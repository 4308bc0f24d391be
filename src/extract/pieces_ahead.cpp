#include "extract/pieces_ahead.h"

#include <algorithm>
#include <utility>

namespace strider {

PiecesAhead::PiecesAhead(std::int64_t most_floats, std::function<std::int64_t(float* out)> make)
    : make_(std::move(make)),
      piece_(static_cast<std::size_t>(most_floats)),
      worker_([this](const std::stop_token& stop) { work(stop); }) {}

void PiecesAhead::work(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return floats_ == 0; })) {
    lock.unlock();  // nobody reads the piece while there is none to take
    std::int64_t floats = 0;
    std::exception_ptr failure;
    try {
      floats = make_(piece_.data());
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

void PiecesAhead::take(float* out) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return floats_ != 0 || failure_ != nullptr; });
  if (failure_ != nullptr) std::rethrow_exception(failure_);
  std::copy_n(piece_.data(), floats_, out);
  floats_ = 0;
  changed_.notify_all();
}

}  // namespace strider
