#pragma once
// The first layer's q, k, v per token, in pieces (docs/blocks_and_lanes.md).
#include <cstdint>

namespace strider {

/// Tokens of one piece.
inline constexpr std::int64_t kTokensAtOnce = 96;

}  // namespace strider
