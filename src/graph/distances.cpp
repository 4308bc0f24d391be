#include "graph/distances.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace strider {

ShortestPaths::ShortestPaths(const Graph& graph) : graph_(graph), queue_(graph.size()) {}

void ShortestPaths::from(std::size_t source, std::span<double> distances) {
  std::fill(distances.begin(), distances.end(), std::numeric_limits<double>::quiet_NaN());
  distances[source] = 0.0;
  queue_[0] = static_cast<std::int32_t>(source);
  std::size_t end = 1;
  for (std::size_t at = 0; at < end; ++at) {
    const auto node = static_cast<std::size_t>(queue_[at]);
    for (const std::int32_t next : graph_.neighbours_of(node)) {
      double& distance = distances[next];
      if (!std::isnan(distance)) continue;
      distance = distances[node] + 1.0;
      queue_[end++] = next;
    }
  }
}

}  // namespace strider
