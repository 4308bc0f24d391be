#include "graph/graph_facts.h"

#include <fmt/format.h>

#include <algorithm>

namespace strider {
namespace {

bool has_edge(const Graph& graph, std::size_t from, std::int32_t to) {
  const auto neighbours = graph.neighbours_of(from);
  return std::binary_search(neighbours.begin(), neighbours.end(), to);
}

std::string nodes_text(const std::vector<std::int32_t>& labels) {
  return fmt::format("{} node{} ({})", labels.size(), labels.size() == 1 ? "" : "s", labels_text(labels));
}

}  // namespace

GraphFacts graph_facts(const Graph& graph) {
  GraphFacts facts;
  std::vector<std::size_t> in(graph.size());   // from other nodes
  std::vector<std::size_t> out(graph.size());  // to other nodes
  for (std::size_t node = 0; node < graph.size(); ++node) {
    for (const std::int32_t next : graph.neighbours_of(node)) {
      const auto to = static_cast<std::size_t>(next);
      if (to == node) {
        ++facts.self_loops;
        continue;
      }
      ++out[node];
      ++in[to];
      if (!has_edge(graph, to, static_cast<std::int32_t>(node))) ++facts.one_way;
    }
  }
  facts.is_symmetric = facts.one_way == 0;
  facts.edges = facts.is_symmetric ? (graph.neighbours.size() + facts.self_loops) / 2 : graph.neighbours.size();
  for (std::size_t node = 0; node < graph.size(); ++node) {
    const std::int32_t label = graph.labels[node];
    if (out[node] > 0) {
      if (in[node] == 0) facts.sources.push_back(label);
      continue;
    }
    (in[node] > 0 ? facts.sinks : facts.isolated).push_back(label);
    if (!graph.neighbours_of(node).empty()) facts.self_only.push_back(label);
  }
  return facts;
}

std::string labels_text(const std::vector<std::int32_t>& labels) {
  constexpr std::size_t kShown = 10;
  const auto end = labels.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, labels.size()));
  return fmt::format("{}{}", fmt::join(labels.begin(), end, ", "), labels.size() > kShown ? " ..." : "");
}

std::string graph_size_text(const Graph& graph, const GraphFacts& facts) {
  return fmt::format("{} nodes, {} {}edges", graph.size(), facts.edges, facts.is_symmetric ? "" : "directed ");
}

std::vector<std::string> graph_notices(const GraphFacts& facts) {
  std::vector<std::string> notices;
  const auto add = [&](std::string text) { notices.push_back(std::move(text)); };
  if (!facts.is_symmetric) {
    add(fmt::format("The adjacency matrix is not symmetric: {} of {} edges go one way only.", facts.one_way,
                    facts.edges));
  }
  if (facts.self_loops > 0) add(fmt::format("Self-loops: {} edges lead from a node to itself.", facts.self_loops));
  if (!facts.sinks.empty()) add(fmt::format("Sinks: {} have no edge out to another node.", nodes_text(facts.sinks)));
  if (!facts.isolated.empty()) {
    add(fmt::format("Isolated: {} have no edge to or from another node.", nodes_text(facts.isolated)));
  }
  if (!facts.sources.empty()) {
    add(fmt::format("Sources: {} have no edge into them, so that walks are there at a start only.",
                    nodes_text(facts.sources)));
  }
  const std::size_t ends = facts.sinks.size() + facts.isolated.size();
  if (ends > facts.self_only.size()) {
    add("From a node without an edge out, a walk jumps to a new start: such steps follow no edge.");
  }
  if (!facts.self_only.empty()) {
    add(fmt::format("Of them, {} lead to themselves: a walk that comes there stays.", nodes_text(facts.self_only)));
  }
  return notices;
}

}  // namespace strider
