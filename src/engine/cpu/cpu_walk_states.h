#pragma once
// The forward pass of llama_forward.cpp with states taken out of it on the way.
#include <cstdint>
#include <span>
#include <vector>

#include "engine/cpu/block.h"
#include "engine/cpu/weights.h"
#include "engine/walk_states.h"

namespace strider {

/// The block's row of each place; the block's first walk has the number `first_walk` in them.
std::vector<std::int64_t> rows_of_places(const Block& block, std::int64_t first_walk,
                                         std::span<const WalkPlace> places);

/// Takes the block through the model and writes what `rows` (ascending, at least one) have in each of the arrays to
/// out [rows, states_width(arrays)]. The buffers are those of a worker that does not train.
void llama_walk_states(const Weights& weights, const Block& block, std::span<const std::int64_t> rows,
                       std::span<const TokenArray> arrays, BlockBuffers& buffers, Rows out);

}  // namespace strider
