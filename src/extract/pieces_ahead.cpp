#include "extract/pieces_ahead.h"

#include <utility>

namespace strider {

PiecesAhead::PiecesAhead(std::int64_t most_floats, std::function<std::int64_t(float* out)> make)
    : make_(std::move(make)), next_(static_cast<std::size_t>(most_floats)), taken_(next_.size()) {
  make_next();
}

void PiecesAhead::make_next() {
  making_.start([this] { floats_ = make_(next_.data()); });
}

std::span<const float> PiecesAhead::take() {
  making_.wait();
  std::swap(next_, taken_);
  const auto floats = static_cast<std::size_t>(floats_);
  if (floats > 0) make_next();
  return std::span(taken_).first(floats);
}

}  // namespace strider
