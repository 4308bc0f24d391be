// Curves of a page: which points stay, what lies between points, and the base64 that they travel in.
#include "report/page/series.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "report/page/base64.h"

namespace strider {
namespace {

std::vector<double> counted(std::size_t count) {
  std::vector<double> x;
  for (std::size_t i = 0; i < count; ++i) x.push_back(static_cast<double>(i));
  return x;
}

TEST(PointsToKeep, AllWhereTheyAreFew) {
  const std::vector<double> x = counted(5), y{1, 2, 3, 2, 1};
  EXPECT_EQ(points_to_keep(x, y, 5), (std::vector<std::size_t>{0, 1, 2, 3, 4}));
  EXPECT_TRUE(points_to_keep({}, {}, 5).empty());
}

TEST(PointsToKeep, EndsAndSpikesStay) {
  const std::vector<double> x = counted(10'000);
  std::vector<double> y;
  for (const double at : x) y.push_back(std::exp(-at / 1000) + 0.01 * std::sin(at));
  y[4321] = 5;
  y[7001] = -5;
  const std::vector<std::size_t> kept = points_to_keep(x, y, 100);
  ASSERT_EQ(kept.size(), 100U);
  EXPECT_EQ(kept.front(), 0U);
  EXPECT_EQ(kept.back(), 9999U);
  EXPECT_TRUE(std::is_sorted(kept.begin(), kept.end()));
  EXPECT_EQ(std::adjacent_find(kept.begin(), kept.end()), kept.end());
  EXPECT_NE(std::find(kept.begin(), kept.end(), 4321U), kept.end());
  EXPECT_NE(std::find(kept.begin(), kept.end(), 7001U), kept.end());
}

// With two points left for six: in the bucket {1, 2, 3} the point that is farthest from the line from point 0 to the
// mean of the next bucket, and so on. By the definition, point by point.
TEST(PointsToKeep, AreThoseOfTheLargestTriangles) {
  const std::vector<double> x = counted(8), y{0, 1, -3, 2, 0, 4, 1, 0};
  const auto area = [&](std::size_t a, std::size_t b, double cx, double cy) {
    return std::abs((x[a] - cx) * (y[b] - y[a]) - (x[a] - x[b]) * (cy - y[a])) / 2;
  };
  const auto largest = [&](std::size_t a, std::size_t first, std::size_t last, double cx, double cy) {
    std::size_t best = first;
    for (std::size_t i = first; i <= last; ++i) {
      if (area(a, i, cx, cy) > area(a, best, cx, cy)) best = i;
    }
    return best;
  };
  const std::size_t second = largest(0, 1, 3, (4.0 + 5 + 6) / 3, (0.0 + 4 + 1) / 3);
  const std::size_t third = largest(second, 4, 6, 7, 0);
  EXPECT_EQ(points_to_keep(x, y, 4), (std::vector<std::size_t>{0, second, third, 7}));
}

TEST(Thinned, TakesTheSamePointsOfAllThatIsKnown) {
  Series series{.step = counted(50), .value = counted(50), .tokens = {}, .seconds = counted(50)};
  for (double& seconds : series.seconds) seconds *= 2;
  const Series few = thinned(series, 10);
  ASSERT_EQ(few.step.size(), 10U);
  EXPECT_TRUE(few.tokens.empty());
  for (std::size_t i = 0; i < few.step.size(); ++i) EXPECT_EQ(few.seconds[i], 2 * few.step[i]);
}

TEST(Interpolate, OnLinesAndAtTheEnds) {
  const std::vector<double> x{0, 10, 30}, y{0, 100, 200};
  EXPECT_EQ(interpolate(x, y, -1), 0);
  EXPECT_EQ(interpolate(x, y, 5), 50);
  EXPECT_EQ(interpolate(x, y, 10), 100);
  EXPECT_EQ(interpolate(x, y, 20), 150);
  EXPECT_EQ(interpolate(x, y, 99), 200);
}

// The test vectors of RFC 4648, section 10.
TEST(Base64, IsThatOfTheStandard) {
  const auto of = [](std::string_view text) { return base64(std::as_bytes(std::span(text))); };
  EXPECT_EQ(of(""), "");
  EXPECT_EQ(of("f"), "Zg==");
  EXPECT_EQ(of("fo"), "Zm8=");
  EXPECT_EQ(of("foo"), "Zm9v");
  EXPECT_EQ(of("foob"), "Zm9vYg==");
  EXPECT_EQ(of("fooba"), "Zm9vYmE=");
  EXPECT_EQ(of("foobar"), "Zm9vYmFy");
}

TEST(SeriesJson, SaysWhatIsNotKnown) {
  const nlohmann::ordered_json json = series_json({.step = {1}, .value = {0.5}, .tokens = {}, .seconds = {}});
  EXPECT_EQ(json["step"], "AACAPw==");  // float32 1.0, little-endian
  EXPECT_TRUE(json["tokens"].is_null());
}

}  // namespace
}  // namespace strider
