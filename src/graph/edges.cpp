#include "graph/edges.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace strider {

GraphOfEdges graph_of_edges(std::size_t nodes, std::vector<Edge> edges, bool both_ways, bool is_weighted) {
  if (both_ways) {
    const std::size_t given = edges.size();
    edges.reserve(2 * given);
    for (std::size_t i = 0; i < given; ++i) {
      if (edges[i].from != edges[i].to) edges.push_back({edges[i].to, edges[i].from, edges[i].weight});
    }
  }
  // The weights of repeated edges are added in the order in which they came.
  std::stable_sort(edges.begin(), edges.end(),
                   [](const Edge& a, const Edge& b) { return a.from != b.from ? a.from < b.from : a.to < b.to; });
  GraphOfEdges made;
  Graph& graph = made.graph;
  graph.labels.resize(nodes);
  for (std::size_t node = 0; node < nodes; ++node) graph.labels[node] = static_cast<std::int32_t>(node);
  graph.offsets.assign(nodes + 1, 0);
  graph.neighbours.reserve(edges.size());
  if (is_weighted) graph.weights.reserve(edges.size());
  for (std::size_t i = 0; i < edges.size(); ++i) {
    const Edge& edge = edges[i];
    if (i > 0 && edges[i - 1].from == edge.from && edges[i - 1].to == edge.to) {
      ++made.repeated;
      if (is_weighted) graph.weights.back() += edge.weight;
      continue;
    }
    graph.neighbours.push_back(edge.to);
    if (is_weighted) graph.weights.push_back(edge.weight);
    ++graph.offsets[static_cast<std::size_t>(edge.from) + 1];
  }
  for (std::size_t node = 0; node < nodes; ++node) graph.offsets[node + 1] += graph.offsets[node];
  if (both_ways) made.repeated /= 2;
  const auto differs = [&](double weight) { return weight != graph.weights.front(); };
  if (is_weighted && std::none_of(graph.weights.begin(), graph.weights.end(), differs)) {
    made.equal_weights = true;
    graph.weights.clear();
  }
  return made;
}

void check_weight_sums(const Graph& graph, const std::filesystem::path& file) {
  if (!graph.is_weighted()) return;
  for (std::size_t node = 0; node < graph.size(); ++node) {
    double sum = 0.0;
    for (const double weight : graph.weights_of(node)) sum += weight;
    if (std::isfinite(sum)) continue;
    throw Error("the weights of a node's edges add up to more than a number can be",
                {.file = file.string(),
                 .place = {},
                 .advice = "Divide all weights by the same number: walks follow their proportions alone."});
  }
}

}  // namespace strider
