#pragma once
// How often each token id occurs, also where ids are few and far between.
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/id_ranges.h"

namespace strider {

class TokenCounts {
 public:
  void add(std::int64_t id) {
    if (id < static_cast<std::int64_t>(dense_.size())) {
      ++dense_[id];
    } else {
      add_far(id);
    }
  }

  struct Summary {
    std::int64_t ids = 0;  // that occur
    std::int64_t least = 0, most = 0;
    double median = 0.0;  // of how often each of them does
  };
  Summary summary() const;

  /// The ids below `vocab_size` that never occur, ascending.
  std::vector<IdRange> never(std::int64_t vocab_size) const;

 private:
  void add_far(std::int64_t id);
  std::vector<std::pair<std::int64_t, std::int64_t>> sorted() const;  // (id, how often) of those that occur

  std::vector<std::int64_t> dense_;                     // of the ids below its size
  std::unordered_map<std::int64_t, std::int64_t> far_;  // of those above kMostDense
};

}  // namespace strider
