#pragma once
// Pieces of a stream of floats that are made one ahead of who takes them, on a thread of their own: while one is
// written to a file the next one is computed.
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <stop_token>
#include <thread>
#include <vector>

namespace strider {

class PiecesAhead {
 public:
  /// make(out) writes the next piece, of at most `most_floats`, and returns how many floats it has; 0 says that none is
  /// left. It is called on this object's thread alone.
  PiecesAhead(std::int64_t most_floats, std::function<std::int64_t(float* out)> make);

  /// The next piece when it is made; it stands until the next call. What make throws comes out of here. Not to be
  /// called after the last piece.
  std::span<const float> take();

 private:
  void work(const std::stop_token& stop);

  std::function<std::int64_t(float* out)> make_;
  std::vector<float> next_, taken_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::int64_t floats_ = 0;  // of next_, which waits to be taken; 0: it is not made yet
  std::exception_ptr failure_;
  std::jthread worker_;  // last, so that it ends before what it uses
};

}  // namespace strider
