#pragma once
// Which walks train and which validate, as datasets.Dataset.train_test_split(train_size=..., seed=42) decides.
#include <cstdint>
#include <vector>

namespace strider {

struct TrainSplit {
  std::vector<std::int64_t> train;       // rows, in the order in which they are written
  std::vector<std::int64_t> validation;  // empty when train_size is 1
};

/// One permutation of `walks` rows by numpy's default_rng(42): its first walks - floor(train_size * walks) entries
/// validate, the rest trains. With train_size 1 all rows train, in their own order. Throws Error: train_size outside
/// (0, 1], or nothing left to train on.
TrainSplit train_test_split(std::int64_t walks, double train_size);

}  // namespace strider
