#include "base/id_ranges.h"

#include <gtest/gtest.h>

namespace strider {
namespace {

TEST(IdRanges, KnowTheirIds) {
  const std::vector<IdRange> ranges{{0, 2}, {5, 5}, {9, 12}};
  EXPECT_EQ(count_ids(ranges), 8);
  std::vector<std::int64_t> found;
  for (std::int64_t id = -1; id < 15; ++id) {
    if (contains(ranges, id)) found.push_back(id);
  }
  EXPECT_EQ(found, (std::vector<std::int64_t>{0, 1, 2, 5, 9, 10, 11, 12}));
  EXPECT_FALSE(contains({}, 0));
}

TEST(IdRanges, TheirIntersection) {
  const std::vector<IdRange> ranges{{0, 2}, {5, 5}, {9, 12}};
  EXPECT_EQ(ranges_text(intersect(ranges, {{2, 9}, {11, 20}})), "2, 5, 9, 11 to 12");
  EXPECT_EQ(ranges_text(intersect({{2, 9}, {11, 20}}, ranges)), "2, 5, 9, 11 to 12");
  EXPECT_TRUE(intersect(ranges, {}).empty());
  EXPECT_TRUE(intersect(ranges, {{3, 4}, {6, 8}}).empty());
}

}  // namespace
}  // namespace strider
