#include "graph/alias_tables.h"

namespace strider {

AliasTables::AliasTables(const Graph& graph) : places_(graph.neighbours.size()) {
  std::vector<std::size_t> small, large;  // places with less and with more than their share
  for (std::size_t node = 0; node < graph.size(); ++node) {
    const std::size_t begin = graph.offsets[node];
    const std::span<const double> weights = graph.weights_of(node);
    double sum = 0.0;
    for (const double weight : weights) sum += weight;
    small.clear();
    large.clear();
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const std::int32_t neighbour = graph.neighbours[begin + i];
      places_[begin + i] = {weights[i] / sum * static_cast<double>(weights.size()), neighbour, neighbour};
      (places_[begin + i].keep < 1.0 ? small : large).push_back(begin + i);
    }
    while (!small.empty() && !large.empty()) {
      Place& low = places_[small.back()];
      const std::size_t high_at = large.back();
      Place& high = places_[high_at];
      small.pop_back();
      low.other = high.own;
      high.keep -= 1.0 - low.keep;
      if (high.keep < 1.0) {
        large.pop_back();
        small.push_back(high_at);
      }
    }
    // What rounding left: probabilities that are 1.
    for (const std::size_t at : small) places_[at].keep = 1.0;
    for (const std::size_t at : large) places_[at].keep = 1.0;
  }
}

}  // namespace strider
