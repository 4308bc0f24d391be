#include "train/held_dataset.h"

#include <algorithm>
#include <vector>

namespace strider {

std::int64_t dataset_tokens(const WalkDataset& dataset, std::int64_t max_length) {
  const std::int64_t validation = dataset.validation ? dataset.validation->tokens(max_length) : 0;
  return dataset.train.tokens(max_length) + validation;
}

void give_dataset(const WalkDataset& dataset, std::int64_t max_length, Engine& engine) {
  std::vector<std::int64_t> lengths;
  const auto list = [&](const WalkSplit& split) {
    for (std::int64_t row = 0; row < split.size(); ++row) lengths.push_back(std::min(split.length(row), max_length));
  };
  list(dataset.train);
  if (dataset.validation) list(*dataset.validation);
  const std::int64_t training_walks = dataset.train.size();
  engine.hold_walks(lengths, [&](std::int64_t walk, std::span<std::int32_t> out) {
    const bool is_training = walk < training_walks;
    const WalkSplit& split = is_training ? dataset.train : *dataset.validation;
    split.read(is_training ? walk : walk - training_walks, out);
    if (walk % kWalksBetweenReleases == 0) split.release_pages();
  });
  dataset.train.release_pages();
  if (dataset.validation) dataset.validation->release_pages();
}

}  // namespace strider
