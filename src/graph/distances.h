#pragma once
// Shortest paths by breadth-first search: every edge has length 1.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "graph/graph.h"

namespace strider {

class ShortestPaths {
 public:
  /// Keeps a reference to `graph`.
  explicit ShortestPaths(const Graph& graph);

  /// distances [nodes]: edges from `source` to each node along directed edges; NaN where there is no path.
  void from(std::size_t source, std::span<double> distances);

 private:
  const Graph& graph_;
  std::vector<std::int32_t> queue_;
};

}  // namespace strider
