#pragma once
// The walks of one step or one piece of an evaluation: copied out of the dataset into memory that is taken once, or the
// numbers of walks that the engine holds.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "data/walk_dataset.h"
#include "engine/engine.h"
#include "train/settings.h"

namespace strider {

class WalkBatch {
 public:
  /// `first_held`: the number that the split's first walk has in an engine that holds the walks (train/held_dataset.h).
  /// Then their tokens are not read. None: they are.
  WalkBatch(std::int64_t most_walks, std::int64_t max_length, std::optional<std::int64_t> first_held)
      : max_length_(static_cast<std::size_t>(max_length)), first_held_(first_held) {
    if (!first_held) ids_.resize(static_cast<std::size_t>(most_walks) * max_length_);
    views_.reserve(most_walks);
    numbers_.reserve(most_walks);
    lengths_.reserve(most_walks);
  }

  void clear() {
    views_.clear();
    numbers_.clear();
    lengths_.clear();
  }

  void add(const WalkSplit& split, std::int64_t row) {
    if (first_held_) {
      numbers_.push_back(*first_held_ + row);
      lengths_.push_back(std::min(split.length(row), static_cast<std::int64_t>(max_length_)));
      return;
    }
    const std::span<std::int32_t> place(ids_.data() + views_.size() * max_length_, max_length_);
    views_.emplace_back(place.data(), split.read(row, place));
    lengths_.push_back(static_cast<std::int64_t>(views_.back().size()));
  }

  CallWalks walks() const { return {.tokens = views_, .held = numbers_}; }
  /// Tokens of each walk, as they are cut.
  std::span<const std::int64_t> lengths() const { return lengths_; }

 private:
  std::size_t max_length_;
  std::optional<std::int64_t> first_held_;
  std::vector<std::int32_t> ids_;
  std::vector<WalkView> views_;
  std::vector<std::int64_t> numbers_, lengths_;
};

/// What the loss of walks with so many tokens is divided by.
inline double denominator_of(std::span<const std::int64_t> lengths, LossDenominator kind) {
  std::int64_t tokens = 0;
  for (const std::int64_t length : lengths) tokens += length - (kind == LossDenominator::kPredictions ? 1 : 0);
  return static_cast<double>(tokens);
}

}  // namespace strider
