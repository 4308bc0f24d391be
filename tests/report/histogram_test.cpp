// Histograms of weights and gradients, against counting value by value.
#include "report/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace strider {
namespace {

std::vector<float> spread_values() {
  std::mt19937 generator(1);
  std::normal_distribution<double> normal;
  std::vector<float> values = {0.0F, -0.0F, 1e-30F, -1e-30F, 1e-12F, 3e38F, -3e38F};
  for (int i = 0; i < 5000; ++i)
    values.push_back(static_cast<float>(normal(generator) * std::exp(3 * normal(generator))));
  return values;
}

TEST(Histogram, HasEveryValueInItsBucket) {
  const std::vector<float> values = spread_values();
  const Histogram made = histogram_of(values);
  ASSERT_EQ(made.limits.size(), made.counts.size());
  EXPECT_TRUE(std::ranges::is_sorted(made.limits, std::less_equal<>()));
  double below = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < made.limits.size(); ++i) {
    const auto within = std::ranges::count_if(values, [&](double x) { return x >= below && x < made.limits[i]; });
    EXPECT_EQ(made.counts[i], static_cast<double>(within)) << i;
    EXPECT_FALSE(i > 0 && made.counts[i - 1] == 0.0 && made.counts[i] == 0.0) << i;
    // A bucket that is not empty is as narrow as the growth of its limits says.
    const double nearer = std::min(std::abs(below), std::abs(made.limits[i]));
    if (made.counts[i] > 0.0 && nearer >= 1e-12 && nearer < 1e19) {
      EXPECT_NEAR(std::max(std::abs(below), std::abs(made.limits[i])) / nearer, 1.1, 1e-9) << i;
    }
    below = made.limits[i];
  }
}

TEST(Histogram, SumsUpWhatItHas) {
  const std::vector<float> values = {1.0F, -2.0F, 4.0F};
  const Histogram made = histogram_of(values);
  EXPECT_EQ(made.count, 3);
  EXPECT_EQ(made.min, -2.0);
  EXPECT_EQ(made.max, 4.0);
  EXPECT_EQ(made.sum, 3.0);
  EXPECT_EQ(made.sum_squares, 21.0);
}

TEST(Histogram, OfNothingAndOfWhatIsNotFinite) {
  EXPECT_EQ(histogram_of({}).count, 0);
  const std::vector<float> values = {std::numeric_limits<float>::infinity(), std::nanf(""), 0.5F};
  const Histogram made = histogram_of(values);
  EXPECT_EQ(made.count, 1);
  EXPECT_EQ(made.min, 0.5);
  EXPECT_EQ(made.sum, 0.5);
  EXPECT_EQ(made.counts, (std::vector<double>{0.0, 1.0}));
}

}  // namespace
}  // namespace strider
