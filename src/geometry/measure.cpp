#include "geometry/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/exists.h"
#include "base/machine.h"
#include "base/parallel.h"
#include "geometry/graph_measurer.h"
#include "geometry/layer.h"
#include "geometry/pair_measures.h"
#include "geometry/vector_fault.h"
#include "graph/cells.h"
#include "graph/graph_facts.h"
#include "graph/sparse_file.h"
#include "io/npy.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

// coords_{name}.npy beside A_{name}_labeled.csv.
std::optional<fs::path> coordinates_file(const fs::path& graph) {
  const std::string middle = graph_name(graph);
  if (middle.empty()) return std::nullopt;
  fs::path file = graph.parent_path() / fmt::format("coords_{}.npy", middle);
  if (!path_exists(file)) return std::nullopt;
  return file;
}

RowMatrix read_coordinates(const fs::path& file, std::size_t nodes) {
  const NpyArray<double> array = read_npy<double>(file);
  const auto fail = [&](const std::string& message) {
    throw Error(message, {.file = file.string(),
                          .place = {},
                          .advice = "It has a row for each node, in the order of the adjacency matrix."});
  };
  if (array.shape.size() != 2 || array.shape[0] != static_cast<std::int64_t>(nodes) || array.shape[1] == 0) {
    fail(fmt::format("Coordinates of shape [{}] for {} nodes", fmt::join(array.shape, ", "), nodes));
  }
  if (!std::ranges::all_of(array.values, [](double value) { return std::isfinite(value); })) {
    fail("A coordinate is not finite");
  }
  return Eigen::Map<const RowMatrix>(array.values.data(), array.shape[0], array.shape[1]);
}

// That computes for all layers of a report.
std::unique_ptr<PairMeasures> pairs_for(const MeasureSettings& settings, const GraphGeometry& graph,
                                        const Representations& representations, std::size_t nearest) {
  if (!settings.pairs) return cpu_pair_measures(graph);
  std::int64_t width = 1;
  for (const LayerArray& array : representations.arrays) width = std::max<std::int64_t>(width, array.width);
  return settings.pairs(graph, static_cast<std::size_t>(width), nearest);
}

// How many layers fit into memory at once.
int layers_at_once(const GraphGeometry& graph, const Representations& representations, std::size_t nearest,
                   int threads) {
  std::size_t largest = 1;
  for (const LayerArray& array : representations.arrays) {
    const auto width = static_cast<std::size_t>(array.width);
    const std::size_t values = sizeof(float) * width * (graph.size() + static_cast<std::size_t>(representations.rows));
    largest = std::max(largest, values + layer_memory_bytes(graph, width, nearest));
  }
  const std::uint64_t limit = memory_limit_bytes();
  const std::uint64_t fit = limit / largest;
  if (fit == 0) {
    throw Error(
        fmt::format("Measuring a layer takes {:.1f} GB of memory, and {:.1f} GB may be taken",
                    1e-9 * static_cast<double>(largest), 1e-9 * static_cast<double>(limit)),
        {.file = representations.file.string(), .place = {}, .advice = "It grows with the square of the nodes."});
  }
  return static_cast<int>(std::min<std::uint64_t>(fit, static_cast<std::uint64_t>(threads)));
}

fs::path output_file(const fs::path& npz) {
  const std::string stem = npz.stem().string();
  return npz.parent_path() / (stem == "token_representations" ? "geometry.json" : stem + "_geometry.json");
}

void add_graph_notices(const Graph& graph, GeometryReport& report) {
  const GraphFacts facts = graph_facts(graph);
  if (!facts.is_symmetric) {
    report.notices.add(
        fmt::format("{} edges go one way only; they are measured as if they went both ways.", facts.one_way));
  }
  if (!report.coordinates)
    report.notices.add("The graph has no coordinates coords_{name}.npy, so there are no probes.");
}

RowMatrix read_graph_coordinates(const fs::path& graph, std::size_t nodes) {
  const std::optional<fs::path> file = coordinates_file(graph);
  return file ? read_coordinates(*file, nodes) : RowMatrix{};
}

}  // namespace

struct GraphMeasurer::Parts {
  Parts(GraphGeometry of_graph, int threads) : geometry(std::move(of_graph)), team(threads) {}
  GraphGeometry geometry;
  ThreadTeam team;
};

GraphMeasurer::GraphMeasurer(const fs::path& graph_file, int threads) {
  ThreadTeam team(threads);
  const Graph graph = read_graph(graph_file);
  RowMatrix coordinates = read_graph_coordinates(graph_file, graph.size());
  GraphGeometry geometry = make_graph_geometry(graph, std::move(coordinates), team);
  parts_ = std::make_unique<Parts>(std::move(geometry), threads);
}

GraphMeasurer::~GraphMeasurer() = default;

std::span<const std::int32_t> GraphMeasurer::tokens() const {
  return parts_->geometry.graph.labels;
}

std::vector<std::optional<LayerMeasures>> GraphMeasurer::measure(const std::vector<std::vector<float>>& layers) const {
  std::vector<std::optional<LayerMeasures>> measures(layers.size());
  const std::size_t nodes = parts_->geometry.size();
  const std::size_t nearest = std::min<std::size_t>(MeasureSettings{}.nearest, nodes - 1);
  parallel_for(parts_->team, std::ssize(layers), [&](int, std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    if (!find_vector_fault(layers[at], layers[at].size() / nodes))
      measures[at] = measure_layer(parts_->geometry, layers[at], nearest);
  });
  return measures;
}

GeometryReport measure_geometry(const MeasureSettings& settings) {
  GeometryReport report;
  report.representations = representations_file(settings.representations);
  report.graph = graph_file(settings.graph, report.representations);
  report.coordinates = coordinates_file(report.graph);
  report.output = settings.output.value_or(output_file(report.representations));
  const Graph graph = read_graph(report.graph);
  const Representations representations =
      open_representations(settings.representations, settings.arrays, graph, report.notices);
  add_graph_notices(graph, report);

  ThreadTeam team(settings.threads);
  const GraphGeometry geometry = make_graph_geometry(graph, read_graph_coordinates(report.graph, graph.size()), team);
  report.nodes = geometry.size();
  report.edges = geometry.graph.edges();
  report.nearest = std::min(static_cast<std::size_t>(settings.nearest), geometry.size() - 1);
  report.laplacian_eigenvalues = geometry.laplacian.values;
  report.chance = measures_by_chance(geometry, report.nearest);
  for (const LayerArray& array : representations.arrays) report.layers.push_back({array, {}});

  const std::unique_ptr<PairMeasures> pairs = pairs_for(settings, geometry, representations, report.nearest);
  // Each layer is measured by one thread, so that its sums have one order.
  ThreadTeam layers(layers_at_once(geometry, representations, report.nearest, settings.threads));
  parallel_for(layers, std::ssize(report.layers), [&](int, std::int64_t i) {
    MeasuredLayer& layer = report.layers[static_cast<std::size_t>(i)];
    layer.measures = measure_layer(geometry, *pairs, read_layer(representations, layer.array), report.nearest);
  });
  return report;
}

}  // namespace strider
