// Points in space against power iteration on the covariance, and how a picture is turned onto the one before.
#include "geometry/projection.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "geometry/matrix.h"

namespace strider {
namespace {

constexpr std::size_t kNodes = 40;

std::vector<float> random_values(std::size_t width, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(kNodes * width);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = 3.0F + normal(random) * (i % width < 3 ? 6.0F - static_cast<float>(i % width) : 0.5F);
  }
  return values;
}

// The slow way: the direction of the largest variance by repeated multiplication, taken out, and again.
std::vector<double> slow_components(const std::vector<float>& values, std::size_t width) {
  std::vector<std::vector<double>> x(kNodes, std::vector<double>(width));
  for (std::size_t c = 0; c < width; ++c) {
    double mean = 0;
    for (std::size_t r = 0; r < kNodes; ++r) mean += values[r * width + c] / static_cast<double>(kNodes);
    for (std::size_t r = 0; r < kNodes; ++r) x[r][c] = values[r * width + c] - mean;
  }
  std::vector<double> points(kNodes * 3);
  for (std::size_t component = 0; component < 3; ++component) {
    std::vector<double> direction(width, 1.0), scores(kNodes);
    for (int round = 0; round < 2000; ++round) {
      double norm = 0;
      for (const double value : direction) norm += value * value;
      for (double& value : direction) value /= std::sqrt(norm);
      for (std::size_t r = 0; r < kNodes; ++r) {
        scores[r] = 0;
        for (std::size_t c = 0; c < width; ++c) scores[r] += x[r][c] * direction[c];
      }
      std::vector<double> next(width, 0.0);
      for (std::size_t r = 0; r < kNodes; ++r) {
        for (std::size_t c = 0; c < width; ++c) next[c] += x[r][c] * scores[r];
      }
      if (round + 1 < 2000) direction = next;
    }
    double largest = 0;
    for (const double score : scores) largest = std::abs(score) > std::abs(largest) ? score : largest;
    for (std::size_t r = 0; r < kNodes; ++r) {
      points[3 * r + component] = largest < 0 ? -scores[r] : scores[r];
      for (std::size_t c = 0; c < width; ++c) x[r][c] -= scores[r] * direction[c];
    }
  }
  return points;
}

double distance(const std::vector<float>& points, std::size_t i, std::size_t j) {
  double sum = 0;
  for (std::size_t k = 0; k < 3; ++k) sum += std::pow(points[3 * i + k] - points[3 * j + k], 2);
  return std::sqrt(sum);
}

TEST(Projection, IsTheFirstThreeComponents) {
  for (const std::size_t width : {5U, 60U}) {  // narrower and wider than it is long
    const std::vector<float> values = random_values(width, 7);
    const Projection projection = project(values, kNodes, {});
    const std::vector<double> expected = slow_components(values, width);
    double variance = 0, all = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_NEAR(projection.points[i], expected[i], 1e-4) << i << " of width " << width;
      variance += expected[i] * expected[i];
    }
    for (std::size_t c = 0; c < width; ++c) {
      double mean = 0;
      for (std::size_t r = 0; r < kNodes; ++r) mean += values[r * width + c] / static_cast<double>(kNodes);
      for (std::size_t r = 0; r < kNodes; ++r) all += std::pow(values[r * width + c] - mean, 2);
    }
    EXPECT_NEAR(projection.shares[0] + projection.shares[1] + projection.shares[2], variance / all, 1e-6);
    EXPECT_GT(projection.shares[0], projection.shares[1]);
  }
}

TEST(Projection, ANarrowLayerHasZerosForWhatItLacks) {
  const std::vector<float> values = random_values(2, 1);
  const Projection projection = project(values, kNodes, {});
  for (std::size_t i = 0; i < kNodes; ++i) EXPECT_EQ(projection.points[3 * i + 2], 0.0F);
  EXPECT_NEAR(projection.shares[0] + projection.shares[1], 1.0, 1e-12);
  EXPECT_EQ(projection.shares[2], 0.0);
}

TEST(Projection, IsTurnedOntoThePictureBefore) {
  const std::vector<float> values = random_values(8, 3);
  const Projection alone = project(values, kNodes, {});
  // The same points: turned about an axis, mirrored, twice as large.
  std::vector<float> before(alone.points.size());
  const double c = std::cos(0.7), s = std::sin(0.7);
  for (std::size_t i = 0; i < kNodes; ++i) {
    const double x = alone.points[3 * i], y = alone.points[3 * i + 1], z = alone.points[3 * i + 2];
    before[3 * i] = static_cast<float>(2 * (c * x - s * z));
    before[3 * i + 1] = static_cast<float>(-2 * y);
    before[3 * i + 2] = static_cast<float>(2 * (s * x + c * z));
  }
  const Projection turned = project(values, kNodes, before);
  for (std::size_t i = 0; i < before.size(); ++i) ASSERT_NEAR(turned.points[i], before[i] / 2, 1e-4);
  EXPECT_EQ(turned.shares, alone.shares);
}

TEST(Projection, TurningKeepsDistances) {
  const std::vector<float> values = random_values(8, 3);
  const Projection alone = project(values, kNodes, {});
  const Projection turned = project(values, kNodes, project(random_values(8, 4), kNodes, {}).points);
  for (std::size_t i = 1; i < kNodes; ++i) {
    EXPECT_NEAR(distance(turned.points, 0, i), distance(alone.points, 0, i), 1e-4);
  }
}

}  // namespace
}  // namespace strider
