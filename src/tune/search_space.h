#pragma once
// What `strider tune` searches: the values that decide how fast a small Llama learns walks over a graph.
#include <cstdint>
#include <string>
#include <vector>

#include "train/recipe.h"

namespace strider {

/// One way to train: values of settings.
struct Candidate {
  std::vector<RecipeValue> values;
  // Share of a run's steps in which the learning rates of embeddings and lm_head rise from 0.
  double slow_start = 0.0;
  double head_share = 0.0;  // share of a run's steps, its last ones, that train lm_head alone (HEAD_STEPS)
};

/// The first candidate is RECIPE=fast for a model with so many parameters outside embeddings and lm_head, or with
/// `loss_alone` RECIPE=lowest-loss, without the length of its run. The others are drawn, each value on its own:
///   learning rates         of matrices (Muon) from 0.003 to 0.03, of embeddings and lm_head from 3e-4 to 2e-2 each, of
///                          norms from 3e-4 to 1e-2, all evenly on a logarithmic scale
///   walks in a batch       4, 8, 16 or 32
///   beta2 of adamw         0.95, 0.98, 0.99 or 0.999
///   output projections     torch or zero
///   slow start             0, or from 0.1 to 0.6
/// and all of them end with the share of HEAD_STEPS that the first one's recipe has.
std::vector<Candidate> draw_candidates(std::int64_t count, std::int64_t non_embedding, bool loss_alone,
                                       std::uint64_t seed);

/// The values of a run of so many tokens over walks of `length` tokens: those of the candidate, its length and its
/// warm-ups in steps.
std::vector<RecipeValue> values_of_run(const Candidate& candidate, std::int64_t tokens, std::int64_t length);

}  // namespace strider
