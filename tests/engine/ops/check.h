#pragma once
// Helpers of the operation tests: float64 versions are written as plainly as possible, and gradients come from central
// differences of them.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <random>
#include <vector>

namespace strider::test {

using Doubles = std::vector<double>;
using Floats = std::vector<float>;

// To nearest, ties to even, for finite values.
inline void round_to_bfloat16(Floats& values) {
  for (float& value : values) {
    const double scale = std::ldexp(1.0, 8 - std::ilogb(value == 0.0F ? 1.0F : value) - 1);
    value = static_cast<float>(std::nearbyint(double{value} * scale) / scale);
  }
}

inline Floats random_floats(std::size_t count, unsigned seed, float scale = 1.0F) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.0F, scale);
  Floats values(count);
  for (float& value : values) value = normal(generator);
  return values;
}

inline Doubles widen(const Floats& values) {
  return {values.begin(), values.end()};
}

/// d f / d x by central differences.
inline Doubles numeric_gradient(const std::function<double(const Doubles&)>& f, Doubles x, double step = 1e-4) {
  Doubles gradient(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double kept = x[i];
    x[i] = kept + step;
    const double above = f(x);
    x[i] = kept - step;
    const double below = f(x);
    x[i] = kept;
    gradient[i] = (above - below) / (2.0 * step);
  }
  return gradient;
}

/// Every element within `tolerance` times the largest magnitude of what is expected.
inline void expect_close(const Floats& actual, const Doubles& expected, double tolerance, const char* what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  double largest = 1e-30;
  for (const double value : expected) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(actual[i], expected[i], tolerance * largest) << what << " at " << i << " of " << actual.size();
  }
}

inline double dot(const Doubles& a, const Floats& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * static_cast<double>(b[i]);
  return sum;
}

}  // namespace strider::test
