#include "train/batches.h"

#include <algorithm>

#include "data/epoch_order.h"
#include "train/memory.h"

namespace strider {

StepBatches::StepBatches(const WalkSplit& split, const TrainingSettings& settings, const StepPlan& plan)
    : split_(split),
      settings_(settings),
      plan_(plan),
      batch_(most_walks_of_a_step(settings, split), settings.max_length) {
  walk_ids_.reserve(most_walks_of_a_step(settings, split));
}

void StepBatches::load(std::int64_t step) {
  place_ = place_of_step(plan_, settings_, step);
  if (order_epoch_ != place_.epoch) {
    order_ = epoch_order(plan_.walks, settings_.seed, place_.epoch);
    order_epoch_ = place_.epoch;
  }
  batch_.clear();
  walk_ids_.clear();
  const std::int64_t last = std::min(plan_.walks, place_.last_batch * settings_.batch_size);
  for (std::int64_t i = place_.first_batch * settings_.batch_size; i < last; ++i) {
    const std::int64_t row = order_[i];
    batch_.add(split_, row);
    walk_ids_.push_back(split_.walk_id(row));
  }
  unreleased_ += static_cast<std::int64_t>(walk_ids_.size());
  if (unreleased_ < kWalksBetweenReleases) return;
  split_.release_pages();
  unreleased_ = 0;
}

}  // namespace strider
