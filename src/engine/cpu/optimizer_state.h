#pragma once
// Which parameters are updated by which rule, and where each keeps its state.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/carver.h"
#include "engine/cpu/rules/update_rule.h"
#include "engine/cpu/weights.h"
#include "engine/engine.h"

namespace strider {

/// Floats that one thread updates at once.
inline constexpr std::int64_t kUpdateFloats = 65536;

/// A state buffer and which tensors it holds the state of.
struct OptimizerBuffer {
  StateBuffer about;
  std::vector<std::int64_t> offset_of_tensor;  // in floats, by the tensor's place in the layout; -1: it has none
  float* values = nullptr;
};

/// The buffers of optimizer_state_of(), without memory.
std::vector<OptimizerBuffer> list_optimizer_buffers(const ParameterLayout& layout,
                                                    std::span<const ParameterGroup> groups);

/// An update cut into units, each for one thread.
class OptimizerPlan {
 public:
  /// Parameters of one tensor.
  struct Run {
    std::size_t group = 0;
    std::int64_t offset = 0, count = 0;  // in the flat parameters
    std::vector<float*> states;          // this run's part of each of its rule's buffers
  };
  /// Whole panels of rows of a matrix that has packed copies, which are packed again after the update; several tensors
  /// may share such a matrix (q, k and v). Or a part of a tensor that has none.
  struct Unit {
    std::vector<Run> runs;
    const Weights::Matrix* matrix = nullptr;
    std::int64_t first_row = 0, last_row = 0;
  };

  /// Throws Error when a tensor is in no group or in two. Without groups there are no units.
  OptimizerPlan(const Weights& weights, std::span<const ParameterGroup> groups,
                std::span<const OptimizerBuffer> buffers);

  const std::vector<Unit>& units() const { return units_; }
  /// Updates a run; `gradient` and `values` are the flat buffers. `number` counts updates from 1.
  void update(const Run& run, double learning_rate, float gradient_scale, std::int64_t number, const float* gradient,
              float* values) const;

 private:
  std::vector<ParameterGroup> groups_;
  std::vector<std::unique_ptr<UpdateRule>> rules_;  // one per group
  std::vector<Unit> units_;
};

}  // namespace strider
