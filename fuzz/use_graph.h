#pragma once
// A graph that a reader accepted is one that walks can be made on.
#include "graph/walks.h"

namespace strider::fuzz {

inline void use_graph(const Graph& graph, WalkSettings settings) {
  settings.max_length = 16;
  Walker walker(graph, settings);
  for (int i = 0; i < 3; ++i) {
    for (const std::int32_t node : walker.next()) {
      if (node < 0 || static_cast<std::size_t>(node) >= graph.labels.size()) __builtin_trap();
      if (graph.labels[static_cast<std::size_t>(node)] < 0) __builtin_trap();
    }
  }
}

}  // namespace strider::fuzz
