#pragma once
// Which parameters are updated by which rule, and where each keeps its state.
#include <cstddef>
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

/// What one thread needs beside the parameters to update any of them by these groups' rules.
std::uint64_t update_scratch_bytes(const ParameterLayout& layout, std::span<const ParameterGroup> groups);

/// What all runs of one update share.
struct UpdateNumbers {
  std::span<const double> learning_rates;  // one per group
  float gradient_scale = 1.0F;             // what the gradient is multiplied by first (clipping)
  std::int64_t number = 1;                 // of the update, from 1
};

/// An update cut into units, each for one thread.
class OptimizerPlan {
 public:
  /// Parameters of one tensor.
  struct Run {
    std::size_t group = 0;
    std::int64_t offset = 0, count = 0;  // in the flat parameters
    std::vector<float*> states;          // this run's part of each of its rule's buffers
    std::int64_t rows = 0, columns = 0;  // of a whole matrix, where the rule updates those
  };
  /// Whole panels of rows of a matrix that has packed copies, which are packed again after the update; several tensors
  /// may share such a matrix (q, k and v). Or a tensor or a part of one, without packed copies or with ones that
  /// packings() have.
  struct Unit {
    std::vector<Run> runs;
    const Weights::Matrix* matrix = nullptr;
    std::int64_t first_row = 0, last_row = 0;
  };

  /// Throws Error when a tensor is in no group or in two, or none that its rule can update. Without groups there are no
  /// units. `matrices` are the model's, which units point to. With buffers that have no memory yet it is a plan to look
  /// at.
  OptimizerPlan(const ParameterLayout& layout, std::span<const Weights::Matrix> matrices,
                std::span<const ParameterGroup> groups, std::span<const OptimizerBuffer> buffers);

  /// One for each group, in their order.
  void set_weight_decays(std::span<const double> decays);

  const std::vector<Unit>& units() const { return units_; }
  /// Without runs: what is packed again after all units are done.
  const std::vector<Unit>& packings() const { return packings_; }
  /// Updates a run; `gradient` and `values` are the flat buffers, `scratch` has update_scratch_bytes().
  void update(const Run& run, const UpdateNumbers& numbers, const float* gradient, float* values,
              std::byte* scratch) const;

 private:
  std::vector<ParameterGroup> groups_;
  std::vector<std::unique_ptr<UpdateRule>> rules_;  // one per group
  std::vector<Unit> units_;
  std::vector<Unit> packings_;
};

}  // namespace strider
