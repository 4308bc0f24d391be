#pragma once
// What the measures compare representations with: a graph, its distances and its smoothest functions, computed once for
// all layers.
#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_team.h"
#include "geometry/laplacian.h"
#include "geometry/matrix.h"
#include "graph/graph.h"

namespace strider {

inline constexpr std::uint16_t kNoPath = 0xFFFF;
/// What layers are compared with: on a torus of nearly equal sides the two waves along
/// each side and their four products.
inline constexpr int kLaplacianModes = 8;
/// Every pair of nodes is measured; above this many nodes that takes more than 1 GB for each layer.
inline constexpr std::size_t kMostMeasuredNodes = 11'000;
inline constexpr std::size_t kFewestMeasuredNodes = 5;

struct GraphGeometry {
  Graph graph;                          // edges count both ways, self-loops do not count
  std::vector<std::uint16_t> hops;      // [nodes, nodes]: edges on the shortest path, or kNoPath
  std::vector<std::size_t> within_two;  // [nodes]: other nodes at most two edges away
  std::vector<double> rank_of_hops;     // average rank of a pair of that distance among the pairs with a path
  std::size_t pairs = 0;                // of nodes with a path between them
  LaplacianModes laplacian;             // the first kLaplacianModes; see there for when it is empty
  RowMatrix coordinates;                // [nodes, any]; no columns where there are none

  std::size_t size() const { return graph.size(); }
  std::span<const std::uint16_t> hops_from(std::size_t node) const { return {hops.data() + node * size(), size()}; }
};

/// `coordinates` has a row per node, or no columns. Throws Error where the graph has too few or too many nodes, or no
/// edge.
GraphGeometry make_graph_geometry(const Graph& graph, RowMatrix coordinates, ThreadTeam& team);

}  // namespace strider
