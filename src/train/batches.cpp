#include "train/batches.h"

#include <algorithm>

#include "data/epoch_order.h"
#include "train/memory.h"

namespace strider {

StepBatches::StepBatches(const WalkSplit& split, const TrainingSettings& settings, const StepPlan& plan,
                         std::optional<std::int64_t> first_held)
    : split_(split), settings_(settings), plan_(plan), first_held_(first_held) {}

StepWalks StepBatches::room() const {
  const std::int64_t most = most_walks_of_a_step(settings_, split_);
  return {most, WalkBatch(most, settings_.max_length, first_held_)};
}

void StepBatches::load(std::int64_t step, StepWalks& walks) {
  const StepPlace place = place_of_step(plan_, settings_, step);
  if (order_epoch_ != place.epoch) {
    order_ = epoch_order(plan_.walks, settings_.seed, place.epoch);
    order_epoch_ = place.epoch;
  }
  walks.place = place;
  walks.batch.clear();
  walks.walk_ids.clear();
  const std::int64_t last = std::min(plan_.walks, place.last_batch * settings_.batch_size);
  for (std::int64_t i = place.first_batch * settings_.batch_size; i < last; ++i) {
    const std::int64_t row = order_[i];
    walks.batch.add(split_, row);
    walks.walk_ids.push_back(split_.walk_id(row));
  }
  unreleased_ += static_cast<std::int64_t>(walks.walk_ids.size());
  if (unreleased_ < kWalksBetweenReleases) return;
  split_.release_pages();
  unreleased_ = 0;
}

}  // namespace strider
