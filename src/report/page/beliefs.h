#pragma once
// What a model believes on walks: how much of its next-node probability is on neighbours, and on those neighbours that
// the rule of the walks still allows, by position; how well it predicts from each node; single walks step by step.
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "graph/graph.h"

namespace strider {

/// Nodes of the largest probability, at each step of a walk.
struct PlayedWalk {
  std::vector<std::uint16_t> nodes;          // [length]: indices in the graph
  std::vector<std::uint16_t> likely;         // [length - 1, kLikely]: nodes, the most probable first
  std::vector<std::uint16_t> probabilities;  // [length - 1, kLikely]: of 65535
  std::vector<float> losses;                 // [length - 1]: nats
};

class Beliefs {
 public:
  static constexpr std::size_t kLikely = 24;

  /// `window` is the rule's no_repeat_window: a step goes to a neighbour that is not among the last so many nodes, the
  /// current one included, or to any where all are (graph/walk_rule.h); nothing: the rule is not known. Keeps a
  /// reference to `graph`.
  Beliefs(const Graph& graph, std::optional<std::int64_t> window);

  /// A walk of token ids with the model's logits [ids, vocabulary], row p for what comes after ids[p]. False, with
  /// nothing counted, where an id is no node of the graph.
  bool add(std::span<const std::int32_t> ids, std::span<const float> logits);
  /// The same walk for the page to play.
  std::optional<PlayedWalk> play(std::span<const std::int32_t> ids, std::span<const float> logits) const;

  /// Means by position from 0: of the prediction of the node after it. `allowed` is empty where the rule is not known.
  std::vector<float> on_neighbours() const { return means(neighbours_); }
  std::vector<float> on_allowed() const { return knows_rule_ ? means(allowed_) : std::vector<float>(); }
  std::vector<float> losses() const { return means(losses_); }
  /// Mean loss of predictions made at each node, in nats; NaN where there was none.
  std::vector<float> node_losses() const;
  /// Means over all predictions.
  double mean_on_neighbours() const { return mean(neighbours_); }
  double mean_on_allowed() const { return mean(allowed_); }
  double mean_loss() const { return mean(losses_); }
  std::int64_t predictions() const { return predictions_; }

 private:
  std::optional<std::vector<std::int32_t>> nodes_of(std::span<const std::int32_t> ids) const;
  double mean(const std::vector<double>& sums) const;
  std::vector<float> means(const std::vector<double>& sums) const;

  const Graph& graph_;
  std::unordered_map<std::int32_t, std::int32_t> node_of_;  // by token id
  bool knows_rule_ = false;
  std::int64_t window_ = 0;
  std::vector<double> neighbours_, allowed_, losses_, counts_;  // by position
  std::vector<double> node_losses_, node_counts_;
  std::int64_t predictions_ = 0;
};

/// out[i] = exp(logits[i]) / sum of all.
void softmax(std::span<const float> logits, std::vector<double>& out);

}  // namespace strider
