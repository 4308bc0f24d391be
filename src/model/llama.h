#pragma once
// The forward and backward pass of a Llama over one block, on the calling thread. Every gradient stands next to its
// forward: llama_forward.cpp and llama_backward.cpp walk through the same steps, one upwards and one downwards.
#include "model/block.h"
#include "model/gradient_lane.h"
#include "model/weights.h"

namespace strider {

/// Takes a block through all layers and the final norm; `normed` then holds what lm_head reads, [rows, hidden].
/// `keep` leaves every layer's activations in its own place, for llama_backward.
void llama_forward(const Weights& weights, const Block& block, bool keep, BlockBuffers& buffers);

/// After llama_forward: buffers.losses[r] is the cross-entropy of row r against its target.
void llama_losses(const Weights& weights, const Block& block, BlockBuffers& buffers);

/// After llama_forward with `keep`: losses as above, and the gradient of scale * (their sum) is added up in the lane,
/// in the layout of the parameters.
void llama_backward(const Weights& weights, const Block& block, float scale, BlockBuffers& buffers, LaneTurn turn);

/// Stages of llama_backward at which blocks of a lane follow each other.
std::int64_t llama_backward_stages(const LlamaConfig& config);

}  // namespace strider
