#pragma once
// Nodes by their number of visits, for starts that prefer nodes with few (START=visits-tree, walks.h): a node's weight
// depends on its number of visits alone, so a draw takes one of the numbers first, by its weight times its nodes, and
// then one of its nodes. All numbers from the mean on have the same weight and are taken as one: of a graph with hubs
// they are thousands, the numbers below the mean no more than the mean.
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "base/random/pcg64.h"

namespace strider {

class VisitLevels {
 public:
  /// Of nodes without visits.
  explicit VisitLevels(std::size_t nodes);

  /// A node with probability proportional to (max(0, mean - its visits) + least) ^ exponent; any node where all of
  /// these are 0 as numbers. Throws Error where they are too large for one.
  std::size_t draw(double mean, double least, double exponent, NumpyGenerator& generator) const;
  void visit(std::size_t node);

 private:
  std::size_t any_of(std::size_t place, double least_visits) const;

  std::map<std::int64_t, std::vector<std::int32_t>> nodes_;  // by visits
  std::vector<std::int64_t> visits_;                         // of each node
  std::vector<std::size_t> place_;                           // of each node in its level
};

}  // namespace strider
