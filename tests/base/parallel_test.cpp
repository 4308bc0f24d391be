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

TEST(ParallelFor, TakesNoRoundAfterOneThatWasNotTaken) {
  ThreadTeam team(3);
  for (const int limit : {0, 1, 5, 100, 1000}) {
    std::atomic<int> asked{0};
    std::vector<std::atomic<int>> taken(100);
    const bool all = parallel_for(
        team, 100, [&](int, std::int64_t i) { ++taken[static_cast<std::size_t>(i)]; },
        [&] { return asked.fetch_add(1) >= limit; });
    std::size_t count = 0;
    while (count < taken.size() && taken[count] == 1) ++count;
    for (std::size_t i = count; i < taken.size(); ++i) EXPECT_EQ(taken[i], 0) << i;
    EXPECT_EQ(all, count == 100) << limit;
    EXPECT_LE(count, static_cast<std::size_t>(limit));
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
