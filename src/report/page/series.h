#pragma once
// A curve: values by step, and as far as is known by tokens seen and by seconds of training.
#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <vector>

namespace strider {

struct Series {
  std::vector<double> step, value;
  std::vector<double> tokens, seconds;  // as long as step, or empty: not known
};

/// Which of the points (x ascends) a picture of `most` points keeps, in order: the first, the last, and of each of
/// most - 2 buckets between them the point that makes the largest triangle with the one kept before it and the mean of
/// the next bucket: spikes stay, as they do not in means (Steinarsson 2013, "Downsampling time series for visual
/// representation", section 4.2). All of them where there are no more than `most`, which is at least 3.
std::vector<std::size_t> points_to_keep(std::span<const double> x, std::span<const double> y, std::size_t most);

/// With no more than `most` points.
Series thinned(const Series& series, std::size_t most);

/// `y` at `at`, on straight lines between the points; the nearest end's outside of them. x ascends and is not empty.
double interpolate(std::span<const double> x, std::span<const double> y, double at);

/// {"step", "value", "tokens", "seconds"}: each base64 of float32, or null where it is not known.
nlohmann::ordered_json series_json(const Series& series);

}  // namespace strider
