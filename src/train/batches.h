#pragma once
// The walks of each step of a run, in the order of its epoch.
#include "train/schedule.h"
#include "train/walk_batch.h"

namespace strider {

/// The walks of one step.
struct StepWalks {
  StepWalks(std::int64_t most_walks, WalkBatch in_batch) : batch(std::move(in_batch)) {
    walk_ids.reserve(static_cast<std::size_t>(most_walks));
  }
  CallWalks walks() const { return batch.walks(); }
  std::span<const std::int64_t> lengths() const { return batch.lengths(); }

  StepPlace place;
  WalkBatch batch;
  std::vector<std::int64_t> walk_ids;
};

class StepBatches {
 public:
  /// `first_held`: WalkBatch's.
  StepBatches(const WalkSplit& split, const TrainingSettings& settings, const StepPlan& plan,
              std::optional<std::int64_t> first_held);

  /// Room for the walks of any step.
  StepWalks room() const;
  /// Takes the walks of step `step` (from 0); what was in `walks` before is gone.
  void load(std::int64_t step, StepWalks& walks);

 private:
  WalkSplit split_;
  const TrainingSettings& settings_;
  StepPlan plan_;
  std::optional<std::int64_t> first_held_;
  std::vector<std::int64_t> order_;
  std::int64_t order_epoch_ = -1;
  std::int64_t unreleased_ = 0;  // walks read since the split's pages were released
};

}  // namespace strider
