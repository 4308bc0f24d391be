#include "graph/alias_tables.h"

namespace strider {

AliasTables::AliasTables(const Graph& graph) : keep_(graph.neighbours.size(), 1.0), other_(graph.neighbours.size()) {
  std::vector<std::uint32_t> small, large;
  for (std::size_t node = 0; node < graph.size(); ++node) {
    const std::size_t begin = graph.offsets[node];
    const std::span<const double> weights = graph.weights_of(node);
    double sum = 0.0;
    for (const double weight : weights) sum += weight;
    small.clear();
    large.clear();
    for (std::uint32_t i = 0; i < weights.size(); ++i) {
      keep_[begin + i] = weights[i] / sum * static_cast<double>(weights.size());
      other_[begin + i] = i;
      (keep_[begin + i] < 1.0 ? small : large).push_back(i);
    }
    while (!small.empty() && !large.empty()) {
      const std::uint32_t low = small.back(), high = large.back();
      small.pop_back();
      other_[begin + low] = high;
      keep_[begin + high] -= 1.0 - keep_[begin + low];
      if (keep_[begin + high] < 1.0) {
        large.pop_back();
        small.push_back(high);
      }
    }
    // What rounding left: probabilities that are 1.
    for (const std::uint32_t i : small) keep_[begin + i] = 1.0;
    for (const std::uint32_t i : large) keep_[begin + i] = 1.0;
  }
}

}  // namespace strider
