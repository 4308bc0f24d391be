#pragma once
// The gradients of all lanes as one.
#include <cstdint>
#include <span>

namespace strider {

/// sum[i] = parts[0][i] + parts[1][i] + ..., in that order, for i below `count`; there is at least one part, and `sum`
/// may be one of them. Returns the sum of squares of the result (in double).
double sum_gradients(std::int64_t count, std::span<const float* const> parts, float* sum);

}  // namespace strider
