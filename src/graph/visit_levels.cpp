#include "graph/visit_levels.h"

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

// The node at a place among all that have at least so many visits.
std::size_t VisitLevels::any_of(std::size_t place, double least_visits) const {
  for (const auto& [visits, nodes] : nodes_) {
    if (static_cast<double>(visits) < least_visits) continue;
    if (place < nodes.size()) return static_cast<std::size_t>(nodes[place]);
    place -= nodes.size();
  }
  return static_cast<std::size_t>(nodes_.rbegin()->second.back());
}

std::size_t VisitLevels::draw(double mean, double least, double exponent, NumpyGenerator& generator) const {
  const auto weight_of = [&](double lacking, std::size_t nodes) {
    const double weight = exponent == 1.0 ? lacking + least : std::pow(lacking + least, exponent);
    return weight * static_cast<double>(nodes);
  };
  double sum = 0.0;
  std::size_t others = visits_.size();  // nodes that do not lack visits
  for (const auto& [visits, nodes] : nodes_) {
    const double lacking = mean - static_cast<double>(visits);
    if (!(lacking > 0.0)) break;
    sum += weight_of(lacking, nodes.size());
    others -= nodes.size();
  }
  sum += weight_of(0.0, others);
  if (!std::isfinite(sum)) {
    throw Error("TEMPERATURE makes the weights of starts too large to compute with",
                {.file = {}, .place = {}, .advice = "Set TEMPERATURE higher; 1 is the usual one."});
  }
  const auto any_below = [&](std::size_t count) { return generator.integer(static_cast<std::uint32_t>(count)); };
  if (sum <= 0.0) return any_below(visits_.size());
  double left = generator.random() * sum;
  const std::vector<std::int32_t>* last = nullptr;
  for (const auto& [visits, nodes] : nodes_) {
    const double lacking = mean - static_cast<double>(visits);
    if (!(lacking > 0.0)) break;
    last = &nodes;
    left -= weight_of(lacking, nodes.size());
    if (left < 0.0) break;
  }
  if (others > 0 && left >= 0.0) return any_of(any_below(others), mean);
  return static_cast<std::size_t>((*last)[any_below(last->size())]);  // rounding may leave some of `left`
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
