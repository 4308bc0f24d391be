#include "engine/cpu/ops/bfloat16.h"

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/ops/check.h"

namespace strider {
namespace {

using test::Floats;

float first_of(Bfloat16Pair pair) {
  return std::bit_cast<float>(pair << 16);
}
float second_of(Bfloat16Pair pair) {
  return std::bit_cast<float>(pair & 0xFFFF0000U);
}

// The processor's own way, where it has one, and the one for all.
struct Way {
  const char* name;
  void (*to_row_pairs)(std::int64_t, std::int64_t, ConstRows, Bfloat16Pair*);
  void (*to_column_pairs)(std::int64_t, std::int64_t, ConstRows, Bfloat16Pair*);
  void (*gemm)(const GemmShape&, const Bfloat16Pair*, const Bfloat16Pair*, float*);
};

class Bfloat16 : public testing::TestWithParam<Way> {};

INSTANTIATE_TEST_SUITE_P(Ways, Bfloat16,
                         testing::Values(Way{"Chosen", to_row_pairs, to_column_pairs, bfloat16_gemm},
                                         Way{"Portable", portable::to_row_pairs, portable::to_column_pairs,
                                             portable::gemm}),
                         [](const auto& way) { return way.param.name; });

TEST_P(Bfloat16, RoundsToNearestAndTiesToEven) {
  // 1 + k / 256 lies half way between neighbours, which are 1/128 apart.
  const Floats x = {1.0F, 1.0F + 1.0F / 256, 1.0F + 3.0F / 256, 1.0F + 0.9F / 256, -1.0F - 1.1F / 256, 3.0e38F, 0.0F,
                    -0.0F};
  const Floats expected = {1.0F, 1.0F, 1.0F + 4.0F / 256, 1.0F, -1.0F - 2.0F / 256, 3.004e38F, 0.0F, -0.0F};
  Bfloat16Pair pairs[4] = {};
  GetParam().to_row_pairs(1, 8, {x.data(), 8}, pairs);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float got = i % 2 == 0 ? first_of(pairs[i / 2]) : second_of(pairs[i / 2]);
    EXPECT_NEAR(got, expected[i], std::abs(expected[i]) * 1e-3F) << i;
    if (i < 5) {
      EXPECT_EQ(got, expected[i]) << i;
    }
    EXPECT_EQ(std::signbit(got), std::signbit(expected[i])) << i;
  }
}

TEST_P(Bfloat16, BrokenNumbersStayBroken) {
  const float infinite = std::numeric_limits<float>::infinity();
  const Floats x = {infinite, -infinite, std::nanf(""), std::bit_cast<float>(0x7F800001U), 3.4e38F};
  Bfloat16Pair pairs[5] = {};
  GetParam().to_column_pairs(1, 5, {x.data(), 5}, pairs);
  EXPECT_EQ(first_of(pairs[0]), infinite);
  EXPECT_EQ(first_of(pairs[1]), -infinite);
  EXPECT_TRUE(std::isnan(first_of(pairs[2])));
  EXPECT_TRUE(std::isnan(first_of(pairs[3])));
  EXPECT_EQ(first_of(pairs[4]), infinite);
}

// Every value at its place, in both forms, and nothing beyond the end.
TEST_P(Bfloat16, PairsStandWhereTheHeaderSays) {
  for (const std::int64_t rows : {1, 2, 5}) {
    for (const std::int64_t width : {1, 2, 15, 16, 17, 32, 33, 63, 70}) {
      const std::int64_t stride = width + 3;
      Floats x(static_cast<std::size_t>(rows * stride));
      std::iota(x.begin(), x.end(), 0.0F);
      for (float& value : x) value = std::fmod(value, 128.0F);
      const auto at = [&](std::int64_t r, std::int64_t i) {
        return r < rows && i < width ? x[static_cast<std::size_t>(r * stride + i)] : 0.0F;
      };
      std::vector<Bfloat16Pair> pairs(static_cast<std::size_t>(rows * pairs_of(width)) + 1, 77);
      GetParam().to_row_pairs(rows, width, {x.data(), stride}, pairs.data());
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t k = 0; k < pairs_of(width); ++k) {
          const Bfloat16Pair pair = pairs[static_cast<std::size_t>(r * pairs_of(width) + k)];
          ASSERT_EQ(first_of(pair), at(r, 2 * k)) << rows << "x" << width << " row " << r << " pair " << k;
          ASSERT_EQ(second_of(pair), at(r, 2 * k + 1)) << rows << "x" << width << " row " << r << " pair " << k;
        }
      }
      EXPECT_EQ(pairs.back(), 77U);
      pairs.assign(static_cast<std::size_t>(pairs_of(rows) * width) + 1, 77);
      GetParam().to_column_pairs(rows, width, {x.data(), stride}, pairs.data());
      for (std::int64_t k = 0; k < pairs_of(rows); ++k) {
        for (std::int64_t i = 0; i < width; ++i) {
          const Bfloat16Pair pair = pairs[static_cast<std::size_t>(k * width + i)];
          ASSERT_EQ(first_of(pair), at(2 * k, i)) << rows << "x" << width << " column " << i << " pair " << k;
          ASSERT_EQ(second_of(pair), at(2 * k + 1, i)) << rows << "x" << width << " column " << i << " pair " << k;
        }
      }
      EXPECT_EQ(pairs.back(), 77U);
    }
  }
}

// Shapes with every kind of rest.
template <typename Check>
void for_shapes(const Check& check) {
  for (const std::int64_t m : {1, 7, 16, 31, 40, 64, 100}) {
    for (const std::int64_t n : {1, 5, 6, 13, 31}) {
      for (const std::int64_t k : {0, 1, 9}) {
        for (const bool add : {false, true}) {
          check(GemmShape{.m = m, .n = n, .k = k, .a_stride = m, .b_stride = k, .c_stride = m, .add = add});
        }
      }
    }
  }
}

// `a` [k][m], `b` [n][k], on 0.5 or nothing.
test::Doubles slow_product(const GemmShape& shape, const Floats& a, const Floats& b) {
  test::Doubles c(static_cast<std::size_t>(shape.n * shape.m), shape.add ? 0.5 : 0.0);
  for (std::int64_t i = 0; i < shape.n * shape.m * shape.k; ++i) {
    const std::int64_t row = i / (shape.m * shape.k);
    const std::int64_t depth = i / shape.m % shape.k;
    const std::int64_t column = i % shape.m;
    c[static_cast<std::size_t>(row * shape.m + column)] +=
        double{b[static_cast<std::size_t>(row * shape.k + depth)]} *
        double{a[static_cast<std::size_t>(depth * shape.m + column)]};
  }
  return c;
}

TEST_P(Bfloat16, ProductEqualsASlowOne) {
  for_shapes([](GemmShape shape) {
    const std::int64_t depth = 2 * shape.k;
    Floats a = test::random_floats(static_cast<std::size_t>(depth * shape.m), 1);
    Floats b = test::random_floats(static_cast<std::size_t>(shape.n * depth), 2);
    test::round_to_bfloat16(a);
    test::round_to_bfloat16(b);
    // One more, so that a depth of 0 has a place to point at.
    std::vector<Bfloat16Pair> a_pairs(static_cast<std::size_t>(shape.k * shape.m + 1));
    std::vector<Bfloat16Pair> b_pairs(static_cast<std::size_t>(shape.n * shape.k + 1));
    GetParam().to_column_pairs(depth, shape.m, {a.data(), shape.m}, a_pairs.data());
    GetParam().to_row_pairs(shape.n, depth, {b.data(), depth}, b_pairs.data());
    Floats c(static_cast<std::size_t>(shape.n * shape.m), 0.5F);
    GetParam().gemm(shape, a_pairs.data(), b_pairs.data(), c.data());
    shape.k = depth;
    test::expect_close(c, slow_product(shape, a, b), 2e-6, "c");
  });
}

TEST(TileGemm, EqualsASlowProduct) {
  for_shapes([](const GemmShape& shape) {
    // One more, so that a depth of 0 has a place to point at.
    const Floats a = test::random_floats(static_cast<std::size_t>(shape.k * shape.m + 1), 1);
    const Floats b = test::random_floats(static_cast<std::size_t>(shape.n * shape.k + 1), 2);
    Floats c(static_cast<std::size_t>(shape.n * shape.m), 0.5F);
    tile_gemm(shape, a.data(), b.data(), c.data());
    test::expect_close(c, slow_product(shape, a, b), 2e-6, "c");
  });
}

}  // namespace
}  // namespace strider
