// numpy's generator against numbers that numpy gave (numpy 2.4, default_rng).
#include "base/random/pcg64.h"

#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <vector>

namespace strider {
namespace {

// default_rng(seed).bit_generator.random_raw(3)
TEST(NumpyGenerator, RawDrawsAreNumpys) {
  struct Row {
    std::uint64_t seed;
    std::array<std::uint64_t, 3> drawn;
  };
  for (const Row& row :
       {Row{0U, {11749869230777074271ULL, 4976686463289251617ULL, 755828109848996024ULL}},
        Row{42U, {14276969152011380360ULL, 8095878257575067585ULL, 15838336090824644132ULL}},
        Row{18446744073709551609ULL, {17517628225200278199ULL, 392789439069447972ULL, 4338531053134498390ULL}}}) {
    NumpyGenerator generator(row.seed);
    for (const std::uint64_t expected : row.drawn) EXPECT_EQ(generator.next64(), expected) << row.seed;
  }
}

// g = default_rng(42); [g.random(), g.integers(8), g.random(), g.integers(1000), g.integers(1), g.integers(3000000000)]
TEST(NumpyGenerator, DoublesAndIntegersShareOneStreamAndTheKeptHalf) {
  NumpyGenerator generator(42);
  EXPECT_EQ(generator.random(), 0.7739560485559633);
  EXPECT_EQ(generator.integer(8), 5U);
  EXPECT_EQ(generator.random(), 0.8585979199113825);
  EXPECT_EQ(generator.integer(1000), 438U);
  EXPECT_EQ(generator.integer(1), 0U);
  EXPECT_EQ(generator.integer(3000000000U), 282532043U);
}

// g = default_rng(5); sum(int(g.integers(n)) for n in [3000000000] * 1000): three draws of ten are rejected.
TEST(NumpyGenerator, RejectionsAreNumpys) {
  NumpyGenerator generator(5);
  std::uint64_t sum = 0;
  for (int i = 0; i < 1000; ++i) sum += generator.integer(3000000000U);
  EXPECT_EQ(sum, 1469571039348U);
}

// g = default_rng(3); p = [0.1, 0.0, 0.4, 0.5]; [g.choice(4, p=p) for _ in range(12)]
TEST(NumpyGenerator, ChoicesByWeightAreNumpys) {
  const std::array<double, 4> weights = {0.1, 0.0, 0.4, 0.5};
  std::array<double, 4> cumulative{};
  std::partial_sum(weights.begin(), weights.end(), cumulative.begin());
  NumpyGenerator generator(3);
  for (const std::size_t expected : std::vector<std::size_t>{0, 2, 3, 3, 0, 2, 2, 2, 3, 2, 2, 3}) {
    EXPECT_EQ(generator.choice(cumulative), expected);
  }
}

TEST(NumpyGenerator, ChoicesNeedNoSumOfOne) {
  NumpyGenerator one(9);
  NumpyGenerator other(9);
  const std::array<double, 3> shares = {0.25, 0.5, 1.0};
  const std::array<double, 3> twice = {0.5, 1.0, 2.0};
  for (int i = 0; i < 100; ++i) EXPECT_EQ(one.choice(shares), other.choice(twice));
}

}  // namespace
}  // namespace strider
