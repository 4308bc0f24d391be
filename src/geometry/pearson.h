#pragma once
#include <cmath>
#include <optional>

namespace strider {

/// Pearson's correlation of pairs of numbers that are added one by one: cov(x, y) / sqrt(var(x) var(y)).
struct Pearson {
  double count = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;

  void add(double a, double b) {
    count += 1;
    x += a;
    y += b;
    xx += a * a;
    yy += b * b;
    xy += a * b;
  }

  /// Nothing where one of the two is constant up to rounding, or nothing was added.
  std::optional<double> value() const {
    constexpr double kRounding = 1e-12;
    const double variance_x = count * xx - x * x;
    const double variance_y = count * yy - y * y;
    if (variance_x <= kRounding * count * xx || variance_y <= kRounding * count * yy) return std::nullopt;
    return (count * xy - x * y) / std::sqrt(variance_x * variance_y);
  }
};

}  // namespace strider
