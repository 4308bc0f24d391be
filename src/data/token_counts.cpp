#include "data/token_counts.h"

#include <algorithm>

namespace strider {
namespace {

constexpr std::int64_t kMostDense = 1 << 22;  // 32 MB of counts

}  // namespace

void TokenCounts::add_far(std::int64_t id) {
  if (id >= kMostDense) {
    ++far_[id];
    return;
  }
  const auto needed = static_cast<std::size_t>(id) + 1;
  dense_.resize(std::min(static_cast<std::size_t>(kMostDense), std::max(needed, 2 * dense_.size())));
  ++dense_[id];
}

std::vector<std::pair<std::int64_t, std::int64_t>> TokenCounts::sorted() const {
  std::vector<std::pair<std::int64_t, std::int64_t>> counts;
  for (std::size_t id = 0; id < dense_.size(); ++id) {
    if (dense_[id] > 0) counts.emplace_back(static_cast<std::int64_t>(id), dense_[id]);
  }
  const auto dense = static_cast<std::ptrdiff_t>(counts.size());
  counts.insert(counts.end(), far_.begin(), far_.end());
  std::sort(counts.begin() + dense, counts.end());
  return counts;
}

TokenCounts::Summary TokenCounts::summary() const {
  std::vector<std::int64_t> counts;
  for (const auto& [id, count] : sorted()) counts.push_back(count);
  if (counts.empty()) return {};
  std::sort(counts.begin(), counts.end());
  const std::size_t half = counts.size() / 2;
  const bool is_odd = counts.size() % 2 == 1;
  const double median = is_odd ? static_cast<double>(counts[half])
                               : (static_cast<double>(counts[half - 1]) + static_cast<double>(counts[half])) / 2;
  return {static_cast<std::int64_t>(counts.size()), counts.front(), counts.back(), median};
}

std::vector<IdRange> TokenCounts::never(std::int64_t vocab_size) const {
  std::vector<IdRange> ranges;
  std::int64_t next = 0;  // the first id that is not known to occur
  for (const auto& [id, count] : sorted()) {
    if (id >= vocab_size) break;
    if (id > next) ranges.push_back({next, id - 1});
    next = id + 1;
  }
  if (next < vocab_size) ranges.push_back({next, vocab_size - 1});
  return ranges;
}

}  // namespace strider
