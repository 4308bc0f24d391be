#pragma once
#include <optional>
#include <string_view>
#include <vector>

namespace strider {

/// All measures of one layer, as directions.h, geodesics.h, spectrum.h and probe.h define them. Nothing where a measure
/// is not defined, as these say.
struct LayerMeasures {
  double neighbours = 0;
  double within_two = 0;
  std::optional<double> geodesic_correlation;
  double geodesic_pairs = 0;
  std::optional<double> component_correlation;
  std::optional<double> rsa;
  double dirichlet_energy = 0;
  double dirichlet_ratio = 0;
  std::optional<double> laplacian_alignment;
  std::optional<double> laplacian_variance;
  std::optional<double> probe_r2;
  std::vector<std::optional<double>> probe_r2_by_coordinate;  // empty where the graph has no coordinates
  double effective_dimension = 0;
};

/// A measure under its name in geometry.json.
struct NamedMeasure {
  std::string_view name;
  std::optional<double> value;
  bool has_chance = true;  // whether there is a value for vectors that have nothing to do with the graph
};

/// Those that are one number and can be compared between layers.
std::vector<NamedMeasure> named_measures(const LayerMeasures& measures);

}  // namespace strider
