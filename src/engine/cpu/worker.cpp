#include "engine/cpu/worker.h"

#include <algorithm>
#include <numeric>

namespace strider {
namespace {

// Rows that a worker takes at once: weights are read, and their gradients touched, once for all of them.
constexpr std::int64_t kBlockRows = 256;
// The last walks of a call go one by one, so that no thread is left with a large block when the others are done.
constexpr std::size_t kSingleWalks = 8;

}  // namespace

std::int64_t block_rows(const EngineSettings& settings) {
  return std::max(kBlockRows, settings.max_length);
}

void plan_blocks(std::span<const WalkView> walks, std::int64_t dropped, const EngineSettings& settings,
                 std::vector<BlockPlan>& blocks) {
  blocks.clear();
  BlockPlan block;
  for (std::size_t i = 0; i < walks.size(); ++i) {
    const std::int64_t rows = static_cast<std::int64_t>(walks[i].size()) - dropped;
    const bool full = block.rows + rows > block_rows(settings) || i + kSingleWalks >= walks.size();
    if (block.last > block.first && full) {
      blocks.push_back(block);
      block = {block.last, block.last, 0};
    }
    block.last += 1;
    block.rows += rows;
  }
  if (block.last > block.first) blocks.push_back(block);
}

Worker::Worker(const EngineSettings& settings, const BlockBuffers& worker_buffers) : buffers(worker_buffers) {
  inputs_.reserve(block_rows(settings));
  targets_.reserve(block_rows(settings));
  lengths_.reserve(settings.walks_per_step);
}

Block Worker::load(std::span<const WalkView> walks) {
  inputs_.clear();
  targets_.clear();
  lengths_.clear();
  for (const WalkView walk : walks) {
    inputs_.insert(inputs_.end(), walk.begin(), walk.end() - 1);
    targets_.insert(targets_.end(), walk.begin() + 1, walk.end());
    lengths_.push_back(static_cast<std::int64_t>(walk.size()) - 1);
  }
  return {lengths_, inputs_, targets_};
}

Block Worker::load_whole(std::span<const WalkView> walks) {
  inputs_.clear();
  lengths_.clear();
  for (const WalkView walk : walks) {
    inputs_.insert(inputs_.end(), walk.begin(), walk.end());
    lengths_.push_back(static_cast<std::int64_t>(walk.size()));
  }
  return {lengths_, inputs_, {}};
}

Block Worker::load_tokens(std::int64_t first, std::int64_t last) {
  inputs_.resize(last - first);
  std::iota(inputs_.begin(), inputs_.end(), static_cast<std::int32_t>(first));
  lengths_.clear();
  return {lengths_, inputs_, {}};
}

void Worker::sum_losses(std::span<double> walk_losses) const {
  const float* losses = buffers.losses;
  for (std::size_t walk = 0; walk < lengths_.size(); ++walk) {
    double sum = 0.0;
    for (std::int64_t r = 0; r < lengths_[walk]; ++r) sum += static_cast<double>(*losses++);
    walk_losses[walk] = sum;
  }
}

}  // namespace strider
