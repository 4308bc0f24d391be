#pragma once
// What `strider tune` searches: the values that decide how fast a small Llama learns walks over a graph.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "train/recipe.h"

namespace strider {

/// One way to train: values of settings.
struct Candidate {
  std::vector<RecipeValue> values;
  // Share of a run's steps in which the learning rates of embeddings and lm_head rise from 0.
  double slow_start = 0.0;
  // Settings that are numbers of steps of a part of the run, and which share of its steps they are: FIRST_STEPS,
  // HEAD_STEPS.
  std::map<std::string, double> shares = {};
};

/// The first candidate is RECIPE=fast for the model, or with `loss_alone` RECIPE=lowest-loss, without the length of its
/// run. The others are drawn, each value on its own:
///   learning rates         of matrices (Muon) from 0.003 to 0.03, of embeddings and lm_head from 3e-4 to 2e-2 each, of
///                          norms from 3e-4 to 1e-2, all evenly on a logarithmic scale
///   walks in a batch       4, 8, 16 or 32
///   beta2 of adamw         0.95, 0.98, 0.99 or 0.999
///   output projections     torch or zero
///   slow start             0, or from 0.1 to 0.6
///   scales                 of the embeddings: with `loss_alone` EMBEDDING_SCALE from 1 to 100; else after FIRST_STEPS
///                          FIRST_EMBEDDING_SCALE from 10 to 200 and FIRST_OUTPUT_SCALE from 1 to 20, evenly as above
/// and all of them have the parts of the first one's recipe, with the same shares of their steps.
std::vector<Candidate> draw_candidates(std::int64_t count, const RecipeModel& model, bool loss_alone,
                                       std::uint64_t seed);

/// The values of a run of so many tokens over walks of `length` tokens: those of the candidate, its length and its
/// warm-ups in steps.
std::vector<RecipeValue> values_of_run(const Candidate& candidate, std::int64_t tokens, std::int64_t length);

}  // namespace strider
