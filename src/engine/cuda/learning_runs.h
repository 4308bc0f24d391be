#pragma once
// Which of the optimizer's pieces an update takes, where only some tensors learn.
#include <cstdint>
#include <span>
#include <vector>

#include "engine/learning.h"

namespace strider::cuda {

/// Rows of a table that follow each other.
struct RowRun {
  std::int64_t first = 0, count = 0;
};

/// The rows of `numbers` [rows, width] whose first number is the place of a parameter that learns. Where the rows
/// ascend by that, there are two runs at most.
std::vector<RowRun> learning_runs(std::span<const std::int64_t> numbers, std::int64_t width, const Learning& learning,
                                  const ParameterLayout& layout);

}  // namespace strider::cuda
