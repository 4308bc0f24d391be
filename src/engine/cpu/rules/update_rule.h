#pragma once
// An optimizer's formula on this machine. A rule has no state of its own: what it keeps from step to step lies in named
// buffers that belong to the engine. To add a rule, write its file beside adamw.cpp and a line in update_rules.cpp.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "engine/optimizer.h"

namespace strider {

/// What all parameters of a group have in common in one update.
struct UpdateStep {
  double learning_rate = 0.0;  // of the group
  double weight_decay = 0.0;
  float gradient_scale = 1.0F;  // the clip factor
  std::int64_t number = 1;      // updates made, this one included
};

/// A run of parameters that one thread updates.
struct ParameterRun {
  std::int64_t count = 0;
  const float* gradient = nullptr;
  float* parameters = nullptr;
  std::span<float* const> states;  // the run's part of each buffer, in the order of state_names()
  // For a rule that updates whole matrices; the run is one, [rows, columns].
  std::int64_t rows = 0, columns = 0;
  std::byte* scratch = nullptr;  // scratch_bytes(), aligned to a cache line; its contents are lost
};

class UpdateRule {
 public:
  UpdateRule() = default;
  virtual ~UpdateRule() = default;
  UpdateRule(const UpdateRule&) = delete;
  UpdateRule& operator=(const UpdateRule&) = delete;

  /// As torch.optim names them.
  virtual std::span<const std::string_view> state_names() const = 0;
  /// Whether a run has to be a whole matrix. If not, elements are updated independently and a tensor may be cut
  /// anywhere.
  virtual bool updates_whole_matrices() const { return false; }
  /// What update() needs beside a matrix of this shape.
  virtual std::uint64_t scratch_bytes(std::int64_t /*rows*/, std::int64_t /*columns*/) const { return 0; }
  /// Different runs are updated by different threads at the same time.
  virtual void update(const UpdateStep& step, const ParameterRun& run) const = 0;
};

/// Throws Error for a name that is not registered.
std::unique_ptr<UpdateRule> make_update_rule(const RuleSettings& settings);

std::unique_ptr<UpdateRule> make_adamw(const RuleSettings& settings);
std::unique_ptr<UpdateRule> make_muon(const RuleSettings& settings);
std::unique_ptr<UpdateRule> make_sgd(const RuleSettings& settings);

}  // namespace strider
