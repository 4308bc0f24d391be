#pragma once
// The states of tokens in context: at places of walks that go through the model as a whole.
#include <cstdint>
#include <span>

#include "model/representation.h"

namespace strider {

/// A position of one of the walks of a call.
struct WalkPlace {
  std::int64_t walk = 0;  // which one, from 0
  std::int64_t position = 0;
};

/// Floats of one place: the widths of all arrays, one after the other.
inline std::int64_t states_width(std::span<const TokenArray> arrays) {
  std::int64_t width = 0;
  for (const TokenArray& array : arrays) width += array.width;
  return width;
}

}  // namespace strider
