#pragma once
// The lowest mean cross-entropy that any model can reach on walks of a known rule. Each next node is uniform over what
// the rule allows (the neighbours that are not among the last no_repeat_window nodes, the current one included; all
// neighbours where none is left), so the loss of a perfect model is the entropy of those choices:
//   mean over predicted tokens of ln(number of nodes that the rule allows)
// On a graph with weights a next node's probability is its edge's share of the weights of those that are allowed, and
// the loss of a perfect model on these walks is
//   mean over predicted tokens of -ln(that share)
//
// Usage:
//   if (const std::optional<RuledGraph> ruled = find_walk_rule(walks_csv)) {
//     BestLoss best(*ruled);
//     for (each validation walk) best.add(ids);
//     knowledge.best_loss = best.mean();
//     knowledge.walk_rule = walk_rule_json(ruled->rule);
//   }
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "graph/walk_rule.h"

namespace strider {

class BestLoss {
 public:
  /// Keeps a reference to `ruled`.
  explicit BestLoss(const RuledGraph& ruled);

  /// Counts the choices of one walk of token ids. Throws Error when the graph or the rule does not allow a step of it:
  /// then these are not the walks that the rule belongs to.
  void add(std::span<const std::int32_t> ids);

  /// In nats. Nothing where it is not known: walks that restart (restart_prob above 0) or jumped from a node without
  /// neighbours, whose target depends on all walks before; or no predicted token.
  std::optional<double> mean() const;

 private:
  std::int32_t node_of(std::int32_t id, std::size_t position) const;

  const RuledGraph& ruled_;
  std::unordered_map<std::int32_t, std::int32_t> nodes_;  // by token id
  std::vector<std::int64_t> seen_;                        // of each node: the clock when a walk was last there
  std::vector<std::uint64_t> choices_;                    // [k]: steps that had k nodes to choose from
  double weighted_loss_ = 0.0;                            // of a graph with weights: the sum
  std::uint64_t weighted_steps_ = 0;
  std::int64_t window_ = 0;
  std::int64_t clock_ = 0;
  std::int64_t walks_ = 0;
  bool jumped_ = false;
};

}  // namespace strider
