#include <cmath>

#include "engine/cuda/ops/block_sum.h"
#include "engine/cuda/ops/pair_distances.h"
#include "engine/cuda/ops/warp.h"
#include "engine/cuda/runtime.h"
#include "engine/node_pairs.h"

namespace strider::cuda {
namespace {

constexpr int kWarps = kSumThreads / kWarpSize;

__device__ void add_pair(double x, double y, double (&sums)[kPairSums]) {
  sums[0] += 1.0;
  sums[1] += x;
  sums[2] += y;
  sums[3] += x * x;
  sums[4] += y * y;
  sums[5] += x * y;
}

__device__ void write_sums(double (&values)[kPairSums], std::int64_t row, DeviceSpan<double> sums) {
  block_sums(values);
  if (threadIdx.x != 0) return;
  for (int i = 0; i < kPairSums; ++i) sums[row * kPairSums + i] = values[i];
}

// Whether any thread of the block says so.
__device__ bool any_of_block(bool here, SharedArray<int, kWarps>& of_warps) {
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const int count = warp_sum(here ? 1 : 0);
  if (lane_of_thread() == 0) of_warps[warp] = count;
  __syncthreads();
  int sum = 0;
  for (int i = 0; i < kWarps; ++i) sum += of_warps[i];
  __syncthreads();
  return sum > 0;
}

// Distances of one round and of the next, in turn, so that no thread reads what another one writes.
__global__ void geodesic_sums_kernel(int nodes, int first, DeviceEdges edges, DeviceSpan<const std::uint16_t> hops,
                                     DeviceSpan<double> distances, DeviceSpan<double> sums) {
  __shared__ SharedArray<int, kWarps> of_warps;
  const int thread = static_cast<int>(threadIdx.x);
  const int source = first + static_cast<int>(blockIdx.x);
  std::int64_t from = std::int64_t{blockIdx.x} * nodes;
  std::int64_t to = from + std::int64_t{gridDim.x} * nodes;
  for (int node = thread; node < nodes; node += kSumThreads) distances[from + node] = node == source ? 0.0 : INFINITY;
  __syncthreads();
  for (bool goes_on = true; goes_on;) {
    bool has_changed = false;
    for (int node = thread; node < nodes; node += kSumThreads) {
      const double old = distances[from + node];
      double least = old;
      const int end = edges.offsets[node + 1];
      for (int edge = edges.offsets[node]; edge < end; ++edge) {
        const double found = distances[from + edges.neighbours[edge]] + edges.lengths[edge];
        if (found < least) least = found;
      }
      distances[to + node] = least;
      if (least < old) has_changed = true;
    }
    goes_on = any_of_block(has_changed, of_warps);
    const std::int64_t last = from;
    from = to;
    to = last;
  }
  double values[kPairSums] = {};
  for (int node = source + 1 + thread; node < nodes; node += kSumThreads) {
    const std::uint16_t apart = hops[std::int64_t{source} * nodes + node];
    const double distance = distances[from + node];
    if (apart != PairedNodes::kNoHops && isfinite(distance)) add_pair(apart, distance, values);
  }
  write_sums(values, blockIdx.x, sums);
}

__global__ void point_distance_sums_kernel(int nodes, DeviceSpan<const double> points,
                                           DeviceSpan<const std::uint16_t> hops, DeviceSpan<double> sums) {
  const int node = static_cast<int>(blockIdx.x);
  double values[kPairSums] = {};
  for (int other = node + 1 + static_cast<int>(threadIdx.x); other < nodes; other += kSumThreads) {
    const std::uint16_t apart = hops[std::int64_t{node} * nodes + other];
    if (apart == PairedNodes::kNoHops) continue;
    double squares = 0.0;
    for (int axis = 0; axis < 3; ++axis) {
      const double difference = points[std::int64_t{node} * 3 + axis] - points[std::int64_t{other} * 3 + axis];
      squares += difference * difference;
    }
    add_pair(apart, sqrt(squares), values);
  }
  write_sums(values, node, sums);
}

}  // namespace

void geodesic_sums(cudaStream_t stream, std::int64_t nodes, std::int64_t first, DeviceEdges edges,
                   DeviceSpan<const std::uint16_t> hops, DeviceSpan<double> distances, DeviceSpan<double> sums) {
  launch(stream, static_cast<unsigned>(sums.size / kPairSums), kSumThreads, geodesic_sums_kernel, nodes, first, edges,
         hops, distances, sums);
}

void point_distance_sums(cudaStream_t stream, DeviceSpan<const double> points, DeviceSpan<const std::uint16_t> hops,
                         DeviceSpan<double> sums) {
  const std::int64_t nodes = points.size / 3;
  launch(stream, static_cast<unsigned>(nodes), kSumThreads, point_distance_sums_kernel, nodes, points, hops, sums);
}

}  // namespace strider::cuda
