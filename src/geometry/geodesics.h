#pragma once
#include <optional>

#include "geometry/directions.h"
#include "geometry/graph_geometry.h"

namespace strider {

struct GeodesicComparison {
  /// Pearson's correlation of graph distance and geodesic distance over the pairs of nodes that have both; nothing
  /// where one is constant.
  std::optional<double> correlation;
  double pairs = 0;  // share of the pairs with a path in the graph that have a geodesic
};

/// Geodesics as Isomap estimates them (Tenenbaum, de Silva and Langford 2000): shortest paths in the graph of nearest
/// nodes, where i and j are joined if either is among the nearest of the other, by an edge as long as their
/// representations of length 1 are apart, sqrt(2 - 2 cos(x_i, x_j)).
GeodesicComparison compare_geodesics(const GraphGeometry& graph, const NearestNodes& nearest);

}  // namespace strider
