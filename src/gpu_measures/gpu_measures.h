#pragma once
// The measures over all pairs of nodes (geometry/pair_measures.h) on a GPU. The rest of a layer's measures stays with
// the processors: it grows with the nodes, and not with their square.
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "engine/device.h"
#include "engine/node_pairs.h"
#include "geometry/measure.h"

namespace strider {

/// Where measures are computed, and a line for the user that says why; it is empty where the user has asked for the
/// CPU.
struct MeasuringDevice {
  Device device = Device::kCpu;  // kCpu or kCuda
  std::string why;
};

/// For MeasureSettings::pairs: choose_pair_measures() with these.
MakePairMeasures pair_measures_on(Device asked, MeasuringDevice& chosen);

/// The GPU where `asked` and the machine allow it, after a small graph has been measured on
/// both. Throws Error where `asked` is kCuda and no GPU can do it, and where the GPU computes something else than the
/// CPU. `chosen` is set.
std::unique_ptr<PairMeasures> choose_pair_measures(Device asked, const GraphGeometry& graph, std::size_t width,
                                                   std::size_t nearest, MeasuringDevice& chosen);

/// Takes all pairs through `pairs`, which are of this graph's nodes. Keeps a reference to it.
std::unique_ptr<PairMeasures> gpu_pair_measures(const GraphGeometry& graph, std::unique_ptr<NodePairs> pairs);

/// `graph` for make_cuda_node_pairs(); valid as long as it is.
PairedNodes paired_nodes(const GraphGeometry& graph);

using MakeNodePairs =
    std::function<std::unique_ptr<NodePairs>(const PairedNodes& nodes, const NodePairsLimits& limits)>;
/// Measures a small graph on both machines. Throws Error with the figures where they differ by more than rounding.
void check_node_pairs(const MakeNodePairs& make);

}  // namespace strider
