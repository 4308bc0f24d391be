#pragma once
// Attention's unit of work, shared by the files that are compiled once a Highway target.
#include <cstdint>

namespace strider {

inline constexpr std::int64_t kQueryTile = 16;  // queries whose scores are side by side

/// Rows of a head's buffers: whole tiles.
inline std::int64_t padded_length(std::int64_t length) {
  return (length + kQueryTile - 1) / kQueryTile * kQueryTile;
}

}  // namespace strider
