#pragma once
// Loops whose rounds are taken by the members of a thread team as they become free.
#include <atomic>
#include <cstdint>

#include "base/thread_team.h"

namespace strider {

/// Calls work(member, i) once for every i in [0, count) and returns when all have returned. Rounds start in ascending
/// order; which member takes which depends on timing, so results must not. Once stop() is true no member takes another
/// round: a round that was not taken has none after it that was. Returns whether all rounds were taken. The first
/// exception is thrown again here.
template <typename Work, typename Stop>
bool parallel_for(ThreadTeam& team, std::int64_t count, const Work& work, const Stop& stop) {
  std::atomic<std::int64_t> next{0};
  team.run([&](int member) {
    while (!stop()) {
      const std::int64_t i = next.fetch_add(1);
      if (i >= count) break;
      work(member, i);
    }
  });
  return next.load() >= count;
}

template <typename Work>
void parallel_for(ThreadTeam& team, std::int64_t count, const Work& work) {
  parallel_for(team, count, work, [] { return false; });
}

}  // namespace strider
