// Muon's orthogonalization against float64 versions of its matrix products and of its singular values.
#include "engine/cpu/ops/orthogonalize.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "base/carver.h"
#include "engine/ops/check.h"
#include "engine/ops/dense.h"

namespace strider {
namespace {

using test::Dense;

constexpr double kPolarExpressSafety = 1.01;

Dense in_floats(Orthogonalization method, std::int64_t steps, const Dense& x) {
  OrthogonalizeMemory memory;
  const auto storage = carve([&](Carver& carver) { memory.lay_out(carver, x.rows, x.columns); });
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (std::int64_t c = 0; c < x.columns; ++c) memory.matrix.row(r)[c] = static_cast<float>(x(r, c));
  }
  const ConstRows result = orthogonalize(method, steps, x.rows, x.columns, memory);
  Dense y(x.rows, x.columns);
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (std::int64_t c = 0; c < x.columns; ++c) y(r, c) = result.row(r)[c];
  }
  return y;
}

// Of a matrix that is scaled by its norm first.
double polynomials_of(Orthogonalization method, std::int64_t steps, double value) {
  if (method == Orthogonalization::kPolarExpress) value /= kPolarExpressSafety;
  for (const Quintic& step : orthogonalization_steps(method, steps)) {
    value = value * (step.a + step.b * value * value + step.c * value * value * value * value);
  }
  return value;
}

class Orthogonalize
    : public testing::TestWithParam<std::tuple<Orthogonalization, std::pair<std::int64_t, std::int64_t>>> {
 protected:
  Orthogonalization method = std::get<0>(GetParam());
  std::int64_t rows = std::get<1>(GetParam()).first, columns = std::get<1>(GetParam()).second;
};

// Shapes below, at and past the sizes of the products' tiles (48, 64 and 128), both ways round.
INSTANTIATE_TEST_SUITE_P(
    Shapes, Orthogonalize,
    testing::Combine(testing::Values(Orthogonalization::kNewtonSchulz, Orthogonalization::kPolarExpress),
                     testing::Values(std::pair{1, 1}, std::pair{1, 9}, std::pair{9, 1}, std::pair{16, 16},
                                     std::pair{17, 50}, std::pair{65, 49}, std::pair{130, 130}, std::pair{140, 70},
                                     std::pair{70, 140})));

TEST_P(Orthogonalize, EqualsTheProductsInFloat64) {
  const Dense x = Dense::random(rows, columns, 3);
  for (const std::int64_t steps : {1, 2, 5}) {
    const Dense expected = test::orthogonalized(method, steps, x);
    EXPECT_LT(test::largest_difference(in_floats(method, steps, x), expected), 2e-5) << steps;
  }
}

// Every singular value becomes what the polynomials make of it, and the singular vectors stay: with singular values s
// of X / |X| the matrix X^T Y has trace |X| sum s p(s).
TEST_P(Orthogonalize, AppliesThePolynomialsToTheSingularValues) {
  const Dense x = Dense::random(rows, columns, 4);
  const Dense y = in_floats(method, 5, x);
  const double norm = std::sqrt(test::dot(x, x));
  std::vector<double> expected;
  double trace = 0.0;
  for (const double value : test::singular_values(x)) {
    expected.push_back(polynomials_of(method, 5, value / norm));
    trace += value * expected.back();
  }
  std::ranges::sort(expected);
  std::vector<double> found = test::singular_values(y);
  std::ranges::sort(found);
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-4) << i;
  EXPECT_NEAR(test::dot(x, y), trace, 1e-4 * trace);
}

// Jordan's property of the five steps, [0.7, 1.2] in round numbers: the lowest that the published polynomial gives is
// 0.68. A matrix of zeros has no direction.
TEST(Orthogonalization, FiveClassicalStepsBringSingularValuesNearOne) {
  for (const auto& [rows, columns] : {std::pair{64, 256}, std::pair{256, 64}, std::pair{128, 512}}) {
    const Dense y = in_floats(Orthogonalization::kNewtonSchulz, 5, Dense::random(rows, columns, 5));
    for (const double value : test::singular_values(y)) {
      EXPECT_GE(value, 0.68);
      EXPECT_LE(value, 1.21);
    }
  }
  for (const auto method : {Orthogonalization::kNewtonSchulz, Orthogonalization::kPolarExpress}) {
    EXPECT_EQ(test::largest_difference(in_floats(method, 5, Dense(7, 9)), Dense(7, 9)), 0.0);
  }
}

// Where the bounds of the header come from: the polynomials over all singular values that they are for.
TEST(Orthogonalization, PolynomialsKeepTheirBounds) {
  const auto range = [](Orthogonalization method, std::int64_t steps, double least) {
    std::pair<double, double> found{10.0, 0.0};
    for (double value = least; value <= 1.0; value *= 1.0005) {
      const double result = polynomials_of(method, steps, value);
      found = {std::min(found.first, result), std::max(found.second, result)};
    }
    return found;
  };
  const auto classical = range(Orthogonalization::kNewtonSchulz, 5, 0.002);
  EXPECT_GE(classical.first, 0.68);
  EXPECT_LE(classical.second, 1.21);
  const auto polar = range(Orthogonalization::kPolarExpress, 5, 1.01e-3);
  EXPECT_GE(polar.first, 0.84);
  EXPECT_LE(polar.second, 1.13);
  const auto close = range(Orthogonalization::kPolarExpress, 7, 1.01e-3);
  EXPECT_GE(close.first, 1.0 - 2e-5);
  EXPECT_LE(close.second, 1.0 + 2e-5);
}

// The same in matrices, with singular values down to a thousandth of the norm.
TEST(Orthogonalization, PolarExpressBringsSmallSingularValuesNearOne) {
  constexpr std::int64_t kSize = 48;
  std::vector<double> values;
  for (std::int64_t i = 0; i < kSize; ++i) values.push_back(0.9 * std::pow(0.88, static_cast<double>(i)));
  const Dense x = test::with_singular_values(values, 6);
  const Dense five = in_floats(Orthogonalization::kPolarExpress, 5, x);
  for (const double value : test::singular_values(five)) {
    EXPECT_GE(value, 0.84);
    EXPECT_LE(value, 1.13);
  }
  const Dense eight = in_floats(Orthogonalization::kPolarExpress, 8, x);
  for (const double value : test::singular_values(eight)) EXPECT_NEAR(value, 1.0, 1e-4);
}

// A tall matrix, whose steps are taken in the Gram form: [0.6 X; 0.8 X] has the singular values of X.
TEST(Orthogonalization, GramFormKeepsSmallSingularValues) {
  constexpr std::int64_t kSize = 48;
  std::vector<double> values;
  for (std::int64_t i = 0; i < kSize; ++i) values.push_back(0.9 * std::pow(0.86, static_cast<double>(i)));
  const Dense x = test::with_singular_values(values, 7);
  Dense tall(2 * kSize, kSize);
  for (std::int64_t row = 0; row < kSize; ++row) {
    for (std::int64_t column = 0; column < kSize; ++column) {
      tall(row, column) = 0.6 * x(row, column);
      tall(kSize + row, column) = 0.8 * x(row, column);
    }
  }
  for (const std::int64_t steps : {1, 2, 3, 4, 5, 7, 8}) {
    const Dense expected = test::orthogonalized(Orthogonalization::kPolarExpress, steps, tall);
    const Dense found = in_floats(Orthogonalization::kPolarExpress, steps, tall);
    EXPECT_LT(test::largest_difference(found, expected), 1e-4) << steps;
  }
}

}  // namespace
}  // namespace strider
