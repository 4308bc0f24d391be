#pragma once
// A graph from its edges in any order.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "graph/graph.h"

namespace strider {

struct Edge {
  std::int32_t from = 0, to = 0;  // node indices
  double weight = 1.0;            // above 0, finite
};

struct GraphOfEdges {
  Graph graph;                 // node i has the label i
  std::size_t repeated = 0;    // edges that came before, in the same direction
  bool equal_weights = false;  // all weights were the same: the graph has none
};

/// Edges that come several times are one, whose weight is the sum. `both_ways`: each edge goes back as well, a
/// self-loop once. Takes about 32 bytes of memory for each edge and direction.
GraphOfEdges graph_of_edges(std::size_t nodes, std::vector<Edge> edges, bool both_ways, bool is_weighted);

/// Throws Error where the weights of a node's edges add up to more than a double can be: walks could not follow them.
/// `file` is where they are from.
void check_weight_sums(const Graph& graph, const std::filesystem::path& file);

}  // namespace strider
