#pragma once
#include <cstddef>
#include <span>

#include "geometry/graph_geometry.h"
#include "geometry/layer_measures.h"
#include "geometry/pair_measures.h"

namespace strider {

/// What a measure gives for vectors that have nothing to do with the graph.
LayerMeasures measures_by_chance(const GraphGeometry& graph, std::size_t nearest);

/// `values` [nodes, width]: finite, no row of zeros, not all rows the same. `nearest` nodes by cosine are looked at, at
/// most nodes - 1. Runs on the calling thread, but for what `pairs`, which are of the same graph, compute elsewhere.
LayerMeasures measure_layer(const GraphGeometry& graph, PairMeasures& pairs, std::span<const float> values,
                            std::size_t nearest);
/// All of it on the calling thread.
LayerMeasures measure_layer(const GraphGeometry& graph, std::span<const float> values, std::size_t nearest);

/// What measure_layer takes at its peak, `values` not included.
std::size_t layer_memory_bytes(const GraphGeometry& graph, std::size_t width, std::size_t nearest);

}  // namespace strider
