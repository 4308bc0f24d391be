#pragma once
// The forward and backward pass of a Llama over one block, on the calling thread. llama_forward.cpp and
// llama_backward.cpp go through the same operations in opposite order. docs/blocks_and_lanes.md explains blocks, lanes
// and stages.
#include "engine/cpu/block.h"
#include "engine/cpu/gradient_lane.h"
#include "engine/cpu/weights.h"
#include "engine/learning.h"

namespace strider {

/// Takes a block through the first so many layers and the final norm; `normed` then holds what lm_head reads, [rows,
/// hidden]. With `keep` every layer has buffers of its own and its activations are still there for llama_backward.
void llama_forward(const Weights& weights, const Block& block, std::int64_t layers, bool keep, BlockBuffers& buffers);

/// The pieces of a layer that states are taken from as well (cpu_token_states.cpp, cpu_walk_states.cpp). y = norm(x),
/// both [rows, hidden], with the weight at `weight_offset` of the flat parameters; inverse [rows].
void llama_norm(const Weights& weights, std::int64_t rows, std::int64_t weight_offset, ConstRows x, Rows y,
                float* inverse);
/// q, k, v and the attention of a layer: from layer.input to layer.attention. Of what is in layer.qkv nothing is needed
/// afterwards, unless a backward pass follows.
void llama_attention(const Weights& weights, std::int64_t index, const Block& block, const LayerActivations& layer,
                     BlockBuffers& buffers);
/// The rest of a layer, for any of its rows: layer.middle, which holds the layer's input there, gets o(attention)
/// added, and output becomes that + down(swiglu(gate_up(norm(that)))). gate and up are left in layer.gate_up.
void llama_after_attention(const Weights& weights, std::int64_t index, std::int64_t rows, ConstRows attention,
                           const LayerActivations& layer, Rows output, BlockBuffers& buffers);
/// output += down(swiglu(gate_up(buffers.normed))), [rows, hidden]; gate and up are left in layer.gate_up, whose first
/// `kept` columns (whole panels) hold their values already.
void llama_feed_forward(const Weights& weights, std::int64_t index, std::int64_t rows, std::int64_t kept,
                        const LayerActivations& layer, Rows output, BlockBuffers& buffers);

/// q, k, v of the first layer, before rotation, depend on the token alone. A step with more positions than tokens makes
/// them once per token: writes those of tokens.inputs to `qkv` [rows, qkv width], for Block::token_qkv.
void llama_project_tokens(const Weights& weights, const Block& tokens, BlockBuffers& buffers, Rows qkv);

/// After llama_forward: buffers.losses[r] is the cross-entropy of row r against its target.
void llama_losses(const Weights& weights, const Block& block, BlockBuffers& buffers);

/// After llama_forward with `keep` through the layers of `learning`: losses as above, and the gradient of scale *
/// (their sum) with respect to what learns is added up in the lane, in the layout of the parameters. For lm_head alone
/// the forward pass need not have kept anything. With Block::token_qkv what comes to the first q, k, v is added up per
/// token in the lane's token_gradient ([vocab, qkv width]), and their part of the gradient is left to the next
/// function.
void llama_backward(const Weights& weights, const Block& block, const Learning& learning, float scale,
                    BlockBuffers& buffers, LaneSlot slot);

/// One stage of llama_backward, which calls them in their order, from 0. From the head, stage 0, to the last, only
/// `layers` and `dresidual` of `buffers` have to stay. Nothing where nothing learns.
void llama_backward_stage(const Weights& weights, const Block& block, const Learning& learning, float scale,
                          std::int64_t stage, BlockBuffers& buffers, LaneSlot slot);

/// From the gradient of llama_project_tokens' result (dqkv [rows, qkv width], summed over all lanes) to the
/// parameters, added to the lane. Its slot comes after those of all blocks of walks.
void llama_project_tokens_backward(const Weights& weights, const Block& tokens, Rows dqkv, BlockBuffers& buffers,
                                   LaneSlot slot);

/// Number of stages of llama_backward, see GradientLane.
std::int64_t llama_backward_stages(const LlamaConfig& config);
/// The stage after which nothing is added any more to the gradient of the parameter at `offset`;
/// llama_backward_stages(), one more than the last, where llama_project_tokens_backward still adds to it, which is
/// called for `by_token` (blocks with token_qkv).
std::int64_t llama_last_stage(const LlamaConfig& config, const ParameterLayout& layout, bool by_token,
                              std::int64_t offset);
/// The stage that adds to a lane's token_gradient.
std::int64_t llama_token_stage(const LlamaConfig& config);

}  // namespace strider
