#include "geometry/layer.h"

#include <algorithm>

#include "geometry/probe.h"

namespace strider {
namespace {

constexpr Eigen::Index kPictureComponents = 3;

RowMatrix as_doubles(const GraphGeometry& graph, std::span<const float> values) {
  const auto nodes = static_cast<Eigen::Index>(graph.size());
  using Floats = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const Floats> rows(values.data(), nodes, static_cast<Eigen::Index>(values.size()) / nodes);
  return rows.cast<double>();
}

void measure_directions(const GraphGeometry& graph, PairMeasures& pairs, const RowMatrix& rows, std::size_t nearest,
                        LayerMeasures& measures) {
  const Directions directions = pairs.directions(rows, nearest);
  measures.rsa = directions.rsa;
  const NeighbourShares shares = neighbour_shares(graph, directions.nearest);
  measures.neighbours = shares.neighbours;
  measures.within_two = shares.within_two;
  const GeodesicComparison geodesics = pairs.geodesics(directions.nearest);
  measures.geodesic_correlation = geodesics.correlation;
  measures.geodesic_pairs = geodesics.pairs;
}

void measure_variation(const GraphGeometry& graph, PairMeasures& pairs, const RowMatrix& centred,
                       LayerMeasures& measures) {
  const Eigen::Index count = std::max(kPictureComponents, graph.laplacian.vectors.cols());
  const PrincipalComponents components = principal_components(centred, static_cast<int>(count));
  measures.effective_dimension = effective_dimension(components);
  measures.component_correlation = pairs.component_correlation(components);
  measures.laplacian_alignment = laplacian_alignment(graph, components);
  measures.laplacian_variance = laplacian_variance(graph, centred);
  const DirichletEnergy energy = dirichlet_energy(graph, centred);
  measures.dirichlet_energy = energy.sum;
  measures.dirichlet_ratio = energy.ratio;
  if (graph.coordinates.cols() == 0) return;
  ProbeScores scores = probe_coordinates(centred, graph.coordinates);
  measures.probe_r2 = scores.mean;
  measures.probe_r2_by_coordinate = std::move(scores.by_coordinate);
}

}  // namespace

LayerMeasures measures_by_chance(const GraphGeometry& graph, std::size_t nearest) {
  LayerMeasures measures;
  const NeighbourShares shares = neighbour_shares_by_chance(graph, nearest);
  measures.neighbours = shares.neighbours;
  measures.within_two = shares.within_two;
  measures.geodesic_correlation = measures.component_correlation = measures.rsa = 0.0;
  measures.dirichlet_ratio = 1.0;
  if (const auto modes = graph.laplacian.values.size(); modes > 0) {
    measures.laplacian_alignment = measures.laplacian_variance =
        static_cast<double>(modes) / static_cast<double>(graph.size() - 1);
  }
  return measures;
}

LayerMeasures measure_layer(const GraphGeometry& graph, PairMeasures& pairs, std::span<const float> values,
                            std::size_t nearest) {
  LayerMeasures measures;
  RowMatrix rows = as_doubles(graph, values);
  measure_directions(graph, pairs, rows, nearest, measures);
  rows.rowwise() -= rows.colwise().mean().eval();
  measure_variation(graph, pairs, rows, measures);
  return measures;
}

LayerMeasures measure_layer(const GraphGeometry& graph, std::span<const float> values, std::size_t nearest) {
  return measure_layer(graph, *cpu_pair_measures(graph), values, nearest);
}

std::size_t layer_memory_bytes(const GraphGeometry& graph, std::size_t width, std::size_t nearest) {
  constexpr std::size_t kDouble = sizeof(double);
  const std::size_t nodes = graph.size();
  const std::size_t narrow = std::min(nodes, width);
  const std::size_t pairs = 2 * graph.pairs * sizeof(std::uint64_t);  // keys of rank correlation, and the sorted ones
  const std::size_t joined = nodes * nearest * 6 * 2 * kDouble;       // nearest nodes, and the graph of them
  const std::size_t squares = kDouble * (3 * narrow * narrow + 3 * width * width);  // spectrum; probes
  return pairs + joined + squares + 3 * kDouble * nodes * width;
}

}  // namespace strider
