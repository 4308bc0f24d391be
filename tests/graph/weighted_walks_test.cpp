// Walks on graphs with weights, and the starts that serve large graphs: how often each step and each start comes is
// compared with its probability.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "base/error.h"
#include "golden.h"
#include "graph/best_loss.h"
#include "graph/edges.h"
#include "graph/graph_folder.h"
#include "graph/sparse_file.h"
#include "graph/walks.h"

namespace strider {
namespace {

// A ring of ten nodes with chords, each edge with a weight of its own.
Graph weighted_graph() {
  std::vector<Edge> edges;
  for (int i = 0; i < 10; ++i) {
    edges.push_back({i, (i + 1) % 10, 1.0 + i});
    edges.push_back({i, (i + 3) % 10, 0.5 * (1 + i % 4)});
  }
  return graph_of_edges(10, edges, true, true).graph;
}

WalkSettings settings_of(StartRule start, std::int64_t window) {
  WalkSettings settings;
  settings.max_length = 40;
  settings.no_repeat_window = window;
  settings.start = start;
  return settings;
}

// Counts within five standard deviations of what a probability gives.
void expect_frequency(double count, double trials, double probability, const std::string& what) {
  EXPECT_NEAR(count, trials * probability, 5.0 * std::sqrt(trials * probability * (1 - probability)) + 1) << what;
}

TEST(WeightedWalks, StepsFollowTheWeightsOfTheFreeNeighbours) {
  for (const bool is_weighted : {true, false}) {
    Graph graph = weighted_graph();
    if (!is_weighted) graph.weights.clear();
    constexpr std::int64_t kWindow = 3;
    Walker walker(graph, settings_of(StartRule::kUniform, kWindow));
    // By the last two nodes, which say what is free: how often each next one came.
    std::map<std::pair<int, int>, std::map<int, double>> next;
    for (int walk = 0; walk < 20'000; ++walk) {
      const auto nodes = walker.next();
      for (std::size_t i = 2; i + 1 < nodes.size(); ++i) {
        // The window has the current node and the two before it.
        next[{nodes[i], nodes[i - 1] * 10 + nodes[i - 2]}][nodes[i + 1]] += 1;
      }
    }
    EXPECT_GT(next.size(), 100U);
    for (const auto& [state, counts] : next) {
      const auto node = static_cast<std::size_t>(state.first);
      const auto neighbours = graph.neighbours_of(node);
      const std::array<int, 3> recent{state.first, state.second / 10, state.second % 10};
      std::map<int, double> weights;
      double sum = 0, trials = 0;
      for (std::size_t k = 0; k < neighbours.size(); ++k) {
        if (std::ranges::find(recent, neighbours[k]) != recent.end()) continue;
        sum += weights[neighbours[k]] = is_weighted ? graph.weights_of(node)[k] : 1.0;
      }
      for (const auto& entry : counts) trials += entry.second;
      if (trials < 200) continue;
      for (const auto& entry : counts) {
        ASSERT_TRUE(weights.contains(entry.first)) << "a step to a node of the window";
        expect_frequency(entry.second, trials, weights[entry.first] / sum, "from " + std::to_string(node));
      }
    }
  }
}

TEST(WeightedWalks, WhereNoNeighbourIsFreeAllAre) {
  // Two nodes: each step goes back, against the window.
  const Graph graph = graph_of_edges(2, {{0, 1, 2.0}, {1, 1, 1.0}}, true, true).graph;
  Walker walker(graph, settings_of(StartRule::kUniform, 5));
  double stays = 0, steps = 0;
  for (int walk = 0; walk < 2000; ++walk) {
    const auto nodes = walker.next();
    for (std::size_t i = 4; i + 1 < nodes.size(); ++i) {
      if (nodes[i] != 1) continue;
      steps += 1;
      stays += nodes[i + 1] == 1 ? 1 : 0;
    }
  }
  expect_frequency(stays, steps, 1.0 / 3.0, "from node 1 to itself");
}

std::map<int, double> starts_of(const Graph& graph, const WalkSettings& settings, int walks) {
  Walker walker(graph, settings);
  std::map<int, double> starts;
  for (int walk = 0; walk < walks; ++walk) starts[walker.next().front()] += 1;
  return starts;
}

TEST(Starts, UniformAndByDegree) {
  const Graph graph = weighted_graph();
  constexpr int kWalks = 50'000;
  double sum = 0;
  for (const double weight : graph.weights) sum += weight;
  const auto uniform = starts_of(graph, settings_of(StartRule::kUniform, 2), kWalks);
  const auto by_degree = starts_of(graph, settings_of(StartRule::kDegree, 2), kWalks);
  for (int node = 0; node < 10; ++node) {
    double weight = 0;
    for (const double of_edge : graph.weights_of(static_cast<std::size_t>(node))) weight += of_edge;
    expect_frequency(uniform.at(node), kWalks, 0.1, "uniform");
    expect_frequency(by_degree.at(node), kWalks, weight / sum, "degree");
  }
}

// The rule's probabilities are computed anew for each walk from the visits until then.
TEST(Starts, VisitsTreeDrawsByTheSameProbabilitiesAsVisits) {
  Graph graph = weighted_graph();
  graph.weights.clear();
  for (const StartRule start : {StartRule::kVisits, StartRule::kVisitsTree}) {
    for (const double temperature : {1.0, 0.5}) {
      WalkSettings settings = settings_of(start, 2);
      settings.max_length = 7;
      settings.temperature = temperature;
      Walker walker(graph, settings);
      std::array<double, 10> expected{}, variance{}, count{};
      for (int walk = 0; walk < 20'000; ++walk) {
        const double mean = static_cast<double>(walker.steps()) / 10.0;
        std::array<double, 10> weight{};
        double sum = 0;
        for (std::size_t node = 0; node < 10; ++node) {
          weight[node] = std::pow(std::max(0.0, mean - walker.visits()[node]) + 1e-8, 1.0 / temperature);
          sum += weight[node];
        }
        for (std::size_t node = 0; node < 10; ++node) {
          const double probability = weight[node] / sum;
          expected[node] += probability;
          variance[node] += probability * (1 - probability);
        }
        count[static_cast<std::size_t>(walker.next().front())] += 1;
      }
      for (std::size_t node = 0; node < 10; ++node) {
        EXPECT_NEAR(count[node], expected[node], 5.0 * std::sqrt(variance[node]) + 1) << name_of(start) << " " << node;
      }
    }
  }
}

TEST(Starts, VisitsTreeTakesAnyNodeWhereAllWeightsAre0) {
  WalkSettings settings = settings_of(StartRule::kVisitsTree, 2);
  settings.temperature = 0.02;  // 1e-8 ^ 50
  settings.max_length = 1;
  std::map<int, double> starts;
  constexpr int kWalks = 20'000;
  const Graph graph = weighted_graph();
  for (int walk = 0; walk < kWalks; ++walk) {
    settings.seed = static_cast<std::uint64_t>(walk);
    Walker walker(graph, settings);
    starts[walker.next().front()] += 1;
  }
  for (int node = 0; node < 10; ++node) expect_frequency(starts[node], kWalks, 0.1, "any");
}

TEST(Walks, StopWhenTheLastNodeHasItsVisits) {
  for (const StartRule start : {StartRule::kVisits, StartRule::kVisitsTree, StartRule::kUniform}) {
    WalkSettings settings = settings_of(start, 2);
    settings.max_length = 7;
    settings.min_visits_per_node = 25;
    const Graph graph = weighted_graph();
    Walker walker(graph, settings);
    bool expected = false;
    for (int walk = 0; walk < 1000 && !expected; ++walk) {
      walker.next();
      expected = *std::ranges::min_element(walker.visits()) >= 25.0;
      ASSERT_EQ(walker.visited_enough(), expected) << "after walk " << walk;
    }
    EXPECT_TRUE(expected);
  }
}

TEST(GraphOfEdges, WeightsWhoseSumIsNoNumberAreRefused) {
  const Graph graph = graph_of_edges(3, {{0, 1, 1e308}, {0, 2, 1e308}}, false, true).graph;
  EXPECT_FALSE(graph.is_weighted());  // all the same
  EXPECT_NO_THROW(check_weight_sums(graph, "edges.txt"));
  const Graph large = graph_of_edges(3, {{0, 1, 1e308}, {0, 2, 1.5e308}}, false, true).graph;
  EXPECT_THROW(check_weight_sums(large, "edges.txt"), Error);
}

TEST(BestLoss, OfWeightsIsTheLossOfAModelThatKnowsThem) {
  RuledGraph ruled;
  ruled.graph = weighted_graph();
  ruled.rule.settings.no_repeat_window = 2;
  BestLoss best(ruled);
  best.add(std::vector<std::int32_t>{0, 1, 2});
  const auto share = [&](std::size_t node, int to, std::vector<int> blocked) {
    double sum = 0, taken = 0;
    for (std::size_t k = 0; k < ruled.graph.neighbours_of(node).size(); ++k) {
      const int neighbour = ruled.graph.neighbours_of(node)[k];
      if (std::ranges::find(blocked, neighbour) != blocked.end()) continue;
      sum += ruled.graph.weights_of(node)[k];
      if (neighbour == to) taken = ruled.graph.weights_of(node)[k];
    }
    return taken / sum;
  };
  EXPECT_NEAR(*best.mean(), -(std::log(share(0, 1, {})) + std::log(share(1, 2, {0}))) / 2, 1e-12);
}

TEST(WalkRule, KeepsWeightsNamesAndTheStart) {
  const test::ScratchFolder folder;
  const Graph graph = weighted_graph();
  WalkRule rule;
  rule.graph_name = "mine";
  rule.settings.start = StartRule::kDegree;
  std::vector<std::string> names;
  for (int i = 0; i < 10; ++i) names.push_back("node \"" + std::to_string(i));
  write_walk_rule(folder / "rule.json", rule, graph, names);
  const RuledGraph read = read_walk_rule(folder / "rule.json");
  EXPECT_EQ(read.graph.weights, graph.weights);
  EXPECT_EQ(read.graph.neighbours, graph.neighbours);
  EXPECT_EQ(read.graph.offsets, graph.offsets);
  EXPECT_EQ(read.names, names);
  EXPECT_EQ(read.rule.settings.start, StartRule::kDegree);
}

TEST(GraphOfEdges, AddsWhatComesTwice) {
  const GraphOfEdges made = graph_of_edges(3, {{0, 1, 1.0}, {1, 0, 2.0}, {2, 2, 1.5}, {0, 1, 0.5}}, true, true);
  EXPECT_EQ(made.repeated, 2U);
  EXPECT_EQ(made.graph.neighbours, (std::vector<std::int32_t>{1, 0, 2}));
  EXPECT_EQ(made.graph.weights, (std::vector<double>{3.5, 3.5, 1.5}));
  const GraphOfEdges equal = graph_of_edges(2, {{0, 1, 2.0}}, false, true);
  EXPECT_TRUE(equal.equal_weights);
  EXPECT_FALSE(equal.graph.is_weighted());
}

TEST(SparseGraph, IsReadAsItWasWritten) {
  const test::ScratchFolder folder;
  Graph graph = weighted_graph();
  for (const bool is_weighted : {true, false}) {
    if (!is_weighted) graph.weights.clear();
    write_sparse_graph(folder / "graph.npz", graph);
    const Graph read = read_graph(folder / "graph.npz");
    EXPECT_EQ(read.labels, graph.labels);
    EXPECT_EQ(read.offsets, graph.offsets);
    EXPECT_EQ(read.neighbours, graph.neighbours);
    EXPECT_EQ(read.weights, graph.weights);
  }
}

}  // namespace
}  // namespace strider
