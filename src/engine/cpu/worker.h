#pragma once
// How the walks of a call become blocks, and what a worker holds to take one through the model
// (docs/blocks_and_lanes.md).
#include <cstdint>
#include <span>
#include <vector>

#include "engine/cpu/block.h"
#include "engine/engine.h"

namespace strider {

/// Walks [first, last) of a call, and the rows they make.
struct BlockPlan {
  std::int64_t first = 0, last = 0, rows = 0;
};

/// Rows of the largest block.
std::int64_t block_rows(const EngineSettings& settings);

/// Whole walks in their order, as many as make no more than block_rows, where each leaves out its last `dropped`
/// tokens; the same blocks for any number of threads. `blocks` is replaced.
void plan_blocks(std::span<const WalkView> walks, std::int64_t dropped, const EngineSettings& settings,
                 std::vector<BlockPlan>& blocks);

/// One worker: the token ids of its block, and its buffers. What load... returns is valid until the next load.
class Worker {
 public:
  Worker(const EngineSettings& settings, const BlockBuffers& worker_buffers);

  /// The last token of a walk predicts nothing and nothing attends to it, so it makes no row.
  Block load(std::span<const WalkView> walks);
  /// Every token is a row, without targets.
  Block load_whole(std::span<const WalkView> walks);
  /// The tokens [first, last) themselves, each on its own.
  Block load_tokens(std::int64_t first, std::int64_t last);

  /// buffers.losses of the loaded walks, summed per walk.
  void sum_losses(std::span<double> walk_losses) const;

  /// Each of `of_lanes` plus `offset` floats. Valid until the next call.
  std::span<const float* const> parts_at(std::span<float* const> of_lanes, std::int64_t offset) {
    parts.assign(of_lanes.begin(), of_lanes.end());
    for (const float*& part : parts) part += offset;
    return parts;
  }

  BlockBuffers buffers;
  std::vector<const float*> parts;  // of a sum

 private:
  std::vector<std::int32_t> inputs_, targets_;
  std::vector<std::int64_t> lengths_;
};

}  // namespace strider
