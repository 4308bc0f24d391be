#pragma once
// Draws in proportion to weights in constant time: an alias table for each node (Walker 1977; the construction is that
// of Vose 1991, "A linear algorithm for generating random numbers with a given distribution").
#include <cstdint>
#include <vector>

#include "base/random/pcg64.h"
#include "graph/graph.h"

namespace strider {

class AliasTables {
 public:
  /// Of the edges of each node of a graph with weights; 16 bytes an edge.
  explicit AliasTables(const Graph& graph);

  /// A neighbour of `node`, which has at least one. Two draws.
  std::int32_t draw(const Graph& graph, std::size_t node, NumpyGenerator& generator) const {
    const std::size_t begin = graph.offsets[node];
    const auto count = static_cast<std::uint32_t>(graph.offsets[node + 1] - begin);
    const Place& place = places_[begin + generator.integer(count)];
    return generator.random() < place.keep ? place.own : place.other;
  }

 private:
  // All that a draw looks at, side by side: on a large graph each look is a cache miss.
  struct Place {
    double keep = 1.0;  // the probability to take the neighbour itself
    std::int32_t own = 0;
    std::int32_t other = 0;  // what is taken else
  };
  std::vector<Place> places_;  // by edge, as graph.neighbours
};

}  // namespace strider
