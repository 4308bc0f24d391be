#pragma once
// Small graphs whose measures can be computed by hand.
#include <cmath>
#include <numbers>
#include <numeric>
#include <vector>

#include "geometry/graph_geometry.h"

namespace strider::testing {

inline Graph graph_of(std::size_t nodes, const std::vector<std::pair<int, int>>& edges) {
  Graph graph;
  graph.labels.resize(nodes);
  std::iota(graph.labels.begin(), graph.labels.end(), 0);
  graph.offsets = {0};
  for (std::size_t node = 0; node < nodes; ++node) {
    for (std::size_t other = 0; other < nodes; ++other) {
      for (const auto& [from, to] : edges) {
        const auto a = static_cast<std::size_t>(from), b = static_cast<std::size_t>(to);
        if ((a == node && b == other) || (b == node && a == other)) graph.neighbours.push_back(static_cast<int>(other));
      }
    }
    graph.offsets.push_back(graph.neighbours.size());
  }
  return graph;
}

inline Graph ring(int nodes) {
  std::vector<std::pair<int, int>> edges;
  for (int i = 0; i < nodes; ++i) edges.emplace_back(i, (i + 1) % nodes);
  return graph_of(static_cast<std::size_t>(nodes), edges);
}

inline Graph complete(int nodes) {
  std::vector<std::pair<int, int>> edges;
  for (int i = 0; i < nodes; ++i) {
    for (int j = 0; j < i; ++j) edges.emplace_back(i, j);
  }
  return graph_of(static_cast<std::size_t>(nodes), edges);
}

inline GraphGeometry geometry_of(const Graph& graph, RowMatrix coordinates = {}) {
  ThreadTeam team(2);
  return make_graph_geometry(graph, std::move(coordinates), team);
}

/// [nodes, 2]: the nodes of a ring, in their order on a circle of radius 1.
inline RowMatrix circle(int nodes) {
  RowMatrix points(nodes, 2);
  for (int i = 0; i < nodes; ++i) {
    const double angle = 2.0 * std::numbers::pi * i / nodes;
    points.row(i) << std::cos(angle), std::sin(angle);
  }
  return points;
}

}  // namespace strider::testing
