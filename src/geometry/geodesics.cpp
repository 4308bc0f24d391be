#include "geometry/geodesics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "geometry/pearson.h"

namespace strider {
namespace {

constexpr double kFar = std::numeric_limits<double>::infinity();

using Edge = NearestGraph::Edge;

// Shortest paths with nodes in buckets by distance instead of a heap (Dial 1969; Meyer and Sanders 2003, delta-stepping
// on one thread). A node whose distance shrinks is looked at again, so that the distances are those of any
// label-correcting method, in any order: each the least, over its neighbours, of their distance plus the edge.
class Geodesics {
 public:
  explicit Geodesics(const NearestGraph& graph)
      : graph_(graph),
        per_length_(graph.mean > 0.0 ? kPerEdge / graph.mean : 0.0),
        buckets_(bucket_of(graph.longest) + 2),
        expanded_(graph.offsets.size() - 1) {}

  void from(std::size_t source, std::vector<double>& distances) {
    std::ranges::fill(distances, kFar);
    std::ranges::fill(expanded_, kFar);
    distances[source] = 0.0;
    buckets_[0].push_back(static_cast<std::int32_t>(source));
    waiting_ = 1;
    for (std::size_t bucket = 0; waiting_ > 0; ++bucket) {
      std::vector<std::int32_t>& nodes = buckets_[bucket % buckets_.size()];
      while (!nodes.empty()) {
        const auto node = static_cast<std::size_t>(nodes.back());
        nodes.pop_back();
        --waiting_;
        if (expanded_[node] == distances[node]) continue;  // it was in the queue twice
        expanded_[node] = distances[node];
        expand(node, distances);
      }
    }
  }

 private:
  static constexpr double kPerEdge = 4.0;  // buckets along an edge of mean length

  std::size_t bucket_of(double distance) const { return static_cast<std::size_t>(distance * per_length_); }

  void expand(std::size_t node, std::vector<double>& distances) {
    for (std::size_t i = graph_.offsets[node]; i < graph_.offsets[node + 1]; ++i) {
      const Edge& edge = graph_.edges[i];
      double& distance = distances[static_cast<std::size_t>(edge.to)];
      const double found = distances[node] + edge.length;
      if (found >= distance) continue;
      distance = found;
      buckets_[bucket_of(found) % buckets_.size()].push_back(edge.to);
      ++waiting_;
    }
  }

  const NearestGraph& graph_;
  double per_length_;
  std::vector<std::vector<std::int32_t>> buckets_;  // used in a circle: no edge is longer than all of them
  std::vector<double> expanded_;                    // distance at which a node's edges were last followed
  std::size_t waiting_ = 0;                         // entries of all buckets
};

}  // namespace

NearestGraph join_nearest(const NearestNodes& nearest, std::size_t nodes) {
  std::vector<std::vector<Edge>> joined(nodes);
  for (std::size_t node = 0; node < nodes; ++node) {
    for (std::size_t i = 0; i < nearest.each; ++i) {
      const std::int32_t other = nearest.of(node)[i];
      const double length = std::sqrt(std::max(0.0, 2.0 - 2.0 * nearest.cosines[node * nearest.each + i]));
      joined[node].push_back({other, length});
      joined[static_cast<std::size_t>(other)].push_back({static_cast<std::int32_t>(node), length});
    }
  }
  NearestGraph graph{.offsets = {0}, .edges = {}};
  for (std::vector<Edge>& edges : joined) {
    std::ranges::sort(edges, {}, &Edge::to);
    const auto is_twice = [](const Edge& a, const Edge& b) { return a.to == b.to; };
    edges.erase(std::unique(edges.begin(), edges.end(), is_twice), edges.end());
    for (const Edge& edge : edges) {
      graph.mean += edge.length;
      graph.longest = std::max(graph.longest, edge.length);
    }
    graph.edges.insert(graph.edges.end(), edges.begin(), edges.end());
    graph.offsets.push_back(graph.edges.size());
  }
  graph.mean /= static_cast<double>(graph.edges.size());
  return graph;
}

GeodesicComparison compare_geodesics(const GraphGeometry& graph, const NearestNodes& nearest) {
  const NearestGraph joined = join_nearest(nearest, graph.size());
  Geodesics geodesics(joined);
  std::vector<double> distances(graph.size());
  Pearson pearson;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    geodesics.from(i, distances);
    const auto hops = graph.hops_from(i);
    for (std::size_t j = i + 1; j < graph.size(); ++j) {
      if (hops[j] != kNoPath && distances[j] != kFar) pearson.add(hops[j], distances[j]);
    }
  }
  return {pearson.value(), pearson.count / static_cast<double>(graph.pairs)};
}

}  // namespace strider
