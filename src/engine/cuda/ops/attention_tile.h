#pragma once
// What the attention kernels of both precisions share: where a block's tile and a head's columns are, and the choice of
// a kernel by head_dim. For .cu files.
#include "engine/cuda/ops/attention.h"

namespace strider::cuda {

/// The walk's first row, its length, and the tile's first position in it.
struct WalkTile {
  int start, length, first;
};

/// Of this block; one of length 0 is passed over.
__device__ inline WalkTile tile_of_block(DeviceSpan<const std::int32_t> tiles) {
  const int at = static_cast<int>(blockIdx.x) * kTileNumbers;
  return {tiles[at], tiles[at + 1], tiles[at + 2]};
}

/// The first columns of a query head, and of the keys and values that it reads, in a row of qkv.
struct HeadColumns {
  int q, k, v;
  __device__ HeadColumns(const AttentionShape& shape, int head, int kv_head)
      : q(head * shape.head_dim), k((shape.heads + kv_head) * shape.head_dim), v(k + shape.kv_heads * shape.head_dim) {}
};

template <int kDim>
struct Dim {
  static constexpr int value = kDim;
};

/// Calls use(Dim) with head_dim rounded up to one of these, which ascend.
template <int kDim, int... kLarger, typename Use>
auto for_dim(int head_dim, const Use& use) {
  if constexpr (sizeof...(kLarger) > 0) {
    if (head_dim > kDim) return for_dim<kLarger...>(head_dim, use);
  }
  return use(Dim<kDim>());
}

}  // namespace strider::cuda
