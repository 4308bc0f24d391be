#pragma once
// Successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943): many candidates get a short run each, the best
// third of them a run of three times the length, and so on until one or two have had the whole length. Each run has a
// schedule of its own that ends with it, so short runs are judged at the end of theirs.
#include <cstdint>
#include <span>
#include <vector>

namespace strider {

inline constexpr std::int64_t kReduction = 3;

/// A round of runs of the same length.
struct Rung {
  std::int64_t candidates = 0;
  std::int64_t tokens = 0;  // of each run
};

/// The last rung has runs of `tokens`, each before it of a third; the first has all `candidates`, each after it a third
/// of them, rounded up. Ends with the last
/// round that has more than one candidate, or one round of a single one.
std::vector<Rung> plan_rungs(std::int64_t candidates, std::int64_t tokens);

/// All runs of the rungs, and the tokens of all of them.
std::int64_t runs_of(std::span<const Rung> rungs);
std::int64_t tokens_of(std::span<const Rung> rungs);

/// Indices of the `keep` lowest scores, best first; of equal scores the earlier index.
std::vector<std::size_t> best_of(std::span<const double> scores, std::size_t keep);

}  // namespace strider
