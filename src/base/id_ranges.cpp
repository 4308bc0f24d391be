#include "base/id_ranges.h"

#include <fmt/format.h>

#include <algorithm>

namespace strider {

std::int64_t count_ids(const std::vector<IdRange>& ranges) {
  std::int64_t count = 0;
  for (const IdRange& range : ranges) count += range.last - range.first + 1;
  return count;
}

bool contains(const std::vector<IdRange>& ranges, std::int64_t id) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), id,
                                      [](std::int64_t at, const IdRange& range) { return at < range.first; });
  return after != ranges.begin() && id <= (after - 1)->last;
}

std::vector<IdRange> intersect(const std::vector<IdRange>& a, const std::vector<IdRange>& b) {
  std::vector<IdRange> both;
  for (auto x = a.begin(), y = b.begin(); x != a.end() && y != b.end();) {
    const IdRange common{std::max(x->first, y->first), std::min(x->last, y->last)};
    if (common.first <= common.last) both.push_back(common);
    x->last < y->last ? ++x : ++y;
  }
  return both;
}

std::string ranges_text(const std::vector<IdRange>& ranges) {
  constexpr std::size_t kShown = 10;
  std::string text;
  for (std::size_t i = 0; i < std::min(kShown, ranges.size()); ++i) {
    const auto [first, last] = ranges[i];
    text += fmt::format("{}{}", i == 0 ? "" : ", ", first);
    if (last > first) text += fmt::format(" to {}", last);
  }
  return ranges.size() > kShown ? text + " ..." : text;
}

}  // namespace strider
