#include "report/histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace strider {
namespace {

// The upper limits of all buckets, ascending. The last one is above every float.
std::vector<double> make_limits() {
  constexpr double kSmallest = 1e-12, kLargest = 1e20, kGrowth = 1.1;
  std::vector<double> positive;
  for (double limit = kSmallest; limit < kLargest; limit *= kGrowth) positive.push_back(limit);
  positive.push_back(kLargest);
  std::vector<double> limits;
  for (auto limit = positive.rbegin(); limit != positive.rend(); ++limit) limits.push_back(-*limit);
  limits.push_back(0.0);
  limits.insert(limits.end(), positive.begin(), positive.end());
  limits.push_back(std::numeric_limits<double>::max());
  return limits;
}

const std::vector<double>& all_limits() {
  static const std::vector<double> limits = make_limits();
  return limits;
}

}  // namespace

Histogram histogram_of(std::span<const float> values) {
  const std::vector<double>& limits = all_limits();
  std::vector<std::int64_t> counts(limits.size());
  Histogram made;
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    const double x = value;
    counts[std::ranges::upper_bound(limits, x) - limits.begin()] += 1;
    made.min = made.count == 0 ? x : std::min(made.min, x);
    made.max = made.count == 0 ? x : std::max(made.max, x);
    made.sum += x;
    made.sum_squares += x * x;
    made.count += 1;
  }
  std::size_t next = 0;  // the first bucket that is not in the result yet
  for (std::size_t bucket = 0; bucket < counts.size(); ++bucket) {
    if (counts[bucket] == 0) continue;
    if (bucket > next) {
      made.limits.push_back(limits[bucket - 1]);
      made.counts.push_back(0.0);
    }
    made.limits.push_back(limits[bucket]);
    made.counts.push_back(static_cast<double>(counts[bucket]));
    next = bucket + 1;
  }
  return made;
}

}  // namespace strider
