#pragma once
// How good a trained model is: its loss, and how much of the graph's surface is in its best layer.
#include <optional>
#include <span>

#include "geometry/measure.h"

namespace strider {

/// The four measures of `strider measure` that say whether the surface is there, of one layer (geometry/).
struct SurfaceMeasures {
  double neighbours = 0;
  double within_two = 0;
  double geodesics = 0;
  double components = 0;
};

/// What --keep-surface asks of one layer: as much as the reference's training leaves, by each measure.
inline constexpr SurfaceMeasures kKeptSurface = {
    .neighbours = 0.50, .within_two = 0.99, .geodesics = 0.85, .components = 0.60};

/// How far the measures fall short of kKeptSurface, summed; 0: all are reached.
double shortfall(const SurfaceMeasures& surface);

/// The layer with the least shortfall. Measures that are not defined count as 0. Nothing without layers.
std::optional<SurfaceMeasures> best_layer(std::span<const MeasuredLayer> layers);

/// Lower is better: the loss in nats per predicted token, and with a surface kPerShortfall for each unit that it falls
/// short: 0.1 of a measure is then worth 0.05 nats.
inline constexpr double kPerShortfall = 0.5;
double score(double loss, const std::optional<SurfaceMeasures>& surface);

}  // namespace strider
