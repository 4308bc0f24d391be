#pragma once
// Normal numbers from uniform ones (Box and Muller 1958), a block at a time as torch's normal_fill lays them out.
#include <cstddef>

namespace strider {

inline constexpr std::size_t kNormalBlock = 16;

/// In place, for each block of 16 uniform numbers in [0, 1): with u1 = 1 - the first eight and u2 = the last eight,
/// the first eight become sqrt(-2 ln u1) cos(2 pi u2) std + mean and the last eight the same with sin.
void box_muller(float* values, std::size_t blocks, float mean, float std);

}  // namespace strider
