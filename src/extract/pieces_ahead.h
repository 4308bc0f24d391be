#pragma once
// Pieces of a stream of floats that are made one ahead of their consumer: while one is written to a file the next one
// is computed.
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/background_job.h"

namespace strider {

class PiecesAhead {
 public:
  /// make(out) writes the next piece, of at most `most_floats`, and returns how many floats it has; 0 means that none
  /// is left. It is called on another thread, one call at a time.
  PiecesAhead(std::int64_t most_floats, std::function<std::int64_t(float* out)> make);

  /// Waits for the next piece, which is valid until the next call. Throws what make threw. Not to be called after the
  /// last piece.
  std::span<const float> take();

 private:
  void make_next();

  std::function<std::int64_t(float* out)> make_;
  std::vector<float> next_, taken_;
  std::int64_t floats_ = 0;  // of next_
  BackgroundJob making_;     // last, so that it ends before what it uses
};

}  // namespace strider
