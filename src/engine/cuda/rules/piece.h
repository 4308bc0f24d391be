#pragma once
// How the kernels of update rules find their parameters. For .cu files.
#include "engine/cuda/rules/update_rule.h"

namespace strider::cuda {

inline constexpr int kUpdateThreads = 256;

/// The piece of this block.
struct UpdatePiece {
  std::int64_t offset, count, state, group;
};

/// Whether there is an update: not where the gradient is not finite.
__device__ inline bool is_update(float clip) {
  return clip >= 0.0F;
}

__device__ inline UpdatePiece piece_of_block(DeviceSpan<const std::int64_t> pieces) {
  const std::int64_t at = std::int64_t{blockIdx.x} * kUpdateNumbers;
  return {pieces[at], pieces[at + 1], pieces[at + 2], pieces[at + 3]};
}

}  // namespace strider::cuda
