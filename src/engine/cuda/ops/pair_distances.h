#pragma once
// Two distances between nodes and what Pearson's correlation with the graph distance x needs of each, a block for each
// node i over its pairs (i, j) with j > i: the number of pairs that have both distances, then the sums of x, y, x^2,
// y^2 and x y.
#include <cstdint>

#include "engine/cuda/device_memory.h"

namespace strider::cuda {

inline constexpr int kPairSums = 6;

/// A graph whose edges are there both ways: neighbours[offsets[i]] .. neighbours[offsets[i + 1] - 1] are those of node
/// i.
struct DeviceEdges {
  DeviceSpan<const std::int32_t> offsets;     // [nodes + 1]
  DeviceSpan<const std::int32_t> neighbours;  // [edges]
  DeviceSpan<const double> lengths;           // [edges]
};

/// y: the shortest path from node first + i, by relaxing all edges until nothing changes (Bellman 1958, Ford 1956).
/// distances [2, count, nodes] is scratch; sums [count, kPairSums].
void geodesic_sums(cudaStream_t stream, std::int64_t nodes, std::int64_t first, DeviceEdges edges,
                   DeviceSpan<const std::uint16_t> hops, DeviceSpan<double> distances, DeviceSpan<double> sums);

/// y: how far the points [nodes, 3] of the two nodes are apart. sums [nodes, kPairSums].
void point_distance_sums(cudaStream_t stream, DeviceSpan<const double> points, DeviceSpan<const std::uint16_t> hops,
                         DeviceSpan<double> sums);

}  // namespace strider::cuda
