#pragma once
// The walks of each step of a run, in the order of its epoch.
#include "train/schedule.h"
#include "train/walk_batch.h"

namespace strider {

class StepBatches {
 public:
  StepBatches(const WalkSplit& split, const TrainingSettings& settings, const StepPlan& plan);

  /// Takes the walks of step `step` (from 0); what was there before is gone.
  void load(std::int64_t step);

  const StepPlace& place() const { return place_; }
  std::span<const WalkView> walks() const { return batch_.walks(); }
  std::span<const std::int64_t> walk_ids() const { return walk_ids_; }

 private:
  WalkSplit split_;
  const TrainingSettings& settings_;
  StepPlan plan_;
  StepPlace place_;
  WalkBatch batch_;
  std::vector<std::int64_t> walk_ids_;
  std::vector<std::int64_t> order_;
  std::int64_t order_epoch_ = -1;
  std::int64_t unreleased_ = 0;  // walks read since the split's pages were released
};

}  // namespace strider
