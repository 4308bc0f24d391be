#pragma once
// The walks of one step or one piece of an evaluation, copied out of the dataset into memory that is taken once.
#include <cstdint>
#include <span>
#include <vector>

#include "data/walk_dataset.h"
#include "engine/engine.h"
#include "train/settings.h"

namespace strider {

class WalkBatch {
 public:
  WalkBatch(std::int64_t most_walks, std::int64_t max_length)
      : max_length_(static_cast<std::size_t>(max_length)), ids_(static_cast<std::size_t>(most_walks) * max_length_) {
    views_.reserve(most_walks);
    rows_.reserve(most_walks);
  }

  void clear() {
    views_.clear();
    rows_.clear();
  }

  void add(const WalkSplit& split, std::int64_t row) {
    const std::span<std::int32_t> place(ids_.data() + views_.size() * max_length_, max_length_);
    views_.emplace_back(place.data(), split.read(row, place));
    rows_.push_back(row);
  }

  std::span<const WalkView> walks() const { return views_; }
  std::int64_t row(std::size_t i) const { return rows_[i]; }  // in the split

 private:
  std::size_t max_length_;
  std::vector<std::int32_t> ids_;
  std::vector<WalkView> views_;
  std::vector<std::int64_t> rows_;
};

/// What the loss of some walks is divided by.
inline double denominator_of(std::span<const WalkView> walks, LossDenominator kind) {
  std::size_t tokens = 0;
  for (const WalkView walk : walks) tokens += walk.size() - (kind == LossDenominator::kPredictions ? 1 : 0);
  return static_cast<double>(tokens);
}

}  // namespace strider
