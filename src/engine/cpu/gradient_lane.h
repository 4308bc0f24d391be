#pragma once
// Where weight gradients are added up: a fixed number of lanes, each with one order of blocks at every stage of the
// backward pass, so that sums have the same order, and bits, for any number of threads. docs/blocks_and_lanes.md
// explains lanes and stages with drawings.
#include <atomic>
#include <cstdint>
#include <memory>

namespace strider {

class GradientLane {
 public:
  /// `values` has room for the gradient of all parameters, `token_gradient` for that of every token's first q, k, v
  /// (null where they are not computed per token).
  GradientLane(std::int64_t stages, float* values, float* token_gradient)
      : stages_(stages),
        values_(values),
        token_gradient_(token_gradient),
        passed_(new std::atomic<std::int64_t>[stages]) {
    restart();
  }

  float* values() const { return values_; }
  float* token_gradient() const { return token_gradient_; }

  /// Before a step: block 0 comes next at every stage.
  void restart() {
    for (std::int64_t i = 0; i < stages_; ++i) passed_[i].store(0, std::memory_order_relaxed);
  }

  /// Waits until the blocks before `block` have left `stage`.
  void enter(std::int64_t stage, std::int64_t block) {
    std::atomic<std::int64_t>& passed = passed_[stage];
    for (std::int64_t seen = passed.load(std::memory_order_acquire); seen != block;
         seen = passed.load(std::memory_order_acquire)) {
      passed.wait(seen, std::memory_order_acquire);
    }
  }

  void leave(std::int64_t stage, std::int64_t block) {
    passed_[stage].store(block + 1, std::memory_order_release);
    passed_[stage].notify_all();
  }

 private:
  std::int64_t stages_;
  float *values_, *token_gradient_;
  std::unique_ptr<std::atomic<std::int64_t>[]> passed_;
};

/// A block's position in a lane: `number` counts the lane's blocks of this step from 0. Block 0 replaces the gradient
/// of the step before, so nothing has to be cleared.
struct LaneSlot {
  GradientLane* lane = nullptr;
  std::int64_t number = 0;
};

}  // namespace strider
