#include "gpu_measures/gpu_measures.h"

#include <fmt/format.h>

#include <cmath>
#include <mutex>
#include <numbers>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/random/pcg64.h"
#include "base/thread_team.h"
#include "engine/choose_device.h"
#include "geometry/graph_geometry.h"
#include "geometry/pair_measures.h"
#include "geometry/pearson.h"

namespace strider {
namespace {

static_assert(PairedNodes::kNoHops == kNoPath);

Pearson as_pearson(const DistanceSums& sums) {
  return {.count = sums.count, .x = sums.x, .y = sums.y, .xx = sums.xx, .yy = sums.yy, .xy = sums.xy};
}

class GpuPairMeasures : public PairMeasures {
 public:
  GpuPairMeasures(const GraphGeometry& graph, std::unique_ptr<NodePairs> pairs)
      : graph_(graph), pairs_(std::move(pairs)) {}

  Directions directions(const RowMatrix& rows, std::size_t each) override {
    const RowMatrix unit = rows.rowwise().normalized();
    const std::span<const double> values(unit.data(), static_cast<std::size_t>(unit.size()));
    RowComparison found;
    {
      const std::lock_guard lock(mutex_);
      found = pairs_->compare(values, static_cast<std::int64_t>(each));
    }
    const RankSums ranks{.both = found.both, .of_graph = found.of_graph, .of_rows = found.of_rows};
    return {{each, std::move(found.nearest), std::move(found.cosines)}, ranks.correlation()};
  }

  GeodesicComparison geodesics(const NearestNodes& nearest) override {
    const NearestGraph joined = join_nearest(nearest, graph_.size());
    const std::vector<std::int32_t> offsets(joined.offsets.begin(), joined.offsets.end());
    std::vector<std::int32_t> neighbours;
    std::vector<double> lengths;
    for (const NearestGraph::Edge& edge : joined.edges) {
      neighbours.push_back(edge.to);
      lengths.push_back(edge.length);
    }
    const std::lock_guard lock(mutex_);
    const Pearson pearson = as_pearson(pairs_->geodesics(offsets, neighbours, lengths));
    return {pearson.value(), pearson.count / static_cast<double>(graph_.pairs)};
  }

  std::optional<double> component_correlation(const PrincipalComponents& components) override {
    const RowMatrix points = first_three(components);
    const std::lock_guard lock(mutex_);
    return as_pearson(pairs_->distances({points.data(), static_cast<std::size_t>(points.size())})).value();
  }

 private:
  const GraphGeometry& graph_;
  std::mutex mutex_;  // the GPU has one call at a time
  std::unique_ptr<NodePairs> pairs_;
};

// A ring whose nodes have a chord each: cycles, ties of graph distance, and rows that know something of it.
Graph small_graph() {
  constexpr int kNodes = 150;
  constexpr int kChord = 12;
  Graph graph;
  graph.labels.resize(kNodes);
  std::iota(graph.labels.begin(), graph.labels.end(), 0);
  graph.offsets = {0};
  for (int node = 0; node < kNodes; ++node) {
    for (const int step : {1, kChord, kNodes - kChord, kNodes - 1}) {
      graph.neighbours.push_back((node + step) % kNodes);
    }
    graph.offsets.push_back(graph.neighbours.size());
  }
  return graph;
}

RowMatrix small_rows(std::size_t nodes) {
  constexpr Eigen::Index kWidth = 19;
  NumpyGenerator generator(0);
  RowMatrix rows(static_cast<Eigen::Index>(nodes), kWidth);
  for (Eigen::Index node = 0; node < rows.rows(); ++node) {
    for (Eigen::Index i = 0; i < kWidth; ++i) {
      const double turn = static_cast<double>(node) / static_cast<double>(nodes) + static_cast<double>(i % 2) / 4.0;
      rows(node, i) = generator.random() - 0.5 + (i < 2 ? 3.0 * std::sin(2.0 * std::numbers::pi * turn) : 0.0);
    }
  }
  return rows;
}

// Named figures of one machine.
std::vector<std::pair<const char*, double>> figures(PairMeasures& pairs, const RowMatrix& rows) {
  constexpr std::size_t kNearest = 6;
  const double not_defined = std::nan("");
  const Directions directions = pairs.directions(rows, kNearest);
  double nearest = 0;  // a sum that any other choice or order changes
  for (std::size_t i = 0; i < directions.nearest.nodes.size(); ++i) {
    nearest += static_cast<double>(i + 1) * directions.nearest.nodes[i] * (1.0 + directions.nearest.cosines[i]);
  }
  const GeodesicComparison geodesics = pairs.geodesics(directions.nearest);
  const RowMatrix centred = rows.rowwise() - rows.colwise().mean();
  return {{"nearest nodes", nearest},
          {"RSA", directions.rsa.value_or(not_defined)},
          {"geodesics", geodesics.correlation.value_or(not_defined)},
          {"pairs with a geodesic", geodesics.pairs},
          {"3 comps", pairs.component_correlation(principal_components(centred, 3)).value_or(not_defined)}};
}

}  // namespace

PairedNodes paired_nodes(const GraphGeometry& graph) {
  return {.count = static_cast<std::int64_t>(graph.size()),
          .hops = graph.hops,
          .rank_of_hops = graph.rank_of_hops,
          .pairs = static_cast<std::int64_t>(graph.pairs)};
}

std::unique_ptr<PairMeasures> gpu_pair_measures(const GraphGeometry& graph, std::unique_ptr<NodePairs> pairs) {
  return std::make_unique<GpuPairMeasures>(graph, std::move(pairs));
}

void check_node_pairs(const MakeNodePairs& make) {
  constexpr double kRounding = 1e-9;
  ThreadTeam team(1);
  const GraphGeometry graph = make_graph_geometry(small_graph(), {}, team);
  const RowMatrix rows = small_rows(graph.size());
  const NodePairsLimits limits{.nodes = static_cast<std::int64_t>(graph.size()), .width = rows.cols(), .nearest = 8};
  const auto of_gpu = figures(*gpu_pair_measures(graph, make(paired_nodes(graph), limits)), rows);
  const auto of_cpu = figures(*cpu_pair_measures(graph), rows);
  for (std::size_t i = 0; i < of_cpu.size(); ++i) {
    const auto& [name, right] = of_cpu[i];
    const double found = of_gpu[i].second;
    if (std::abs(found - right) <= kRounding * std::abs(right)) continue;  // not where either is not a number
    throw Error(
        fmt::format("the GPU does not compute what the CPU does: {} {:.12g} instead of {:.12g}", name, found, right),
        {.file = {}, .place = {}, .advice = "DEVICE=cpu (--device) measures on the CPU; please report these figures."});
  }
}

MakePairMeasures pair_measures_on(Device asked, MeasuringDevice& chosen) {
  return [asked, &chosen](const GraphGeometry& graph, std::size_t width, std::size_t nearest) {
    return choose_pair_measures(asked, graph, width, nearest, chosen);
  };
}

std::unique_ptr<PairMeasures> choose_pair_measures(Device asked, const GraphGeometry& graph, std::size_t width,
                                                   std::size_t nearest, MeasuringDevice& chosen) {
  chosen = {};
  if (asked == Device::kCpu) return cpu_pair_measures(graph);
  const NodePairsLimits limits{.nodes = static_cast<std::int64_t>(graph.size()),
                               .width = static_cast<std::int64_t>(width),
                               .nearest = static_cast<std::int64_t>(nearest)};
  if (const std::optional<std::string> obstacle = cuda_node_pairs_obstacle(limits)) {
    if (asked == Device::kCuda) {
      throw Error(fmt::format("DEVICE=cuda (--device) asks for the GPU, and {}", *obstacle),
                  {.file = {}, .place = {}, .advice = "DEVICE=auto or cpu measures on the CPU."});
    }
    chosen.why = fmt::format("DEVICE=auto: measured on the CPU, since {}", *obstacle);
    return cpu_pair_measures(graph);
  }
  check_node_pairs(make_cuda_node_pairs);
  chosen = {Device::kCuda, fmt::format("DEVICE={}: all pairs of nodes are compared on the GPU, {}", name_of(asked),
                                       cuda_device_name())};
  return gpu_pair_measures(graph, make_cuda_node_pairs(paired_nodes(graph), limits));
}

}  // namespace strider
