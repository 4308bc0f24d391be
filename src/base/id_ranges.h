#pragma once
// Sets of token ids that are few stretches of a large vocabulary.
#include <cstdint>
#include <string>
#include <vector>

namespace strider {

/// Ids from first to last, both included. Lists of ranges are ascending and do not touch.
struct IdRange {
  std::int64_t first = 0;
  std::int64_t last = 0;
};

std::int64_t count_ids(const std::vector<IdRange>& ranges);

bool contains(const std::vector<IdRange>& ranges, std::int64_t id);

/// The ids that are in both.
std::vector<IdRange> intersect(const std::vector<IdRange>& a, const std::vector<IdRange>& b);

/// "3, 7 to 12, 20", with " ..." behind the first ten.
std::string ranges_text(const std::vector<IdRange>& ranges);

}  // namespace strider
