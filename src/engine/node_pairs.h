#pragma once
// What is computed over all pairs of a graph's nodes on a GPU: the arithmetic of geometry/pair_measures.h, which says
// what it is for, without its types.
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace strider {

/// Nodes of which every pair (i, j) has a graph distance. The spans have to live as long as what is made of them is
/// made.
struct PairedNodes {
  std::int64_t count = 0;
  std::span<const std::uint16_t> hops;              // [count, count]: graph distance, or kNoHops
  std::span<const double> rank_of_hops;             // of a pair at that distance, from 1
  std::int64_t pairs = 0;                           // i < j with a path between them
  static constexpr std::uint16_t kNoHops = 0xFFFF;  // no path
};

/// Sizes that the memory depends on.
struct NodePairsLimits {
  std::int64_t nodes = 0;
  std::int64_t width = 0;    // of rows
  std::int64_t nearest = 0;  // of a node
};

struct RowComparison {
  std::vector<std::int32_t> nearest;  // [nodes, each], by cosine; of equally near ones the lower index first
  std::vector<double> cosines;        // [nodes, each]
  // Over the pairs with a path: the ranks of graph distance and of cosine distance as float32, ties by average rank,
  // both minus their mean; sums of their product and of the square of either.
  double both = 0, of_graph = 0, of_rows = 0;
};

/// Over the pairs i < j that have both a graph distance x and a distance y.
struct DistanceSums {
  double count = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;
};

class NodePairs {
 public:
  NodePairs() = default;
  virtual ~NodePairs() = default;
  NodePairs(const NodePairs&) = delete;
  NodePairs& operator=(const NodePairs&) = delete;

  /// `rows` [nodes, any width], each of length 1; `each` is less than the number of nodes. In double precision.
  virtual RowComparison compare(std::span<const double> rows, std::int64_t each) = 0;
  /// y: the shortest path in a graph whose edges are neighbours[offsets[i]] .. neighbours[offsets[i + 1] - 1] of node i
  /// with their lengths, each there both ways. The paths have the bits that any label-correcting method gives.
  virtual DistanceSums geodesics(std::span<const std::int32_t> offsets, std::span<const std::int32_t> neighbours,
                                 std::span<const double> lengths) = 0;
  /// y: how far points [nodes, 3] are apart.
  virtual DistanceSums distances(std::span<const double> points) = 0;
};

// What the build has of CUDA: engine/no_cuda/ or engine/cuda/on_gpu/.

/// Why no GPU can do this; none where one can.
std::optional<std::string> cuda_node_pairs_obstacle(const NodePairsLimits& limits);
/// For calls within the limits. Throws Error where it cannot.
std::unique_ptr<NodePairs> make_cuda_node_pairs(const PairedNodes& nodes, const NodePairsLimits& limits);

}  // namespace strider
