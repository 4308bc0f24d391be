#pragma once
// What a graph is like for who walks on it: graphs of the user's own can have dead ends and edges that go one way.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace strider {

struct GraphFacts {
  bool is_symmetric = true;    // every edge goes both ways
  std::size_t edges = 0;       // of a symmetric graph, each pair of nodes once; else every entry of the matrix
  std::size_t one_way = 0;     // edges whose way back is missing
  std::size_t self_loops = 0;  // edges from a node to itself, counted in `edges` too
  // Node labels. What leads to itself counts as leading nowhere here.
  std::vector<std::int32_t> isolated;  // no edge to or from another node
  std::vector<std::int32_t> sinks;     // edges into it, none out
  std::vector<std::int32_t> sources;   // edges out of it, none in
  std::vector<std::int32_t>
      self_only;  // of the isolated ones and the sinks: those with a self-loop, where a walk stays
};

GraphFacts graph_facts(const Graph& graph);

/// "37 nodes, 52 edges", or "37 nodes, 52 directed edges".
std::string graph_size_text(const Graph& graph, const GraphFacts& facts);

/// A sentence for each thing that a user may not expect of the graph; none for a surface.
std::vector<std::string> graph_notices(const GraphFacts& facts);

/// "3, 17, 20", with " ..." behind the first ten.
std::string labels_text(const std::vector<std::int32_t>& labels);

}  // namespace strider
