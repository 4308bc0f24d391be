#pragma once
// A graph as its nodes' labels and, for each node, the nodes that a walk can step to.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace strider {

struct Graph {
  std::vector<std::int32_t> labels;      // of node i: its token id in a walk; each once, from 0 on
  std::vector<std::size_t> offsets;      // [nodes + 1]; the neighbours of node i are [offsets[i], offsets[i + 1])
  std::vector<std::int32_t> neighbours;  // node indices, ascending for each node
  // Of the edge to each of `neighbours`, above 0: a walk takes an edge with a probability in proportion. Empty: all the
  // same.
  std::vector<double> weights = {};

  std::size_t size() const { return labels.size(); }
  std::span<const std::int32_t> neighbours_of(std::size_t node) const {
    return {neighbours.data() + offsets[node], offsets[node + 1] - offsets[node]};
  }
  bool is_weighted() const { return !weights.empty(); }
  /// Of a weighted graph: as neighbours_of.
  std::span<const double> weights_of(std::size_t node) const {
    return {weights.data() + offsets[node], offsets[node + 1] - offsets[node]};
  }
  /// Edges as the reference counts them: entries of the adjacency matrix, halved.
  std::size_t edges() const { return neighbours.size() / 2; }
};

}  // namespace strider
