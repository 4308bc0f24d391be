#include "graph/graph_facts.h"

#include <gtest/gtest.h>

#include "graph/surface.h"
#include "graph/walks.h"

namespace strider {
namespace {

using Labels = std::vector<std::int32_t>;

TEST(GraphFacts, OfAnySurfaceThereIsNothingToSay) {
  for (const SurfaceType& type : surface_types()) {
    const Graph graph = make_surface_graph({type.surface, 5, 6, 8}).graph;
    const GraphFacts facts = graph_facts(graph);
    EXPECT_EQ(facts.edges, graph.edges()) << type.name;
    EXPECT_TRUE(graph_notices(facts).empty()) << type.name;
  }
}

TEST(GraphFacts, EdgesOfASymmetricGraphAreCountedOnceWithTheirSelfLoops) {
  const Graph graph{{0, 1, 2}, {0, 2, 4, 5}, {0, 1, 0, 2, 1}};  // 0 - 0, 0 - 1, 1 - 2
  const GraphFacts facts = graph_facts(graph);
  EXPECT_TRUE(facts.is_symmetric);
  EXPECT_EQ(facts.edges, 3U);
  EXPECT_EQ(facts.self_loops, 1U);
  EXPECT_EQ(graph_size_text(graph, facts), "3 nodes, 3 edges");
  EXPECT_EQ(graph_notices(facts), std::vector<std::string>{"Self-loops: 1 edges lead from a node to itself."});
}

// 10 -> 11 <-> 12 -> 13, 14 alone, 15 alone with itself, 12 -> 16 -> 16.
const Graph kDirected{{10, 11, 12, 13, 14, 15, 16}, {0, 1, 2, 5, 5, 5, 6, 7}, {1, 2, 1, 3, 6, 5, 6}};

TEST(GraphFacts, OfADirectedGraph) {
  const GraphFacts facts = graph_facts(kDirected);
  EXPECT_FALSE(facts.is_symmetric);
  EXPECT_EQ(facts.edges, 7U);
  EXPECT_EQ(facts.one_way, 3U);
  EXPECT_EQ(facts.self_loops, 2U);
  EXPECT_EQ(facts.sinks, (Labels{13, 16}));
  EXPECT_EQ(facts.isolated, (Labels{14, 15}));
  EXPECT_EQ(facts.sources, (Labels{10}));
  EXPECT_EQ(facts.self_only, (Labels{15, 16}));
  EXPECT_EQ(graph_size_text(kDirected, facts), "7 nodes, 7 directed edges");
  EXPECT_EQ(graph_notices(facts).size(), 7U);
}

TEST(GraphFacts, JumpsOfWalksAreTheirStepsThatFollowNoEdge) {
  for (const double restart_prob : {0.0, 0.25}) {
    WalkSettings settings;
    settings.max_length = 20;
    settings.restart_prob = restart_prob;
    Walker walker(kDirected, settings);
    std::int64_t jumps = 0;
    for (int i = 0; i < 200; ++i) {
      const auto walk = walker.next();
      for (std::size_t k = 1; k < walk.size(); ++k) {
        const auto all = kDirected.neighbours_of(static_cast<std::size_t>(walk[k - 1]));
        jumps += std::find(all.begin(), all.end(), walk[k]) == all.end() ? 1 : 0;
      }
    }
    EXPECT_EQ(walker.dead_end_jumps() + walker.restart_jumps(), jumps);
    EXPECT_GT(walker.dead_end_jumps(), 0);
    EXPECT_EQ(walker.restart_jumps() > 0, restart_prob > 0.0);
  }
}

}  // namespace
}  // namespace strider
