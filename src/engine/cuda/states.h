#pragma once
// Representations on the GPU: the states that a forward pass over one batch leaves on its way, copied to the host.
#include <span>

#include "engine/cuda/llama.h"
#include "engine/walk_states.h"

namespace strider::cuda {

/// Which states are wanted of a batch, and where they go.
struct StatesTaken {
  std::span<const std::int32_t> rows;  // of the batch, in the order of the result
  std::span<const TokenArray> arrays;  // in the order of list_token_arrays, or a part of it
  std::span<float> out;                // [rows, states_width(arrays)]
};

/// Goes forward as far as the last of the arrays needs, and copies. The engine is one that does not train: its layers
/// share one place. Waits for the stream.
template <typename T>
void llama_states(const Pass<T>& pass, const Stream& stream, const StatesTaken& taken);

}  // namespace strider::cuda
