#pragma once
// The gradients of all lanes as one.
//
// They are summed as a tree that halves the distance between its operands, for 8 parts
//   ((p0 + p4) + (p2 + p6)) + ((p1 + p5) + (p3 + p7)),
// where parts that are not there are left out. So any 2, 4 or 8 processes that each have summed every second, fourth or
// eighth part by this rule need only sum their sums by the same rule: the bits are those of one process.
#include <cstddef>
#include <cstdint>
#include <span>

namespace strider {

inline constexpr std::size_t kMostParts = 8;

/// sum[i] = the sum of parts[..][i] in the order above, for i below `count`; there are 1 to kMostParts parts, and `sum`
/// may be one of them. Returns the sum of squares of the result (in double).
double sum_gradients(std::int64_t count, std::span<const float* const> parts, float* sum);

}  // namespace strider
