#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "geometry/directions.h"
#include "geometry/graph_geometry.h"

namespace strider {

struct GeodesicComparison {
  /// Pearson's correlation of graph distance and geodesic distance over the pairs of nodes that have both; nothing
  /// where one is constant.
  std::optional<double> correlation;
  double pairs = 0;  // share of the pairs with a path in the graph that have a geodesic
};

/// Nearest nodes joined to a graph that has each edge both ways.
struct NearestGraph {
  struct Edge {
    std::int32_t to = 0;
    double length = 0;
  };
  std::vector<std::size_t> offsets;  // [nodes + 1]
  std::vector<Edge> edges;           // of a node ascending by `to`
  double mean = 0, longest = 0;      // length of an edge
};

/// As compare_geodesics() says.
NearestGraph join_nearest(const NearestNodes& nearest, std::size_t nodes);

/// Geodesics as Isomap estimates them (Tenenbaum, de Silva and Langford 2000): shortest paths in the graph of nearest
/// nodes, where i and j are joined if either is among the nearest of the other, by an edge as long as their
/// representations of length 1 are apart, sqrt(2 - 2 cos(x_i, x_j)).
GeodesicComparison compare_geodesics(const GraphGeometry& graph, const NearestNodes& nearest);

}  // namespace strider
