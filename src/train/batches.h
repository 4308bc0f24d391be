#pragma once
// The walks of each step of a run, in the order of its epoch.
#include "train/schedule.h"
#include "train/walk_batch.h"

namespace strider {

/// The walks of one step.
struct StepWalks {
  explicit StepWalks(std::int64_t most_walks, std::int64_t max_length) : batch(most_walks, max_length) {
    walk_ids.reserve(static_cast<std::size_t>(most_walks));
  }
  std::span<const WalkView> walks() const { return batch.walks(); }

  StepPlace place;
  WalkBatch batch;
  std::vector<std::int64_t> walk_ids;
};

class StepBatches {
 public:
  StepBatches(const WalkSplit& split, const TrainingSettings& settings, const StepPlan& plan);

  /// Room for the walks of any step.
  StepWalks room() const;
  /// Takes the walks of step `step` (from 0); what was in `walks` before is gone.
  void load(std::int64_t step, StepWalks& walks);

 private:
  WalkSplit split_;
  const TrainingSettings& settings_;
  StepPlan plan_;
  std::vector<std::int64_t> order_;
  std::int64_t order_epoch_ = -1;
  std::int64_t unreleased_ = 0;  // walks read since the split's pages were released
};

}  // namespace strider
