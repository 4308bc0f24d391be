#pragma once
// What the measures of a layer compute over all pairs of nodes, which takes most of their time: a seam, behind which
// the calling thread computes it or a GPU (gpu_measures/).
#include <memory>
#include <optional>

#include "geometry/directions.h"
#include "geometry/geodesics.h"
#include "geometry/graph_geometry.h"
#include "geometry/spectrum.h"

namespace strider {

/// Of one graph. Several threads may call at once. Results do not depend on who else calls.
class PairMeasures {
 public:
  PairMeasures() = default;
  virtual ~PairMeasures() = default;
  PairMeasures(const PairMeasures&) = delete;
  PairMeasures& operator=(const PairMeasures&) = delete;

  /// As compare_directions().
  virtual Directions directions(const RowMatrix& rows, std::size_t each) = 0;
  /// As compare_geodesics().
  virtual GeodesicComparison geodesics(const NearestNodes& nearest) = 0;
  /// As component_correlation().
  virtual std::optional<double> component_correlation(const PrincipalComponents& components) = 0;
};

/// On the calling thread. Keeps a reference to `graph`.
std::unique_ptr<PairMeasures> cpu_pair_measures(const GraphGeometry& graph);

}  // namespace strider
