// What a model believes on walks, against the definitions, and what the page plays of a walk.
#include "report/page/beliefs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "report/page/model_on_walks.h"

namespace strider {
namespace {

// A ring of six nodes, whose token ids are 10, 9, ... 5, and two ids that are no node before them.
constexpr int kNodes = 6, kVocabulary = 11;

Graph ring() {
  Graph graph{.labels = {}, .offsets = {0}, .neighbours = {}};
  for (int node = 0; node < kNodes; ++node) {
    graph.labels.push_back(10 - node);
    std::vector<std::int32_t> both{(node + 1) % kNodes, (node + kNodes - 1) % kNodes};
    std::sort(both.begin(), both.end());
    graph.neighbours.insert(graph.neighbours.end(), both.begin(), both.end());
    graph.offsets.push_back(graph.neighbours.size());
  }
  return graph;
}

std::vector<float> random_logits(std::size_t rows) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0.0F, 2.0F);
  std::vector<float> logits(rows * kVocabulary);
  for (float& logit : logits) logit = normal(random);
  return logits;
}

double probability(const std::vector<float>& logits, std::size_t row, int id) {
  double sum = 0;
  for (int other = 0; other < kVocabulary; ++other)
    sum += std::exp(logits[row * kVocabulary + static_cast<std::size_t>(other)]);
  return std::exp(logits[row * kVocabulary + static_cast<std::size_t>(id)]) / sum;
}

// From node 0 on: ids 10, 9, 8, 7, and back to 8, which a window of 1 allows.
const std::vector<std::int32_t> kWalk{10, 9, 8, 7, 8};

TEST(Beliefs, AreOnNeighboursAndOnThoseThatTheRuleAllows) {
  const Graph graph = ring();
  const std::vector<float> logits = random_logits(kWalk.size());
  Beliefs beliefs(graph, 3);
  ASSERT_TRUE(beliefs.add(kWalk, logits));
  // Of ids: both neighbours in the ring, and those not among the last three nodes.
  const std::vector<std::pair<int, int>> both{{9, 5}, {10, 8}, {9, 7}, {8, 6}};
  const std::vector<std::vector<int>> free{{9, 5}, {8}, {7}, {6}};
  const std::vector<float> neighbours = beliefs.on_neighbours(), allowed = beliefs.on_allowed(),
                           losses = beliefs.losses();
  ASSERT_EQ(neighbours.size(), 4U);
  for (std::size_t p = 0; p < 4; ++p) {
    EXPECT_NEAR(neighbours[p], probability(logits, p, both[p].first) + probability(logits, p, both[p].second), 1e-6);
    double sum = 0;
    for (const int id : free[p]) sum += probability(logits, p, id);
    EXPECT_NEAR(allowed[p], sum, 1e-6) << p;
    EXPECT_NEAR(losses[p], -std::log(probability(logits, p, kWalk[p + 1])), 1e-5);
  }
  EXPECT_EQ(beliefs.predictions(), 4);
}

TEST(Beliefs, WhereNoNeighbourIsFreeTheRuleAllowsAll) {
  const Graph graph = ring();
  const std::vector<std::int32_t> around{10, 9, 8, 7, 6, 5, 10};  // at 5, both neighbours were there
  const std::vector<float> logits = random_logits(around.size());
  Beliefs beliefs(graph, 100);
  ASSERT_TRUE(beliefs.add(around, logits));
  EXPECT_EQ(beliefs.on_allowed()[5], beliefs.on_neighbours()[5]);
  EXPECT_LT(beliefs.on_allowed()[4], beliefs.on_neighbours()[4]);
}

TEST(Beliefs, WithoutARuleNothingIsSaidOfIt) {
  const Graph graph = ring();
  Beliefs beliefs(graph, std::nullopt);
  ASSERT_TRUE(beliefs.add(kWalk, random_logits(kWalk.size())));
  EXPECT_TRUE(beliefs.on_allowed().empty());
  EXPECT_EQ(beliefs.on_neighbours().size(), 4U);
}

TEST(Beliefs, MeansAreOverWalksOfAnyLength) {
  const Graph graph = ring();
  const std::vector<float> logits = random_logits(kWalk.size());
  const std::vector<std::int32_t> shorter(kWalk.begin(), kWalk.begin() + 2);
  Beliefs one(graph, 3), both(graph, 3);
  one.add(kWalk, logits);
  both.add(shorter, std::span(logits).first(2 * kVocabulary));
  both.add(kWalk, logits);
  EXPECT_EQ(both.losses(), one.losses());
  EXPECT_EQ(both.predictions(), 5);
  // Node 3 (id 7) has one prediction; nodes that no walk came by have none.
  const std::vector<float> nodes = both.node_losses();
  EXPECT_NEAR(nodes[3], -std::log(probability(logits, 3, 8)), 1e-5);
  EXPECT_TRUE(std::isnan(nodes[5]));
}

TEST(Beliefs, AWalkThatIsNotOnTheGraphIsNotCounted) {
  const Graph graph = ring();
  Beliefs beliefs(graph, 3);
  EXPECT_FALSE(beliefs.add(std::vector<std::int32_t>{10, 0}, random_logits(2)));
  EXPECT_FALSE(beliefs.add(std::vector<std::int32_t>{10}, random_logits(1)));
  EXPECT_EQ(beliefs.predictions(), 0);
}

TEST(Beliefs, APlayedWalkListsTheMostProbableNodesFirst) {
  const Graph graph = ring();
  const std::vector<float> logits = random_logits(kWalk.size());
  const std::optional<PlayedWalk> walk = Beliefs(graph, 3).play(kWalk, logits);
  ASSERT_TRUE(walk);
  EXPECT_EQ(walk->nodes, (std::vector<std::uint16_t>{0, 1, 2, 3, 2}));
  ASSERT_EQ(walk->likely.size(), 4 * Beliefs::kLikely);
  for (std::size_t p = 0; p < 4; ++p) {
    for (std::size_t i = 0; i < kNodes; ++i) {  // of all nodes, and of nothing else
      const std::size_t at = p * Beliefs::kLikely + i;
      EXPECT_NEAR(walk->probabilities[at] / 65535.0, probability(logits, p, 10 - walk->likely[at]), 1e-5);
      if (i > 0) {
        EXPECT_LE(walk->probabilities[at], walk->probabilities[at - 1]);
      }
    }
    EXPECT_EQ(walk->probabilities[p * Beliefs::kLikely + kNodes], 0);
  }
}

TEST(ValidityOf, CountsEdgesAndWhatTheRuleAllows) {
  const Graph graph = ring();
  const std::vector<std::vector<std::int32_t>> walks{
      {10, 9, 8, 7},   // once around, all allowed
      {10, 9, 10, 5},  // back to where it was
      {10, 8, 0, 9},   // no edge, no node, from no node
      {10},            // no step
  };
  const WalkValidity ruled = validity_of(graph, 2, walks);
  EXPECT_EQ(ruled.walks, 4);
  EXPECT_EQ(ruled.steps, 9);
  EXPECT_EQ(ruled.on_edges, 6);
  EXPECT_EQ(ruled.allowed, 5);
  EXPECT_EQ(ruled.valid_walks, 2);
  const WalkValidity unruled = validity_of(graph, std::nullopt, walks);
  EXPECT_EQ(unruled.on_edges, 6);
  EXPECT_EQ(unruled.allowed, 0);
  EXPECT_EQ(unruled.valid_walks, 3);
  // A window in which all neighbours are leaves all of them free.
  EXPECT_EQ(validity_of(graph, 6, std::vector<std::vector<std::int32_t>>{{10, 9, 8, 7, 6, 5, 10}}).allowed, 6);
}

}  // namespace
}  // namespace strider
