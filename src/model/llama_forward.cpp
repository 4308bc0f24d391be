#include <algorithm>

#include "model/llama.h"
#include "ops/attention.h"
#include "ops/cross_entropy.h"
#include "ops/embedding.h"
#include "ops/rms_norm.h"
#include "ops/swiglu.h"

namespace strider {
namespace {

void copy_rows(std::int64_t rows, std::int64_t width, ConstRows from, Rows to) {
  for (std::int64_t r = 0; r < rows; ++r) std::copy_n(from.row(r), width, to.row(r));
}

void attend(const Weights& weights, const Block& block, const LayerActivations& layer, float* scratch) {
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
  const LlamaConfig& config = weights.config();
  const std::int64_t rows = block.rows();
  if (index == 0 && block.token_qkv != nullptr) {
    embedding_forward(rows, weights.attention().shape().qkv_width(), block.inputs.data(), block.token_qkv, layer.qkv);
    return;
  }
  rms_norm_forward(rows, config.hidden_size, static_cast<float>(config.rms_norm_eps), layer.input,
                   weights.at(weights.layout().layer(index).input_norm), buffers.normed, layer.input_inverse);
  linear_forward(weights.qkv(index), rows, buffers.normed, layer.qkv, Write::kReplace, buffers.linear_scratch);
}

// x -> x + o(attention(norm(x))) -> that + down(swiglu(gate_up(norm(that))))
void layer_forward(const Weights& weights, std::int64_t index, const Block& block, const LayerActivations& layer,
                   Rows output, BlockBuffers& buffers) {
  const LlamaConfig& config = weights.config();
  const ParameterLayout::Layer& offsets = weights.layout().layer(index);
  const std::int64_t rows = block.rows();
  const auto eps = static_cast<float>(config.rms_norm_eps);

  project(weights, index, block, layer, buffers);
  attend(weights, block, layer, buffers.attention_scratch);
  copy_rows(rows, config.hidden_size, layer.input, layer.middle);
  linear_forward(weights.o(index), rows, layer.attention, layer.middle, Write::kAdd, buffers.linear_scratch);

  rms_norm_forward(rows, config.hidden_size, eps, layer.middle, weights.at(offsets.post_norm), buffers.normed,
                   layer.middle_inverse);
  linear_forward(weights.gate_up(index), rows, buffers.normed, layer.gate_up, Write::kReplace, buffers.linear_scratch);
  swiglu_forward(rows, config.intermediate_size, layer.gate_up, buffers.act);
  copy_rows(rows, config.hidden_size, layer.middle, output);
  linear_forward(weights.down(index), rows, buffers.act, output, Write::kAdd, buffers.linear_scratch);
}

}  // namespace

void llama_forward(const Weights& weights, const Block& block, bool keep, BlockBuffers& buffers) {
  const LlamaConfig& config = weights.config();
  // Without keeping, all layers share the first place: its input is free for the output once `middle` is there.
  auto place = [&](std::int64_t i) -> const LayerActivations& {
    return buffers.layers[keep ? static_cast<std::size_t>(i) : 0];
  };
  const std::int64_t layers = config.num_hidden_layers;
  embedding_forward(block.rows(), config.hidden_size, block.inputs.data(), weights.at(weights.layout().embed_tokens()),
                    place(0).input);
  for (std::int64_t i = 0; i < layers; ++i) {
    layer_forward(weights, i, block, place(i), place(i + 1).input, buffers);
  }
  rms_norm_forward(block.rows(), config.hidden_size, static_cast<float>(config.rms_norm_eps), place(layers).input,
                   weights.at(weights.layout().final_norm()), buffers.normed, buffers.final_inverse);
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
