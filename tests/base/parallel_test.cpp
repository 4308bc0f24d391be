#include "base/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace strider {
namespace {

TEST(ParallelFor, TakesEveryRoundOnce) {
  for (const int members : {1, 3}) {
    ThreadTeam team(members);
    for (const std::int64_t count : {0, 1, 1000}) {
      std::vector<std::atomic<int>> taken(static_cast<std::size_t>(count));
      parallel_for(team, count, [&](int member, std::int64_t i) {
        EXPECT_LT(member, members);
        ++taken[static_cast<std::size_t>(i)];
      });
      for (const std::atomic<int>& times : taken) EXPECT_EQ(times, 1);
    }
  }
}

TEST(ParallelFor, ThrowsWhatARoundThrew) {
  ThreadTeam team(2);
  EXPECT_THROW(parallel_for(team, 10,
                            [](int, std::int64_t i) {
                              if (i == 7) throw std::runtime_error("seven");
                            }),
               std::runtime_error);
}

}  // namespace
}  // namespace strider
