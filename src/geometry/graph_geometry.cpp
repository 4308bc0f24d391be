#include "geometry/graph_geometry.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/parallel.h"
#include "graph/distances.h"

namespace strider {
namespace {

Graph undirected(const Graph& graph) {
  std::vector<std::vector<std::int32_t>> neighbours(graph.size());
  for (std::size_t node = 0; node < graph.size(); ++node) {
    for (const std::int32_t next : graph.neighbours_of(node)) {
      const auto to = static_cast<std::size_t>(next);
      if (to == node) continue;
      neighbours[node].push_back(next);
      neighbours[to].push_back(static_cast<std::int32_t>(node));
    }
  }
  Graph both{.labels = graph.labels, .offsets = {0}, .neighbours = {}};
  for (std::vector<std::int32_t>& list : neighbours) {
    std::ranges::sort(list);
    list.erase(std::unique(list.begin(), list.end()), list.end());
    both.neighbours.insert(both.neighbours.end(), list.begin(), list.end());
    both.offsets.push_back(both.neighbours.size());
  }
  return both;
}

void compute_hops(GraphGeometry& geometry, ThreadTeam& team) {
  const std::size_t nodes = geometry.size();
  geometry.hops.resize(nodes * nodes);
  geometry.within_two.resize(nodes);
  struct Member {
    ShortestPaths paths;
    std::vector<double> row;
  };
  std::vector<Member> members;
  members.reserve(static_cast<std::size_t>(team.size()));
  for (int i = 0; i < team.size(); ++i) members.push_back({ShortestPaths(geometry.graph), std::vector<double>(nodes)});
  parallel_for(team, static_cast<std::int64_t>(nodes), [&](int member, std::int64_t i) {
    const auto node = static_cast<std::size_t>(i);
    auto& [paths, row] = members[static_cast<std::size_t>(member)];
    paths.from(node, row);
    std::uint16_t* const hops = geometry.hops.data() + node * nodes;
    std::ranges::transform(row, hops, [](double d) { return std::isnan(d) ? kNoPath : static_cast<std::uint16_t>(d); });
    geometry.within_two[node] =
        static_cast<std::size_t>(std::count_if(hops, hops + nodes, [](auto d) { return d == 1 || d == 2; }));
  });
}

// Pairs at the same distance share the average of their ranks, which start at 1.
void rank_hops(GraphGeometry& geometry) {
  std::vector<std::size_t> count;
  for (std::size_t i = 0; i < geometry.size(); ++i) {
    for (const std::uint16_t hops : geometry.hops_from(i).subspan(i + 1)) {
      if (hops == kNoPath) continue;
      if (hops >= count.size()) count.resize(hops + std::size_t{1});
      ++count[hops];
    }
  }
  for (const std::size_t pairs : count) {
    geometry.rank_of_hops.push_back(static_cast<double>(geometry.pairs) + (static_cast<double>(pairs) + 1.0) / 2.0);
    geometry.pairs += pairs;
  }
}

}  // namespace

GraphGeometry make_graph_geometry(const Graph& graph, RowMatrix coordinates, ThreadTeam& team) {
  if (graph.size() < kFewestMeasuredNodes || graph.size() > kMostMeasuredNodes) {
    throw Error(fmt::format("A graph of {} nodes cannot be measured", graph.size()),
                {.file = {},
                 .place = {},
                 .advice = fmt::format("Every pair of nodes is measured, of graphs of {} to {} nodes.",
                                       kFewestMeasuredNodes, kMostMeasuredNodes)});
  }
  GraphGeometry geometry;
  geometry.graph = undirected(graph);
  if (geometry.graph.neighbours.empty()) {
    throw Error("The graph has no edge between two nodes, so there is nothing to compare representations with");
  }
  geometry.coordinates = std::move(coordinates);
  compute_hops(geometry, team);
  rank_hops(geometry);
  geometry.laplacian = laplacian_modes(geometry.graph, kLaplacianModes);
  return geometry;
}

}  // namespace strider
