#include "tune/halving.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace strider {
namespace {

TEST(Halving, AThirdGoesOnWithRunsOfThreeTimesTheLength) {
  const std::vector<Rung> rungs = plan_rungs(27, 900);
  ASSERT_EQ(rungs.size(), 3U);
  EXPECT_EQ(rungs[0].candidates, 27);
  EXPECT_EQ(rungs[0].tokens, 100);
  EXPECT_EQ(rungs[1].candidates, 9);
  EXPECT_EQ(rungs[1].tokens, 300);
  EXPECT_EQ(rungs[2].candidates, 3);
  EXPECT_EQ(rungs[2].tokens, 900);
  EXPECT_EQ(tokens_of(rungs), 3 * 2700);
}

TEST(Halving, AnyNumberOfCandidatesEndsWithAFewWholeRuns) {
  for (std::int64_t candidates = 1; candidates < 300; ++candidates) {
    const std::vector<Rung> rungs = plan_rungs(candidates, 1'000'000);
    ASSERT_FALSE(rungs.empty());
    EXPECT_EQ(rungs.front().candidates, candidates);
    EXPECT_EQ(rungs.back().tokens, 1'000'000);
    EXPECT_LE(rungs.back().candidates, kReduction);
    EXPECT_GE(rungs.back().candidates, std::min<std::int64_t>(candidates, 2));
    for (std::size_t i = 1; i < rungs.size(); ++i) {
      EXPECT_LT(rungs[i].candidates, rungs[i - 1].candidates);
      EXPECT_GT(rungs[i].tokens, rungs[i - 1].tokens);
    }
  }
}

TEST(Halving, RunsAreNeverEmpty) {
  for (const Rung& rung : plan_rungs(1000, 5)) EXPECT_GE(rung.tokens, 1);
}

TEST(Halving, TheLowestScoresGoOnInTheirOrder) {
  const std::vector<double> scores{2.0, 1.0, std::numeric_limits<double>::infinity(), 1.0, 0.5};
  EXPECT_EQ(best_of(scores, 3), (std::vector<std::size_t>{4, 1, 3}));
  EXPECT_EQ(best_of(scores, 9).size(), scores.size());
}

}  // namespace
}  // namespace strider
