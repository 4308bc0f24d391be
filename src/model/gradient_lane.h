#pragma once
// Where weight gradients are added up. A step's blocks are dealt to a fixed number of lanes by their number, and a lane
// takes its blocks in that order at every stage of the backward pass, so sums have the same order, and bits, for any
// number of threads. A worker only waits when the one before it in its lane is still at that stage.
#include <atomic>
#include <cstdint>
#include <memory>

#include "base/aligned_buffer.h"

namespace strider {

class GradientLane {
 public:
  /// `token_floats`: of the gradient of every token's first q, k, v, where they are made once a token.
  GradientLane(std::int64_t floats, std::int64_t stages, std::int64_t token_floats = 0)
      : stages_(stages),
        values_(static_cast<std::size_t>(floats)),
        token_gradient_(static_cast<std::size_t>(token_floats)),
        passed_(new std::atomic<std::int64_t>[stages]) {
    restart();
  }

  float* values() { return values_.data(); }
  float* token_gradient() { return token_gradient_.data(); }

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
  AlignedBuffer<float> values_, token_gradient_;
  std::unique_ptr<std::atomic<std::int64_t>[]> passed_;
};

/// A block's turn in a lane: `number` counts the lane's blocks of this step from 0. The first one replaces what a step
/// before left there, so nothing has to be cleared.
struct LaneTurn {
  GradientLane* lane = nullptr;
  std::int64_t number = 0;
};

}  // namespace strider
