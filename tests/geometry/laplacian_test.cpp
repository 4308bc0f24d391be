#include "geometry/laplacian.h"

#include <gtest/gtest.h>

#include "geometry/graphs.h"

namespace strider {
namespace {

using testing::complete;
using testing::graph_of;
using testing::ring;

// Of a ring of n nodes: 2 - 2 cos(2 pi k / n), twice each.
void expect_ring(int nodes, int least, std::size_t count) {
  const Graph graph = ring(nodes);
  const LaplacianModes modes = laplacian_modes(graph, least);
  ASSERT_EQ(modes.values.size(), count);
  for (std::size_t i = 0; i < count; ++i) {
    const double k = static_cast<double>(i / 2 + 1);
    EXPECT_NEAR(modes.values[i], 2.0 - 2.0 * std::cos(2.0 * std::numbers::pi * k / nodes), 1e-9);
  }
  const Eigen::MatrixXd& u = modes.vectors;
  const auto columns = static_cast<Eigen::Index>(count);
  EXPECT_LT((u.transpose() * u - Eigen::MatrixXd::Identity(columns, columns)).norm(), 1e-9);
  EXPECT_LT(u.colwise().sum().norm(), 1e-7);
  for (int node = 0; node < nodes; ++node) {
    const auto left = u.row((node + nodes - 1) % nodes), right = u.row((node + 1) % nodes);
    for (Eigen::Index i = 0; i < columns; ++i) {
      EXPECT_NEAR(2.0 * u(node, i) - left[i] - right[i], modes.values[static_cast<std::size_t>(i)] * u(node, i), 1e-8);
    }
  }
}

TEST(Laplacian, ModesOfARingByTheDenseSolver) {
  expect_ring(24, 4, 4);
}

TEST(Laplacian, AnEigenspaceIsTakenWhole) {
  expect_ring(24, 3, 4);
}

TEST(Laplacian, ModesOfARingByTheSparseSolver) {
  expect_ring(300, 8, 8);
  expect_ring(300, 7, 8);
}

TEST(Laplacian, EachPartOfAGraphHasAModeOfValueZero) {
  const Graph graph = graph_of(12, {{0, 1}, {1, 2}, {3, 4}, {4, 5}, {6, 7}, {7, 8}, {9, 10}, {10, 11}});
  const LaplacianModes modes = laplacian_modes(graph, 2);
  ASSERT_EQ(modes.values.size(), 3U);
  for (const double value : modes.values) EXPECT_NEAR(value, 0.0, 1e-12);
}

TEST(Laplacian, ThereAreNoneWhereNoFunctionIsSmootherThanAnother) {
  EXPECT_TRUE(laplacian_modes(complete(30), 8).values.empty());
  EXPECT_TRUE(laplacian_modes(complete(300), 8).values.empty());
  EXPECT_TRUE(laplacian_modes(ring(9), 8).values.empty());
}

}  // namespace
}  // namespace strider
