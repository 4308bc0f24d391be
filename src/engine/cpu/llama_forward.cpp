#include "engine/cpu/llama.h"
#include "engine/cpu/ops/attention.h"
#include "engine/cpu/ops/cross_entropy.h"
#include "engine/cpu/ops/embedding.h"
#include "engine/cpu/ops/rms_norm.h"
#include "engine/cpu/ops/swiglu.h"

namespace strider {
namespace {

void attend(const Weights& weights, const Block& block, const LayerActivations& layer, std::byte* scratch) {
  const AttentionKernels& kernels = weights.attention();
  std::int64_t row = 0;
  for (const std::int64_t length : block.lengths) {
    attention_forward(kernels, weights.rope(), length, layer.qkv.from(row), layer.attention.from(row),
                      layer.log_sum_exp + row * kernels.shape().heads, scratch);
    row += length;
  }
}

// q, k, v of a layer, before rotation.
void project(const Weights& weights, std::int64_t index, const Block& block, const LayerActivations& layer,
             BlockBuffers& buffers) {
  const std::int64_t rows = block.rows();
  if (index == 0 && block.token_qkv != nullptr) {
    embedding_forward(rows, weights.attention().shape().qkv_width(), block.inputs.data(), block.token_qkv, layer.qkv);
    return;
  }
  llama_norm(weights, rows, weights.layout().layer(index).input_norm, layer.input, buffers.normed, layer.input_inverse);
  linear_forward(weights.qkv(index), rows, buffers.normed, layer.qkv, Write::kReplace, buffers.linear_scratch);
}

// x -> x + o(attention(norm(x))) -> that + down(swiglu(gate_up(norm(that))))
void layer_forward(const Weights& weights, std::int64_t index, const Block& block, const LayerActivations& layer,
                   Rows output, BlockBuffers& buffers) {
  llama_attention(weights, index, block, layer, buffers);
  copy_rows(block.rows(), weights.config().hidden_size, layer.input, layer.middle);
  llama_after_attention(weights, index, block.rows(), layer.attention, layer, output, buffers);
}

}  // namespace

void llama_norm(const Weights& weights, std::int64_t rows, std::int64_t weight_offset, ConstRows x, Rows y,
                float* inverse) {
  const LlamaConfig& config = weights.config();
  rms_norm_forward(rows, config.hidden_size, static_cast<float>(config.rms_norm_eps), x, weights.at(weight_offset), y,
                   inverse);
}

void llama_attention(const Weights& weights, std::int64_t index, const Block& block, const LayerActivations& layer,
                     BlockBuffers& buffers) {
  project(weights, index, block, layer, buffers);
  attend(weights, block, layer, buffers.attention_scratch);
}

void llama_after_attention(const Weights& weights, std::int64_t index, std::int64_t rows, ConstRows attention,
                           const LayerActivations& layer, Rows output, BlockBuffers& buffers) {
  linear_forward(weights.o(index), rows, attention, layer.middle, Write::kAdd, buffers.linear_scratch);
  copy_rows(rows, weights.config().hidden_size, layer.middle, output);
  llama_norm(weights, rows, weights.layout().layer(index).post_norm, layer.middle, buffers.normed,
             layer.middle_inverse);
  llama_feed_forward(weights, index, rows, 0, layer, output, buffers);
}

void llama_feed_forward(const Weights& weights, std::int64_t index, std::int64_t rows, std::int64_t kept,
                        const LayerActivations& layer, Rows output, BlockBuffers& buffers) {
  const PackedLinear gate_up = weights.gate_up(index);
  linear_forward(gate_up, {kept, gate_up.shape.out_features - kept}, rows, buffers.normed, layer.gate_up.from(0, kept),
                 Write::kReplace, buffers.linear_scratch);
  swiglu_forward(rows, weights.config().intermediate_size, layer.gate_up, buffers.act);
  linear_forward(weights.down(index), rows, buffers.act, output, Write::kAdd, buffers.linear_scratch);
}

void llama_forward(const Weights& weights, const Block& block, std::int64_t layers, bool keep, BlockBuffers& buffers) {
  const LlamaConfig& config = weights.config();
  // Without keeping, all layers share the first place: its input is free for the output once `middle` is there.
  auto place = [&](std::int64_t i) -> const LayerActivations& {
    return buffers.layers[keep ? static_cast<std::size_t>(i) : 0];
  };
  embedding_forward(block.rows(), config.hidden_size, block.inputs.data(), weights.at(weights.layout().embed_tokens()),
                    place(0).input);
  for (std::int64_t i = 0; i < layers; ++i) {
    layer_forward(weights, i, block, place(i), place(i + 1).input, buffers);
  }
  llama_norm(weights, block.rows(), weights.layout().final_norm(), place(layers).input, buffers.normed,
             buffers.final_inverse);
}

void llama_project_tokens(const Weights& weights, const Block& tokens, BlockBuffers& buffers, Rows qkv) {
  LayerActivations place = buffers.layers.front();
  place.qkv = qkv;
  embedding_forward(tokens.rows(), weights.config().hidden_size, tokens.inputs.data(),
                    weights.at(weights.layout().embed_tokens()), place.input);
  project(weights, 0, tokens, place, buffers);
}

void llama_losses(const Weights& weights, const Block& block, BlockBuffers& buffers) {
  cross_entropy_forward(weights.lm_head(), block.rows(), buffers.normed, block.targets.data(), buffers.losses,
                        buffers.loss_scratch, buffers.linear_scratch);
}

}  // namespace strider
