#include "tune/halving.h"

#include <algorithm>
#include <numeric>

namespace strider {

std::vector<Rung> plan_rungs(std::int64_t candidates, std::int64_t tokens) {
  std::vector<Rung> rungs;
  for (std::int64_t left = candidates;; left = (left + kReduction - 1) / kReduction) {
    rungs.push_back({.candidates = left, .tokens = tokens});
    if (left == 1) break;
  }
  // One candidate alone has nothing to be compared with: its run of the rung before is the longest one.
  if (rungs.size() > 1) rungs.pop_back();
  for (std::size_t i = rungs.size(); i-- > 1;) {
    rungs[i - 1].tokens = std::max<std::int64_t>(1, rungs[i].tokens / kReduction);
  }
  return rungs;
}

std::int64_t runs_of(std::span<const Rung> rungs) {
  return std::accumulate(rungs.begin(), rungs.end(), std::int64_t{0},
                         [](std::int64_t sum, const Rung& rung) { return sum + rung.candidates; });
}

std::int64_t tokens_of(std::span<const Rung> rungs) {
  return std::accumulate(rungs.begin(), rungs.end(), std::int64_t{0},
                         [](std::int64_t sum, const Rung& rung) { return sum + rung.candidates * rung.tokens; });
}

std::vector<std::size_t> best_of(std::span<const double> scores, std::size_t keep) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return scores[i]; });
  order.resize(std::min(keep, order.size()));
  return order;
}

}  // namespace strider
