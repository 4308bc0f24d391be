#pragma once
// Loops whose rounds are taken by the members of a thread team as they become free.
#include <atomic>
#include <cstdint>

#include "base/thread_team.h"

namespace strider {

/// Calls work(member, i) once for every i in [0, count) and returns when all have returned. Rounds start in ascending
/// order; which member takes which depends on timing, so results must not. The first exception is thrown again here.
template <typename Work>
void parallel_for(ThreadTeam& team, std::int64_t count, const Work& work) {
  std::atomic<std::int64_t> next{0};
  team.run([&](int member) {
    for (std::int64_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) work(member, i);
  });
}

}  // namespace strider
