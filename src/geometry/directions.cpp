#include "geometry/directions.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace strider {
namespace {

constexpr Eigen::Index kBlock = 128;  // rows; a block of cosines stays in the L2 cache
constexpr int kHopBits = 16;          // the low bits of a key: graph distance

// Nearest nodes so far. Which pairs are offered first makes no difference.
class NearestSoFar {
 public:
  NearestSoFar(std::size_t nodes, std::size_t each) : nearest_{each, {}, {}} {
    nearest_.nodes.assign(nodes * each, std::numeric_limits<std::int32_t>::max());
    nearest_.cosines.assign(nodes * each, -std::numeric_limits<double>::infinity());
  }

  void offer(std::size_t node, std::size_t other, double cosine) {
    const std::size_t last = node * nearest_.each + nearest_.each - 1;
    if (cosine < nearest_.cosines[last]) return;
    insert(node, static_cast<std::int32_t>(other), cosine);
  }

  NearestNodes take() { return std::move(nearest_); }

 private:
  void insert(std::size_t node, std::int32_t other, double cosine) {
    std::int32_t* const nodes = nearest_.nodes.data() + node * nearest_.each;
    double* const cosines = nearest_.cosines.data() + node * nearest_.each;
    const auto comes_before = [&](std::size_t at) {
      return cosine > cosines[at] || (cosine == cosines[at] && other < nodes[at]);
    };
    std::size_t place = nearest_.each;
    for (; place > 0 && comes_before(place - 1); --place) {
      if (place == nearest_.each) continue;
      nodes[place] = nodes[place - 1];
      cosines[place] = cosines[place - 1];
    }
    if (place == nearest_.each) return;
    nodes[place] = other;
    cosines[place] = cosine;
  }

  NearestNodes nearest_;
};

// Floats that are not negative ascend as their bits do.
std::uint64_t pair_key(double cosine, std::uint16_t hops) {
  const auto distance = static_cast<float>(std::max(0.0, 1.0 - cosine));
  return static_cast<std::uint64_t>(std::bit_cast<std::uint32_t>(distance)) << kHopBits | hops;
}

// Radix sort by the 32 bits above kHopBits: 11, 11 and 10 bits, the lowest first.
void sort_by_distance(std::vector<std::uint64_t>& keys) {
  constexpr int kDigitBits = 11;
  constexpr std::size_t kDigits = std::size_t{1} << kDigitBits;
  std::vector<std::uint64_t> sorted(keys.size());
  for (int shift = kHopBits; shift < kHopBits + 32; shift += kDigitBits) {
    std::array<std::size_t, kDigits + 1> place{};
    for (const std::uint64_t key : keys) ++place[(key >> shift & (kDigits - 1)) + 1];
    for (std::size_t digit = 0; digit < kDigits; ++digit) place[digit + 1] += place[digit];
    for (const std::uint64_t key : keys) sorted[place[key >> shift & (kDigits - 1)]++] = key;
    keys.swap(sorted);
  }
}

// Both ranks have the mean (pairs + 1) / 2.
RankSums rank_sums(const GraphGeometry& graph, std::vector<std::uint64_t>& keys) {
  sort_by_distance(keys);
  const double mean = (static_cast<double>(keys.size()) + 1.0) / 2.0;
  RankSums sums;
  for (std::size_t first = 0; first < keys.size();) {
    std::size_t end = first + 1;
    while (end < keys.size() && keys[end] >> kHopBits == keys[first] >> kHopBits) ++end;
    const double rank = (static_cast<double>(first + end) + 1.0) / 2.0 - mean;
    for (; first < end; ++first) {
      const double graph_rank = graph.rank_of_hops[keys[first] & kNoPath] - mean;
      sums.both += rank * graph_rank;
      sums.of_graph += graph_rank * graph_rank;
      sums.of_rows += rank * rank;
    }
  }
  return sums;
}

}  // namespace

std::optional<double> RankSums::correlation() const {
  if (of_graph == 0.0 || of_rows == 0.0) return std::nullopt;
  return both / std::sqrt(of_graph * of_rows);
}

Directions compare_directions(const GraphGeometry& graph, const RowMatrix& rows, std::size_t each) {
  const RowMatrix unit = rows.rowwise().normalized();
  const Eigen::Index nodes = unit.rows();
  NearestSoFar nearest(graph.size(), each);
  std::vector<std::uint64_t> keys;
  keys.reserve(graph.pairs);
  RowMatrix cosines;
  for (Eigen::Index top = 0; top < nodes; top += kBlock) {
    const Eigen::Index height = std::min(kBlock, nodes - top);
    for (Eigen::Index left = top; left < nodes; left += kBlock) {
      const Eigen::Index width = std::min(kBlock, nodes - left);
      cosines.noalias() = unit.middleRows(top, height) * unit.middleRows(left, width).transpose();
      for (Eigen::Index row = 0; row < height; ++row) {
        const auto i = static_cast<std::size_t>(top + row);
        const std::uint16_t* const hops = graph.hops.data() + i * graph.size();
        for (Eigen::Index column = left == top ? row + 1 : 0; column < width; ++column) {
          const auto j = static_cast<std::size_t>(left + column);
          const double cosine = cosines(row, column);
          nearest.offer(i, j, cosine);
          nearest.offer(j, i, cosine);
          if (hops[j] != kNoPath) keys.push_back(pair_key(cosine, hops[j]));
        }
      }
    }
  }
  return {nearest.take(), rank_sums(graph, keys).correlation()};
}

namespace {

// Calls add(node, neighbours, within two) for each node with a neighbour, and returns the means of what it gives.
template <typename Shares>
NeighbourShares mean_shares(const GraphGeometry& graph, const Shares& shares) {
  NeighbourShares sum;
  double counted = 0;
  for (std::size_t node = 0; node < graph.size(); ++node) {
    const std::size_t neighbours = graph.graph.neighbours_of(node).size();
    if (neighbours == 0) continue;
    const NeighbourShares of_node = shares(node, neighbours, graph.within_two[node]);
    sum.neighbours += of_node.neighbours;
    sum.within_two += of_node.within_two;
    counted += 1;
  }
  return {sum.neighbours / counted, sum.within_two / counted};
}

}  // namespace

NeighbourShares neighbour_shares(const GraphGeometry& graph, const NearestNodes& nearest) {
  return mean_shares(graph, [&](std::size_t node, std::size_t neighbours, std::size_t within_two) {
    double one = 0, two = 0;
    for (const std::int32_t near : nearest.of(node)) {
      const std::uint16_t hops = graph.hops_from(node)[static_cast<std::size_t>(near)];
      if (hops == 1) one += 1;
      if (hops <= 2) two += 1;
    }
    return NeighbourShares{one / static_cast<double>(std::min(nearest.each, neighbours)),
                           two / static_cast<double>(std::min(nearest.each, within_two))};
  });
}

NeighbourShares neighbour_shares_by_chance(const GraphGeometry& graph, std::size_t each) {
  const double drawn = static_cast<double>(each) / static_cast<double>(graph.size() - 1);
  return mean_shares(graph, [&](std::size_t, std::size_t neighbours, std::size_t within_two) {
    const auto share = [&](std::size_t there) {
      return drawn * static_cast<double>(there) / static_cast<double>(std::min(each, there));
    };
    return NeighbourShares{share(neighbours), share(within_two)};
  });
}

}  // namespace strider
