#pragma once
// Histograms as TensorFlow keeps them (tensorflow/core/lib/histogram): their buckets grow by a tenth each, so that
// values of every size have as fine a picture, near zero and in the tails.
#include <cstdint>
#include <span>
#include <vector>

namespace strider {

struct Histogram {
  std::int64_t count = 0;  // of finite values; others are left out of everything
  double min = 0.0, max = 0.0, sum = 0.0, sum_squares = 0.0;
  /// Bucket i has counts[i] values from limits[i - 1] (the first: from below) to below limits[i]. The limits ascend and
  /// are among 0, +-1e-12 * 1.1^k and +-1e20. An empty bucket stands for all that are empty in a row.
  std::vector<double> limits, counts;
};

Histogram histogram_of(std::span<const float> values);

}  // namespace strider
