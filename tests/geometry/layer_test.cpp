#include "geometry/layer.h"

#include <gtest/gtest.h>

#include "geometry/directions.h"
#include "geometry/geodesics.h"
#include "geometry/graphs.h"
#include "geometry/pearson.h"
#include "geometry/probe.h"
#include "geometry/spectrum.h"

namespace strider {
namespace {

using testing::circle;
using testing::geometry_of;
using testing::graph_of;
using testing::ring;

LayerMeasures measure(const GraphGeometry& graph, const RowMatrix& rows, std::size_t nearest) {
  const std::vector<float> values(rows.data(), rows.data() + rows.size());
  return measure_layer(graph, values, nearest);
}

TEST(Layer, ARingOnACircleHasAllOfItsGeometry) {
  const GraphGeometry graph = geometry_of(ring(12), circle(12));
  const LayerMeasures measures = measure(graph, circle(12), 2);
  EXPECT_DOUBLE_EQ(measures.neighbours, 1.0);
  EXPECT_DOUBLE_EQ(measures.within_two, 1.0);
  EXPECT_NEAR(*measures.geodesic_correlation, 1.0, 1e-6);
  EXPECT_DOUBLE_EQ(measures.geodesic_pairs, 1.0);
  EXPECT_GT(*measures.component_correlation, 0.95);  // chords against arcs
  EXPECT_LT(*measures.component_correlation, 1.0);
  const double edge = 2.0 - 2.0 * std::cos(std::numbers::pi / 6.0);  // squared
  EXPECT_NEAR(measures.dirichlet_energy, 12.0 * edge, 1e-5);
  EXPECT_NEAR(measures.dirichlet_ratio, edge / (2.0 * 12.0 / 11.0), 1e-6);
  EXPECT_NEAR(measures.effective_dimension, 2.0, 1e-6);
  // The circle is the first two of the eight functions, and these are all of the circle.
  EXPECT_NEAR(*measures.laplacian_alignment, 0.25, 1e-6);
  EXPECT_NEAR(*measures.laplacian_variance, 1.0, 1e-6);
  ASSERT_EQ(measures.probe_r2_by_coordinate.size(), 2U);
  EXPECT_GT(*measures.probe_r2, 0.95);
}

TEST(Layer, AShuffledRingHasLessOfIt) {
  const GraphGeometry graph = geometry_of(ring(12));
  RowMatrix rows = circle(12);
  for (int i = 0; i < 12; ++i) rows.row(i) = circle(12).row(i * 5 % 12);
  const LayerMeasures measures = measure(graph, rows, 2);
  EXPECT_DOUBLE_EQ(measures.neighbours, 0.0);
  EXPECT_LT(*measures.rsa, 0.1);
  EXPECT_GT(measures.dirichlet_ratio, 1.0);
  EXPECT_FALSE(measures.probe_r2);
  EXPECT_TRUE(measures.probe_r2_by_coordinate.empty());
}

TEST(Neighbours, OfEquallyNearNodesTheLowerIndexComesFirst) {
  const GraphGeometry graph = geometry_of(ring(6));
  RowMatrix rows(6, 1);
  rows << 1, 2, -1, 3, -2, 4;  // two directions
  const NearestNodes nearest = compare_directions(graph, rows, 2).nearest;
  const std::vector<std::int32_t> expected{1, 3, 0, 3, 4, 0, 0, 1, 2, 0, 0, 1};
  EXPECT_EQ(nearest.nodes, expected);
}

// A star with 5 leaves around node 0, and one edge between leaves 1 and 2.
TEST(Neighbours, SharesAreOfWhatKAllows) {
  const GraphGeometry graph = geometry_of(graph_of(6, {{0, 1}, {0, 2}, {0, 3}, {0, 4}, {0, 5}, {1, 2}}));
  const NearestNodes nearest{2, {1, 2, 2, 3, 3, 4, 0, 4, 3, 5, 3, 4}, std::vector<double>(12, 1.0)};
  // Of node 0 both, of 1 one of two, of 2 none, of 3 its only one, of 4 and 5 none.
  EXPECT_DOUBLE_EQ(neighbour_shares(graph, nearest).neighbours, (1.0 + 0.5 + 0.0 + 1.0 + 0.0 + 0.0) / 6.0);
  EXPECT_DOUBLE_EQ(neighbour_shares(graph, nearest).within_two, 1.0);
  // k / (n - 1) of the neighbours of 0, 1 and 2 count in full, and one of one for the others: 2/5 each.
  EXPECT_NEAR(neighbour_shares_by_chance(graph, 2).neighbours, (1.0 + 0.4 + 0.4 + 0.4 + 0.4 + 0.4) / 6.0, 1e-12);
}

TEST(RankCorrelation, TiesShareTheirAverageRank) {
  // A path 0 - 1 - 2 - 3 - 4 with node i at the angle i * 30 degrees: cosine distance is a function of |i - j|, and so
  // is graph distance, in the same order.
  const GraphGeometry graph = geometry_of(graph_of(5, {{0, 1}, {1, 2}, {2, 3}, {3, 4}}));
  EXPECT_EQ(graph.rank_of_hops, (std::vector<double>{0.5, 2.5, 6.0, 8.5, 10.0}));
  const RowMatrix rows = circle(12).topRows(5);
  EXPECT_GT(*compare_directions(graph, rows, 2).rsa, 0.9);
  EXPECT_FALSE(compare_directions(geometry_of(testing::complete(5)), rows, 2).rsa);  // all one edge apart
}

TEST(Geodesics, OnlyPairsWithBothPathsAreCompared) {
  // Nearest nodes join 0-1-2 and 3-4-5, while the graph joins all six in a line.
  const GraphGeometry graph = geometry_of(graph_of(6, {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}}));
  const NearestNodes nearest{1, {1, 0, 1, 4, 3, 4}, {0.5, 0.5, 0.5, 0.5, 0.5, 0.5}};
  const GeodesicComparison comparison = compare_geodesics(graph, nearest);
  EXPECT_DOUBLE_EQ(comparison.pairs, 6.0 / 15.0);
  EXPECT_NEAR(*comparison.correlation, 1.0, 1e-12);
}

TEST(Geodesics, VectorsOfOneDirectionHaveNone) {
  const GraphGeometry graph = geometry_of(ring(6));
  RowMatrix rows(6, 1);
  rows << 1, 2, 3, 4, 5, 6;
  const Directions directions = compare_directions(graph, rows, 2);
  EXPECT_FALSE(directions.rsa);
  EXPECT_FALSE(compare_geodesics(graph, directions.nearest).correlation);
}

TEST(Spectrum, EffectiveDimensionIsTheParticipationRatio) {
  RowMatrix rows(4, 2);
  rows << 3, 1, 3, -1, -3, 1, -3, -1;  // variances 36 and 4
  EXPECT_NEAR(effective_dimension(principal_components(rows, 2)), 40.0 * 40.0 / (36.0 * 36.0 + 4.0 * 4.0), 1e-12);
  const RowMatrix wide = rows.transpose();
  EXPECT_NEAR(effective_dimension(principal_components(wide, 2)), 40.0 * 40.0 / (36.0 * 36.0 + 4.0 * 4.0), 1e-12);
}

TEST(Probe, AnAffineFunctionIsFoundAndAConstantIsNoTarget) {
  RowMatrix rows(40, 2), targets(40, 2);
  for (int i = 0; i < 40; ++i) {
    rows.row(i) << std::sin(i), std::cos(1.7 * i);
    targets.row(i) << 2.0 * rows(i, 0) - rows(i, 1) + 5.0, 7.0;
  }
  rows.rowwise() -= rows.colwise().mean().eval();
  const ProbeScores scores = probe_coordinates(rows, targets);
  EXPECT_GT(*scores.by_coordinate[0], 0.999);
  EXPECT_FALSE(scores.by_coordinate[1]);
  EXPECT_EQ(scores.mean, scores.by_coordinate[0]);
  // What has nothing to do with the rows is predicted worse than by the mean.
  for (int i = 0; i < 40; ++i) targets(i, 0) = i % 2;
  EXPECT_LT(*probe_coordinates(rows, targets).mean, 0.2);
}

TEST(GraphGeometry, DirectionsAndSelfLoopsDoNotCount) {
  const Graph graph{{0, 1, 2, 3, 4}, {0, 2, 3, 4, 5, 5}, {0, 1, 2, 3, 4}};  // 0 - 0, 0 -> 1 -> 2 -> 3 -> 4
  const GraphGeometry geometry = geometry_of(graph);
  EXPECT_EQ(geometry.graph.edges(), 4U);
  EXPECT_EQ(geometry.hops_from(4)[0], 4);
  EXPECT_EQ(geometry.within_two, (std::vector<std::size_t>{2, 3, 4, 3, 2}));
}

TEST(Pearson, IsUndefinedWhereOneIsConstant) {
  Pearson pearson;
  for (const double x : {1.0, 2.0, 4.0}) pearson.add(x, 3.0 - 2.0 * x);
  EXPECT_NEAR(*pearson.value(), -1.0, 1e-12);
  Pearson constant;
  for (const double x : {1.0, 2.0, 4.0}) constant.add(x, 0.1);
  EXPECT_FALSE(constant.value());
  EXPECT_FALSE(Pearson{}.value());
}

}  // namespace
}  // namespace strider
