#pragma once
// The nearest nodes by cosine, and rank correlation with the graph: one pass over all pairs of representations.
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "geometry/graph_geometry.h"
#include "geometry/matrix.h"

namespace strider {

struct NearestNodes {
  std::size_t each = 0;             // per node
  std::vector<std::int32_t> nodes;  // [nodes, each], nearest first; of equally near ones the lower index first
  std::vector<double> cosines;      // [nodes, each]

  std::span<const std::int32_t> of(std::size_t node) const { return {nodes.data() + node * each, each}; }
};

/// Over the pairs of nodes with a path between them, of the two ranks of a pair, each minus the mean of all ranks.
struct RankSums {
  double both = 0;                   // of their product
  double of_graph = 0, of_rows = 0;  // of the square of either

  /// Nothing where one of the two is constant.
  std::optional<double> correlation() const;
};

struct Directions {
  NearestNodes nearest;
  /// RSA (Kriegeskorte, Mur and Bandettini 2008): Spearman's rank correlation, ties by average rank, of graph distance
  /// and cosine distance 1 - cos(x_i, x_j) as float32, over all pairs of nodes with a path between them. Nothing where
  /// one of the two is constant.
  std::optional<double> rsa;
};

/// `rows` [nodes, width], none of them zero; `each` is less than the number of nodes.
Directions compare_directions(const GraphGeometry& graph, const RowMatrix& rows, std::size_t each);

struct NeighbourShares {
  double neighbours = 0;
  double within_two = 0;
};

/// Means over the nodes that have a neighbour, with k = nearest.each and near(i) the k nearest nodes of i by cosine:
///   neighbours  |near(i) and N1(i)| / min(k, |N1(i)|), where N1(i) are the nodes one edge away
///   within_two  |near(i) and N2(i)| / min(k, |N2(i)|), where N2(i) are the nodes one or two edges away
/// Recall at k (Manning, Raghavan and Schuetze, Introduction to Information Retrieval, 2008, section 8.4) divided by
/// the largest recall that k allows: 1 can be reached on any graph, and where every node has k neighbours the first is
/// also the share of neighbours among the k nearest.
NeighbourShares neighbour_shares(const GraphGeometry& graph, const NearestNodes& nearest);

/// What neighbour_shares expects of nearest nodes that are drawn at random.
NeighbourShares neighbour_shares_by_chance(const GraphGeometry& graph, std::size_t each);

}  // namespace strider
