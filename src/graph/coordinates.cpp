#include "graph/coordinates.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace strider {
namespace {

constexpr double kPi = std::numbers::pi;

// Evenly spaced numbers as numpy.linspace rounds them.
std::vector<double> open_range(std::int64_t count) {  // [0, 1)
  std::vector<double> values(static_cast<std::size_t>(count));
  const double step = 1.0 / static_cast<double>(count);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i) * step;
  return values;
}

std::vector<double> closed_range(double first, double last, std::int64_t count) {  // [first, last]
  std::vector<double> values(static_cast<std::size_t>(count), first);
  if (count < 2) return values;
  const double step = (last - first) / static_cast<double>(count - 1);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i) * step + first;
  values.back() = last;
  return values;
}

template <class Place>
std::vector<Point> on_grid(const std::vector<double>& rows, const std::vector<double>& columns, const Place& place) {
  std::vector<Point> points;
  points.reserve(rows.size() * columns.size());
  for (const double u : rows) {
    for (const double v : columns) points.push_back(place(u, v));
  }
  return points;
}

Point on_cylinder(double around, double along) {
  const double angle = 2 * kPi * around;
  return {std::cos(angle), std::sin(angle), along};
}

Point on_mobius_strip(double around, double across) {
  constexpr double kHalfWidth = 0.3;
  const double angle = 2 * kPi * around;
  const double w = (across * 2 - 1) * kHalfWidth;
  const double radius = 1 + w * std::cos(angle / 2);
  return {radius * std::cos(angle), radius * std::sin(angle), w * std::sin(angle / 2)};
}

Point on_torus(double u, double v) {
  constexpr double kMajor = 2.0;
  constexpr double kMinor = 0.8;
  const double theta = 2 * kPi * u;
  const double phi = 2 * kPi * v;
  const double radius = kMajor + kMinor * std::cos(theta);
  return {radius * std::cos(phi), radius * std::sin(phi), kMinor * std::sin(theta)};
}

Point on_klein_bottle(double around, double across) {  // the figure-8 immersion
  constexpr double kMajor = 2.0;
  const double a = 2 * kPi * around;
  const double b = 2 * kPi * across;
  const double radius = kMajor + std::cos(a / 2) * std::sin(b) - std::sin(a / 2) * std::sin(2 * b);
  return {radius * std::cos(a), radius * std::sin(a),
          std::sin(a / 2) * std::sin(b) + std::cos(a / 2) * std::sin(2 * b)};
}

Point on_projective_plane(double u, double v) {
  const double a = kPi * u;
  const double b = kPi * v;
  return {std::sin(2 * a) * std::sin(b), std::sin(2 * b) * std::sin(a), std::cos(a) * std::cos(b)};
}

Point on_sphere(double latitude, double around) {
  const double longitude = 2 * kPi * around;
  return {std::cos(latitude) * std::cos(longitude), std::cos(latitude) * std::sin(longitude), std::sin(latitude)};
}

std::vector<Point> pole_sphere(const Grid& grid) {
  constexpr double kFromPoles = 1e-6;
  constexpr double kPoleHeight = 1.0 + 0.05;
  std::vector<Point> points =
      on_grid(closed_range(kFromPoles, 1 - kFromPoles, grid.height - 2), open_range(grid.width - 2),
              [](double u, double v) { return on_sphere((u - 0.5) * kPi, v); });
  points.push_back({0.0, 0.0, kPoleHeight});
  return points;
}

// The square, drawn to a disk, lifted to the upper half of a sphere for the first sheet and the lower for the second.
std::vector<Point> two_sheets(const Grid& grid) {
  constexpr double kApart = 1e-6;
  std::vector<double> rows = closed_range(0.0, 1.0, grid.height);
  std::vector<double> columns = open_range(grid.width);
  if (std::min(grid.height, grid.width) <= 3) {
    const double margin = grid.height == 2 ? 0.25 : 0.15;
    rows = closed_range(margin, 1.0 - margin, grid.height);
    for (std::size_t j = 0; j < columns.size(); ++j) {
      columns[j] = (static_cast<double>(j) + 0.5) / static_cast<double>(grid.width);
    }
  }
  std::vector<Point> upper = on_grid(rows, columns, [](double u, double v) -> Point {
    const double x = 2 * u - 1.0;
    const double y = 2 * v - 1.0;
    const double r = std::max(std::abs(x), std::abs(y));
    const double angle = std::atan2(y, x);
    return {r * std::cos(angle), r * std::sin(angle), std::sqrt(std::clamp(1.0 - r * r, 0.0, 1.0)) + kApart};
  });
  std::vector<Point> points = upper;
  for (const Point& point : upper) points.push_back({point[0], point[1], -point[2]});
  return points;
}

}  // namespace

std::vector<Point> surface_coordinates(const Grid& grid) {
  const std::vector<double> rows = open_range(grid.height);
  const std::vector<double> columns = open_range(grid.width);
  switch (grid.surface) {
    case Surface::kPlane:
      return on_grid(rows, columns, [](double u, double v) -> Point { return {v, -u, 0.0}; });
    case Surface::kCylinderX:
      return on_grid(rows, columns, [](double u, double v) { return on_cylinder(v, u); });
    case Surface::kCylinderY:
      return on_grid(rows, columns, [](double u, double v) { return on_cylinder(u, v); });
    case Surface::kMobiusX:
      return on_grid(rows, columns, [](double u, double v) { return on_mobius_strip(v, u); });
    case Surface::kMobiusY:
      return on_grid(rows, columns, [](double u, double v) { return on_mobius_strip(u, v); });
    case Surface::kTorus:
      return on_grid(rows, columns, on_torus);
    case Surface::kKleinX:
      return on_grid(rows, columns, [](double u, double v) { return on_klein_bottle(u, v); });
    case Surface::kKleinY:
      return on_grid(rows, columns, [](double u, double v) { return on_klein_bottle(v, u); });
    case Surface::kProjectivePlane:
      return on_grid(rows, columns, on_projective_plane);
    case Surface::kSphereTwo:
      return two_sheets(grid);
    case Surface::kHemisphereNorth:
    case Surface::kHemisphereSouth: {
      const double sign = grid.surface == Surface::kHemisphereNorth ? 1.0 : -1.0;
      return on_grid(closed_range(0.0, 1.0, grid.height), columns,
                     [=](double u, double v) { return on_sphere(sign * (u / 2.0) * kPi, v); });
    }
    case Surface::kSphere:
      return pole_sphere(grid);
  }
  return {};
}

}  // namespace strider
