#include "tune/score.h"

#include <algorithm>

namespace strider {

double shortfall(const SurfaceMeasures& surface) {
  const auto lacks = [&](double SurfaceMeasures::*measure) {
    return std::max(0.0, kKeptSurface.*measure - surface.*measure);
  };
  return lacks(&SurfaceMeasures::neighbours) + lacks(&SurfaceMeasures::within_two) +
         lacks(&SurfaceMeasures::geodesics) + lacks(&SurfaceMeasures::components);
}

std::optional<SurfaceMeasures> best_layer(std::span<const MeasuredLayer> layers) {
  std::optional<SurfaceMeasures> best;
  for (const MeasuredLayer& layer : layers) {
    const LayerMeasures& measures = layer.measures;
    const SurfaceMeasures surface{.neighbours = measures.neighbours,
                                  .within_two = measures.within_two,
                                  .geodesics = measures.geodesic_correlation.value_or(0.0),
                                  .components = measures.component_correlation.value_or(0.0)};
    if (!best || shortfall(surface) < shortfall(*best)) best = surface;
  }
  return best;
}

double score(double loss, const std::optional<SurfaceMeasures>& surface) {
  return loss + (surface ? kPerShortfall * shortfall(*surface) : 0.0);
}

}  // namespace strider
