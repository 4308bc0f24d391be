#include "engine/cuda/learning_runs.h"

namespace strider::cuda {

std::vector<RowRun> learning_runs(std::span<const std::int64_t> numbers, std::int64_t width, const Learning& learning,
                                  const ParameterLayout& layout) {
  std::vector<RowRun> runs;
  const auto rows = static_cast<std::int64_t>(numbers.size()) / width;
  for (std::int64_t row = 0; row < rows; ++row) {
    if (!learns(learning, layout, numbers[static_cast<std::size_t>(row * width)])) continue;
    if (runs.empty() || runs.back().first + runs.back().count != row) runs.push_back({.first = row, .count = 0});
    runs.back().count += 1;
  }
  return runs;
}

}  // namespace strider::cuda
