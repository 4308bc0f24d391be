#include "data/token_counts.h"

#include <gtest/gtest.h>

namespace strider {
namespace {

std::string never(const TokenCounts& counts, std::int64_t vocab_size) {
  return ranges_text(counts.never(vocab_size));
}

TEST(TokenCounts, OfNothing) {
  const TokenCounts counts;
  EXPECT_EQ(counts.summary().ids, 0);
  EXPECT_EQ(never(counts, 3), "0 to 2");
  EXPECT_TRUE(counts.never(0).empty());
}

TEST(TokenCounts, NearAndFarIdsAlike) {
  constexpr std::int64_t kFar = 1LL << 30;
  TokenCounts counts;
  for (const std::int64_t id : std::vector<std::int64_t>{2, 5, 5, kFar, 3, kFar + 2, kFar, kFar}) counts.add(id);
  const TokenCounts::Summary summary = counts.summary();
  EXPECT_EQ(summary.ids, 5);
  EXPECT_EQ(summary.least, 1);
  EXPECT_EQ(summary.most, 3);
  EXPECT_EQ(summary.median, 1.0);
  EXPECT_EQ(never(counts, 8), "0 to 1, 4, 6 to 7");
  EXPECT_EQ(never(counts, kFar + 4), "0 to 1, 4, 6 to 1073741823, 1073741825, 1073741827");
  EXPECT_EQ(count_ids(counts.never(8)), 5);
}

TEST(TokenCounts, OnlyTheFirstRangesAreShown) {
  TokenCounts counts;
  for (std::int64_t id = 0; id < 40; id += 2) counts.add(id);
  EXPECT_EQ(never(counts, 40), "1, 3, 5, 7, 9, 11, 13, 15, 17, 19 ...");
}

}  // namespace
}  // namespace strider
