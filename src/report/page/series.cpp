#include "report/page/series.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "report/page/base64.h"

namespace strider {
namespace {

std::vector<double> at(const std::vector<double>& values, const std::vector<std::size_t>& kept) {
  std::vector<double> some;
  if (values.empty()) return some;
  for (const std::size_t i : kept) some.push_back(values[i]);
  return some;
}

nlohmann::ordered_json numbers_json(const std::vector<double>& values) {
  if (values.empty()) return nullptr;
  const std::vector<float> floats(values.begin(), values.end());
  return base64_of<float>(floats);
}

}  // namespace

std::vector<std::size_t> points_to_keep(std::span<const double> x, std::span<const double> y, std::size_t most) {
  std::vector<std::size_t> kept;
  if (x.size() <= most) {
    for (std::size_t i = 0; i < x.size(); ++i) kept.push_back(i);
    return kept;
  }
  kept.push_back(0);
  const std::size_t buckets = most - 2, inner = x.size() - 2;
  const auto begin = [&](std::size_t bucket) { return 1 + bucket * inner / buckets; };
  for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
    const std::size_t next = begin(bucket + 1);
    const std::size_t end = bucket + 1 < buckets ? begin(bucket + 2) : x.size();
    double mean_x = 0, mean_y = 0;
    for (std::size_t i = next; i < end; ++i) {
      mean_x += x[i] / static_cast<double>(end - next);
      mean_y += y[i] / static_cast<double>(end - next);
    }
    const double from_x = x[kept.back()], from_y = y[kept.back()];
    std::size_t best = begin(bucket);
    double largest = -1;
    for (std::size_t i = best; i < next; ++i) {
      const double area = std::abs((from_x - mean_x) * (y[i] - from_y) - (from_x - x[i]) * (mean_y - from_y));
      if (area > largest) {
        largest = area;
        best = i;
      }
    }
    kept.push_back(best);
  }
  kept.push_back(x.size() - 1);
  return kept;
}

Series thinned(const Series& series, std::size_t most) {
  const std::vector<std::size_t> kept = points_to_keep(series.step, series.value, most);
  return {.step = at(series.step, kept),
          .value = at(series.value, kept),
          .tokens = at(series.tokens, kept),
          .seconds = at(series.seconds, kept)};
}

double interpolate(std::span<const double> x, std::span<const double> y, double at) {
  const auto after = std::ranges::lower_bound(x, at);
  if (after == x.begin()) return y.front();
  if (after == x.end()) return y.back();
  const auto i = static_cast<std::size_t>(after - x.begin());
  const double share = (at - x[i - 1]) / (x[i] - x[i - 1]);
  return y[i - 1] + share * (y[i] - y[i - 1]);
}

nlohmann::ordered_json series_json(const Series& series) {
  return {{"step", numbers_json(series.step)},
          {"value", numbers_json(series.value)},
          {"tokens", numbers_json(series.tokens)},
          {"seconds", numbers_json(series.seconds)}};
}

}  // namespace strider
