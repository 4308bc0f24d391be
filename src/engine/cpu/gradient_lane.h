#pragma once
// Where weight gradients are added up. A step's blocks are dealt to a fixed number of lanes by their number, and a lane
// takes its blocks in that order at every stage of the backward pass, so sums have the same order, and bits, for any
// number of threads. A worker only waits when the one before it in its lane is still at that stage.
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
        passed_(new std::atomic<std::int64_t>[static_cast<std::size_t>(stages)]) {
    restart();
  }

  float* values() const { return values_; }
  float* token_gradient() const { return token_gradient_; }

  /// Before a step: block 0 comes next at every stage.
  void restart() {
    for (std::int64_t i = 0; i < stages_; ++i) passed_[static_cast<std::size_t>(i)].store(0, std::memory_order_relaxed);
  }

  /// Waits until the blocks before `block` have left `stage`.
  void enter(std::int64_t stage, std::int64_t block) {
    std::atomic<std::int64_t>& passed = passed_[static_cast<std::size_t>(stage)];
    for (std::int64_t seen = passed.load(std::memory_order_acquire); seen != block;
         seen = passed.load(std::memory_order_acquire)) {
      passed.wait(seen, std::memory_order_acquire);
    }
  }

  void leave(std::int64_t stage, std::int64_t block) {
    passed_[static_cast<std::size_t>(stage)].store(block + 1, std::memory_order_release);
    passed_[static_cast<std::size_t>(stage)].notify_all();
  }

 private:
  std::int64_t stages_;
  float *values_, *token_gradient_;
  std::unique_ptr<std::atomic<std::int64_t>[]> passed_;
};

/// A block's turn in a lane: `number` counts the lane's blocks of this step from 0. The first one replaces what a step
/// before left there, so nothing has to be cleared.
struct LaneTurn {
  GradientLane* lane = nullptr;
  std::int64_t number = 0;
};

}  // namespace strider
