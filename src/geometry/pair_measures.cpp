#include "geometry/pair_measures.h"

namespace strider {
namespace {

class CpuPairMeasures : public PairMeasures {
 public:
  explicit CpuPairMeasures(const GraphGeometry& graph) : graph_(graph) {}

  Directions directions(const RowMatrix& rows, std::size_t each) override {
    return compare_directions(graph_, rows, each);
  }
  GeodesicComparison geodesics(const NearestNodes& nearest) override { return compare_geodesics(graph_, nearest); }
  std::optional<double> component_correlation(const PrincipalComponents& components) override {
    return strider::component_correlation(graph_, components);
  }

 private:
  const GraphGeometry& graph_;
};

}  // namespace

std::unique_ptr<PairMeasures> cpu_pair_measures(const GraphGeometry& graph) {
  return std::make_unique<CpuPairMeasures>(graph);
}

}  // namespace strider
