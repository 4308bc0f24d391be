#include "graph/visit_levels.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace strider {

VisitLevels::VisitLevels(std::size_t nodes) : visits_(nodes), place_(nodes) {
  std::vector<std::int32_t>& all = nodes_[0];
  all.resize(nodes);
  std::iota(all.begin(), all.end(), 0);
  std::iota(place_.begin(), place_.end(), std::size_t{0});
}

std::size_t VisitLevels::draw(double mean, double least, double exponent, NumpyGenerator& generator) const {
  const auto weight_of = [&](std::int64_t visits, std::size_t nodes) {
    const double lacking = std::max(0.0, mean - static_cast<double>(visits));
    return std::pow(lacking + least, exponent) * static_cast<double>(nodes);
  };
  double sum = 0.0;
  for (const auto& [visits, nodes] : nodes_) sum += weight_of(visits, nodes.size());
  if (!(sum > 0.0) || std::isinf(sum)) {
    throw Error("TEMPERATURE makes the weights of starts too large or too small to compute with",
                {.file = {}, .place = {}, .advice = "Set TEMPERATURE nearer to 1; or START=uniform."});
  }
  double left = generator.random() * sum;
  auto level = nodes_.begin();
  for (auto next = level; next != nodes_.end(); ++next) {
    level = next;
    left -= weight_of(next->first, next->second.size());
    if (left < 0.0) break;
  }
  return static_cast<std::size_t>(
      level->second[generator.integer(static_cast<std::uint32_t>(level->second.size()))]);
}

void VisitLevels::visit(std::size_t node) {
  const auto level = nodes_.find(visits_[node]);
  std::vector<std::int32_t>& nodes = level->second;
  const std::int32_t last = nodes.back();
  nodes[place_[node]] = last;
  place_[static_cast<std::size_t>(last)] = place_[node];
  nodes.pop_back();
  if (nodes.empty()) nodes_.erase(level);
  std::vector<std::int32_t>& above = nodes_[++visits_[node]];
  place_[node] = above.size();
  above.push_back(static_cast<std::int32_t>(node));
}

}  // namespace strider
