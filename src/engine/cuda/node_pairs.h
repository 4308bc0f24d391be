#pragma once
// engine/node_pairs.h on one GPU.
#include <memory>

#include "engine/node_pairs.h"

namespace strider::cuda {

/// Nodes that are compared with all others at once: enough to keep a GPU busy.
inline constexpr std::int64_t kPanelNodes = 1024;

/// On the current device. Throws Error when CUDA fails.
std::unique_ptr<NodePairs> make_node_pairs(const PairedNodes& nodes, const NodePairsLimits& limits,
                                           std::int64_t panel_nodes = kPanelNodes);

/// Bytes of the device's memory that it takes within the limits.
std::uint64_t node_pairs_memory_bytes(const NodePairsLimits& limits, std::int64_t panel_nodes = kPanelNodes);

}  // namespace strider::cuda
