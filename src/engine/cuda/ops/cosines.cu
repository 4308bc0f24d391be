#include "engine/cuda/ops/cosines.h"
#include "engine/cuda/ops/warp.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

// A block computes a square tile, each of its threads four of the cosines.
constexpr int kSide = 16;           // threads along a side
constexpr int kTile = 2 * kSide;    // cosines along a side
constexpr int kDepth = 16;          // values of a row that are in shared memory at once
constexpr int kPitch = kDepth + 1;  // so that threads of a warp read different banks

// Values [depth, depth + kDepth) of kTile rows from `top` on; zero where there are none.
__device__ void load_tile(DeviceSpan<const double> rows, int nodes, int width, int top, int depth,
                          SharedArray<double, kTile * kPitch>& tile) {
  for (int i = static_cast<int>(threadIdx.x); i < kTile * kDepth; i += kSide * kSide) {
    const int row = top + i / kDepth;
    const int column = depth + i % kDepth;
    const bool is_there = row < nodes && column < width;
    tile[i / kDepth * kPitch + i % kDepth] =
        is_there ? static_cast<double>(rows[std::int64_t{row} * width + column]) : 0.0;
  }
}

__global__ void cosines_kernel(int nodes, int width, int first, int count, DeviceSpan<const double> rows,
                               DeviceSpan<double> cosines) {
  __shared__ SharedArray<double, kTile * kPitch> left;
  __shared__ SharedArray<double, kTile * kPitch> right;
  const int top = static_cast<int>(blockIdx.y) * kTile;
  const int start = static_cast<int>(blockIdx.x) * kTile;
  const int y = static_cast<int>(threadIdx.x) / kSide;
  const int x = static_cast<int>(threadIdx.x) % kSide;
  double sums[2][2] = {};
  for (int depth = 0; depth < width; depth += kDepth) {
    load_tile(rows, nodes, width, first + top, depth, left);
    load_tile(rows, nodes, width, start, depth, right);
    __syncthreads();
    for (int k = 0; k < kDepth; ++k) {
      const double a[2] = {left[y * kPitch + k], left[(y + kSide) * kPitch + k]};
      const double b[2] = {right[x * kPitch + k], right[(x + kSide) * kPitch + k]};
      for (int i = 0; i < 2; ++i) {
        for (int j = 0; j < 2; ++j) sums[i][j] += a[i] * b[j];
      }
    }
    __syncthreads();
  }
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 2; ++j) {
      const int row = top + y + i * kSide;
      const int column = start + x + j * kSide;
      if (row < count && column < nodes) cosines[std::int64_t{row} * nodes + column] = sums[i][j];
    }
  }
}

struct Near {
  double cosine;
  int node;
};

__device__ bool comes_before(const Near& a, const Near& b) {
  return a.cosine > b.cosine || (a.cosine == b.cosine && a.node < b.node);
}

// A row a warp, which looks for the first node after the last one that it has found, again and again.
__global__ void nearest_nodes_kernel(int nodes, int first, int count, int each, DeviceSpan<const double> cosines,
                                     DeviceSpan<std::int32_t> nearest, DeviceSpan<double> nearest_cosines) {
  const int row = row_of_warp();
  if (row >= count) return;
  const Near none{-3.0, nodes};  // after all others: no cosine is less than -1 but for its rounding
  Near last{3.0, -1};
  for (int found = 0; found < each; ++found) {
    Near best = none;
    for (int node = lane_of_thread(); node < nodes; node += kWarpSize) {
      const Near here{cosines[std::int64_t{row} * nodes + node], node};
      if (node != first + row && comes_before(last, here) && comes_before(here, best)) best = here;
    }
    for (int lanes = kWarpSize / 2; lanes > 0; lanes /= 2) {
      const Near other{__shfl_xor_sync(kWholeWarp, best.cosine, lanes), __shfl_xor_sync(kWholeWarp, best.node, lanes)};
      if (comes_before(other, best)) best = other;
    }
    if (lane_of_thread() == 0) {
      nearest[std::int64_t{row} * each + found] = best.node;
      nearest_cosines[std::int64_t{row} * each + found] = best.cosine;
    }
    last = best;
  }
}

}  // namespace

void cosines(cudaStream_t stream, std::int64_t nodes, std::int64_t width, std::int64_t first,
             DeviceSpan<const double> rows, DeviceSpan<double> cosines) {
  const std::int64_t count = cosines.size / nodes;
  const dim3 blocks(blocks_for(nodes, kTile), blocks_for(count, kTile));
  launch(stream, blocks, kSide * kSide, cosines_kernel, nodes, width, first, count, rows, cosines);
}

void nearest_nodes(cudaStream_t stream, std::int64_t nodes, std::int64_t first, std::int64_t each,
                   DeviceSpan<const double> cosines, DeviceSpan<std::int32_t> nearest,
                   DeviceSpan<double> nearest_cosines) {
  const std::int64_t count = cosines.size / nodes;
  launch(stream, blocks_for(count, kRowWarps), kRowThreads, nearest_nodes_kernel, nodes, first, count, each, cosines,
         nearest, nearest_cosines);
}

}  // namespace strider::cuda
