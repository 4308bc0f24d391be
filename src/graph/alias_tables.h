#pragma once
// Draws in proportion to weights in constant time: an alias table for each node (Walker 1977; the construction is that of
// Vose 1991, "A linear algorithm for generating random numbers with a given distribution").
#include <cstdint>
#include <vector>

#include "base/random/pcg64.h"
#include "graph/graph.h"

namespace strider {

class AliasTables {
 public:
  /// Of the edges of each node of a graph with weights; 12 bytes an edge.
  explicit AliasTables(const Graph& graph);

  /// The place of a neighbour in neighbours_of(node), which has at least one. Takes one or two draws.
  std::size_t draw(const Graph& graph, std::size_t node, NumpyGenerator& generator) const {
    const std::size_t begin = graph.offsets[node];
    const auto count = static_cast<std::uint32_t>(graph.offsets[node + 1] - begin);
    const std::uint32_t place = generator.integer(count);
    return generator.random() < keep_[begin + place] ? place : other_[begin + place];
  }

 private:
  std::vector<double> keep_;          // the probability to take a place itself
  std::vector<std::uint32_t> other_;  // what is taken else
};

}  // namespace strider
