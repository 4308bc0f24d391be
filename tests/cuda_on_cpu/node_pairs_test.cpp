// What is computed over all pairs of nodes on the GPU, against the CPU's measures (whose own tests hold them to scikit
// and networkx and to graphs that can be computed by hand).
#include "engine/cuda/node_pairs.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random/pcg64.h"
#include "geometry/graphs.h"
#include "geometry/layer.h"
#include "geometry/pair_measures.h"
#include "gpu_measures/gpu_measures.h"
#include "gpu_under_test.h"

namespace strider {
namespace {

using testing::geometry_of;
using testing::graph_of;
using testing::ring;

constexpr std::int64_t kFewNodes = 20;  // of a panel, so that there are several

RowMatrix random_rows(Eigen::Index nodes, Eigen::Index width) {
  NumpyGenerator generator(7);
  RowMatrix rows(nodes, width);
  for (Eigen::Index i = 0; i < rows.size(); ++i) rows.data()[i] = generator.random() - 0.4;
  return rows;
}

std::unique_ptr<PairMeasures> on_gpu(const GraphGeometry& graph, Eigen::Index width, std::size_t nearest) {
  const NodePairsLimits limits{
      .nodes = static_cast<std::int64_t>(graph.size()), .width = width, .nearest = static_cast<std::int64_t>(nearest)};
  return gpu_pair_measures(graph, cuda::make_node_pairs(paired_nodes(graph), limits, kFewNodes));
}

void expect_the_cpus(const GraphGeometry& graph, const RowMatrix& rows, std::size_t nearest) {
  const std::vector<float> values(rows.data(), rows.data() + rows.size());
  const std::vector<NamedMeasure> right = named_measures(measure_layer(graph, values, nearest));
  const std::unique_ptr<PairMeasures> pairs = on_gpu(graph, rows.cols(), nearest);
  const std::vector<NamedMeasure> found = named_measures(measure_layer(graph, *pairs, values, nearest));
  ASSERT_EQ(found.size(), right.size());
  for (std::size_t i = 0; i < right.size(); ++i) {
    ASSERT_EQ(found[i].value.has_value(), right[i].value.has_value()) << right[i].name;
    if (!right[i].value) continue;
    EXPECT_NEAR(*found[i].value, *right[i].value, 1e-10) << right[i].name;
  }
}

TEST(NodePairs, HaveTheMeasuresOfTheCpu) {
  const GraphGeometry graph = geometry_of(ring(90));  // 4,005 keys: more than one tile of the sort
  expect_the_cpus(graph, random_rows(90, 21), 8);
  expect_the_cpus(graph, random_rows(90, 3), 1);
  expect_the_cpus(graph, random_rows(90, 40), 89);
}

TEST(NodePairs, DoNotDependOnTheOrderOfThreadsAndBlocks) {
  const GraphGeometry graph = geometry_of(ring(60));
  const RowMatrix rows = random_rows(60, 17);
  const auto measured = [&] {
    const std::unique_ptr<PairMeasures> pairs = on_gpu(graph, rows.cols(), 5);
    const Directions directions = pairs->directions(rows, 5);
    return std::tuple{directions.nearest.nodes, directions.nearest.cosines, directions.rsa,
                      pairs->geodesics(directions.nearest).correlation};
  };
  const auto forwards = measured();
  test::run_backwards(true);
  const auto backwards = measured();
  test::run_backwards(false);
  EXPECT_EQ(forwards, backwards);
}

TEST(NodePairs, LeaveOutPairsWithoutAPath) {
  // Two rings that nothing joins.
  std::vector<std::pair<int, int>> edges;
  for (int i = 0; i < 25; ++i) {
    edges.emplace_back(i, (i + 1) % 25);
    edges.emplace_back(25 + i, 25 + (i + 1) % 25);
  }
  expect_the_cpus(geometry_of(graph_of(50, edges)), random_rows(50, 12), 4);
}

TEST(NodePairs, OfEquallyNearNodesTakeTheLowerIndexFirst) {
  const GraphGeometry graph = geometry_of(ring(40));
  RowMatrix rows(40, 2);
  for (Eigen::Index i = 0; i < 40; ++i) rows.row(i) << (i % 2 == 0 ? 1.0 : 0.0), (i % 2 == 0 ? 0.0 : 1.0);
  const std::unique_ptr<PairMeasures> pairs = on_gpu(graph, 2, 6);
  const Directions found = pairs->directions(rows, 6);
  const Directions right = compare_directions(graph, rows, 6);
  EXPECT_EQ(found.nearest.nodes, right.nearest.nodes);
  EXPECT_EQ(found.rsa, right.rsa);
  // Edges of length 0, and nodes that no chain of nearest ones reaches.
  const GeodesicComparison geodesics = pairs->geodesics(found.nearest);
  EXPECT_EQ(geodesics.correlation, compare_geodesics(graph, right.nearest).correlation);
  EXPECT_EQ(geodesics.pairs, compare_geodesics(graph, right.nearest).pairs);
}

TEST(NodePairs, GeodesicsAreTheCpus) {
  const GraphGeometry graph = geometry_of(ring(50));
  const RowMatrix rows = random_rows(50, 9);
  const NearestNodes nearest = compare_directions(graph, rows, 3).nearest;
  const NearestGraph joined = join_nearest(nearest, 50);
  const GeodesicComparison right = compare_geodesics(graph, nearest);
  const GeodesicComparison found = on_gpu(graph, 9, 3)->geodesics(nearest);
  EXPECT_NEAR(*found.correlation, *right.correlation, 1e-12);
  EXPECT_EQ(found.pairs, right.pairs);
}

TEST(NodePairs, AreCheckedAgainstTheCpu) {
  const auto make = [](const PairedNodes& nodes, const NodePairsLimits& limits) {
    return cuda::make_node_pairs(nodes, limits);
  };
  EXPECT_NO_THROW(check_node_pairs(make));

  class Wrong : public NodePairs {
   public:
    explicit Wrong(std::unique_ptr<NodePairs> right) : right_(std::move(right)) {}
    RowComparison compare(std::span<const double> rows, std::int64_t each) override {
      return right_->compare(rows, each);
    }
    DistanceSums geodesics(std::span<const std::int32_t> offsets, std::span<const std::int32_t> neighbours,
                           std::span<const double> lengths) override {
      DistanceSums sums = right_->geodesics(offsets, neighbours, lengths);
      sums.xy *= 1.00001;
      return sums;
    }
    DistanceSums distances(std::span<const double> points) override { return right_->distances(points); }

   private:
    std::unique_ptr<NodePairs> right_;
  };
  try {
    check_node_pairs([&](const PairedNodes& nodes, const NodePairsLimits& limits) {
      return std::make_unique<Wrong>(make(nodes, limits));
    });
    FAIL() << "nothing was noticed";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("geodesics"), std::string::npos) << error.what();
  }
}

TEST(NodePairs, AreChosenWhereAsked) {
  const GraphGeometry graph = geometry_of(ring(30));
  MeasuringDevice chosen;
  EXPECT_NE(choose_pair_measures(Device::kCpu, graph, 8, 4, chosen), nullptr);
  EXPECT_EQ(chosen.device, Device::kCpu);
  EXPECT_TRUE(chosen.why.empty());
  EXPECT_NE(choose_pair_measures(Device::kAuto, graph, 8, 4, chosen), nullptr);
  EXPECT_EQ(chosen.device, Device::kCuda);
  EXPECT_NE(chosen.why.find("DEVICE=auto"), std::string::npos);
}

}  // namespace
}  // namespace strider
