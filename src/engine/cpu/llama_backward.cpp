#include <algorithm>

#include "engine/cpu/llama.h"
#include "engine/cpu/ops/attention.h"
#include "engine/cpu/ops/cross_entropy.h"
#include "engine/cpu/ops/embedding.h"
#include "engine/cpu/ops/rms_norm.h"
#include "engine/cpu/ops/swiglu.h"

namespace strider {
namespace {

// A lane's gradients, while this block is the one that may add to them at a stage: waits for the lane's blocks before
// it, and lets the next one in at its end.
class StageGuard {
 public:
  StageGuard(LaneSlot slot, std::int64_t stage) : slot_(slot), stage_(stage) {
    slot_.lane->enter(stage_, slot_.number);
  }
  ~StageGuard() { slot_.lane->leave(stage_, slot_.number); }
  StageGuard(const StageGuard&) = delete;
  StageGuard& operator=(const StageGuard&) = delete;

  float* at(std::int64_t offset) const { return slot_.lane->values() + offset; }
  Write write() const { return slot_.number == 0 ? Write::kReplace : Write::kAdd; }

  // For gradients that can only be added to.
  float* cleared_at(std::int64_t offset, std::int64_t floats) const { return cleared(at(offset), floats); }
  float* cleared_tokens(std::int64_t floats) const { return cleared(slot_.lane->token_gradient(), floats); }

 private:
  float* cleared(float* values, std::int64_t floats) const {
    if (slot_.number == 0) std::fill_n(values, floats, 0.0F);
    return values;
  }

  LaneSlot slot_;
  std::int64_t stage_;
};

// Stages count in the order of the backward pass.
std::int64_t head_stage() {
  return 0;
}
std::int64_t feed_forward_stage(std::int64_t layers, std::int64_t index) {
  return 1 + 2 * (layers - 1 - index);
}
std::int64_t attention_stage(std::int64_t layers, std::int64_t index) {
  return 2 + 2 * (layers - 1 - index);
}
std::int64_t embedding_stage(std::int64_t layers) {
  return 1 + 2 * layers;
}

void attend_backward(const Weights& weights, const Block& block, const LayerActivations& layer, Rows dattention,
                     std::byte* scratch) {
  const AttentionKernels& kernels = weights.attention();
  std::int64_t row = 0;
  for (const std::int64_t length : block.lengths) {
    attention_backward(kernels, weights.rope(), length, layer.qkv.from(row), dattention.from(row),
                       layer.log_sum_exp + row * kernels.shape().heads, scratch);
    row += length;
  }
}

// dresidual holds the gradient of the layer's output on entry, of `middle` on relane.
void feed_forward_backward(const Weights& weights, std::int64_t index, std::int64_t rows, const LayerActivations& layer,
                           BlockBuffers& buffers, LaneSlot slot) {
  const LlamaConfig& config = weights.config();
  const ParameterLayout::Layer& offsets = weights.layout().layer(index);
  const std::int64_t hidden = config.hidden_size;
  linear_backward_input(weights.down(index), rows, buffers.dresidual, buffers.dact, Write::kReplace,
                        buffers.linear_scratch);
  swiglu_backward(rows, config.intermediate_size, layer.gate_up, buffers.dact, buffers.act);
  linear_backward_input(weights.gate_up(index), rows, layer.gate_up, buffers.dnormed, Write::kReplace,
                        buffers.linear_scratch);
  rms_norm_apply(rows, hidden, layer.middle, weights.at(offsets.post_norm), layer.middle_inverse, buffers.normed);

  const StageGuard lane(slot, feed_forward_stage(config.num_hidden_layers, index));
  linear_backward_weight(weights.down(index).shape, weights.precision(), rows, buffers.dresidual, buffers.act,
                         lane.at(offsets.down), lane.write(), buffers.linear_scratch);
  linear_backward_weight(weights.gate_up(index).shape, weights.precision(), rows, layer.gate_up, buffers.normed,
                         lane.at(offsets.gate_up), lane.write(), buffers.linear_scratch);
  rms_norm_backward(rows, hidden, layer.middle, weights.at(offsets.post_norm), layer.middle_inverse, buffers.dnormed,
                    buffers.dresidual, Write::kAdd, lane.cleared_at(offsets.post_norm, hidden));
}

// dqkv from a layer's q, k, v through the projection and the norm: the parameters' part into the lane, and the
// gradient of layer.input, which replaces or is added to dresidual. Wants buffers.normed.
void project_backward(const Weights& weights, std::int64_t index, std::int64_t rows, const LayerActivations& layer,
                      Write write, BlockBuffers& buffers, const StageGuard& lane) {
  const std::int64_t hidden = weights.config().hidden_size;
  const ParameterLayout::Layer& offsets = weights.layout().layer(index);
  linear_backward_weight(weights.qkv(index).shape, weights.precision(), rows, layer.qkv, buffers.normed,
                         lane.at(offsets.qkv), lane.write(), buffers.linear_scratch);
  rms_norm_backward(rows, hidden, layer.input, weights.at(offsets.input_norm), layer.input_inverse, buffers.dnormed,
                    buffers.dresidual, write, lane.cleared_at(offsets.input_norm, hidden));
}

// The gradient of the first q, k, v per token; the projection's own gradient comes when all blocks are through.
void add_to_tokens(const Weights& weights, const Block& block, const LayerActivations& layer, const StageGuard& lane) {
  const LinearShape shape = weights.qkv(0).shape;
  const ParameterLayout::Layer& offsets = weights.layout().layer(0);
  lane.cleared_at(offsets.qkv, shape.out_features * shape.in_features);
  lane.cleared_at(offsets.input_norm, shape.in_features);
  embedding_backward(block.rows(), shape.out_features, block.inputs.data(), -1, layer.qkv,
                     lane.cleared_tokens(weights.config().vocab_size * shape.out_features));
}

// dresidual holds the gradient of `middle` on entry, of the layer's input on relane.
void attention_part_backward(const Weights& weights, std::int64_t index, const Block& block,
                             const LayerActivations& layer, BlockBuffers& buffers, LaneSlot slot) {
  const LlamaConfig& config = weights.config();
  const ParameterLayout::Layer& offsets = weights.layout().layer(index);
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t rows = block.rows();
  linear_backward_input(weights.o(index), rows, buffers.dresidual, buffers.dattention, Write::kReplace,
                        buffers.linear_scratch);
  attend_backward(weights, block, layer, buffers.dattention, buffers.attention_scratch);
  const bool by_token = index == 0 && block.token_qkv != nullptr;
  if (!by_token) {
    linear_backward_input(weights.qkv(index), rows, layer.qkv, buffers.dnormed, Write::kReplace,
                          buffers.linear_scratch);
    rms_norm_apply(rows, hidden, layer.input, weights.at(offsets.input_norm), layer.input_inverse, buffers.normed);
  }

  const StageGuard lane(slot, attention_stage(config.num_hidden_layers, index));
  linear_backward_weight(weights.o(index).shape, weights.precision(), rows, buffers.dresidual, layer.attention,
                         lane.at(offsets.o), lane.write(), buffers.linear_scratch);
  if (by_token) {
    add_to_tokens(weights, block, layer, lane);
  } else {
    project_backward(weights, index, rows, layer, Write::kAdd, buffers, lane);
  }
}

// From the losses to the gradient of `normed`, in dnormed, and of lm_head.
void lm_head_backward(const Weights& weights, const Block& block, float scale, BlockBuffers& buffers,
                      const StageGuard& lane) {
  cross_entropy_forward_backward(weights.lm_head(), block.rows(), buffers.normed, block.targets.data(), scale,
                                 buffers.losses, buffers.dnormed, lane.at(weights.layout().lm_head()), lane.write(),
                                 buffers.loss_scratch, buffers.linear_scratch);
}

// From the losses to the gradient of the last residual stream, that after `layers` layers, in dresidual.
void head_backward(const Weights& weights, const Block& block, std::int64_t layers, float scale, BlockBuffers& buffers,
                   LaneSlot slot) {
  const LlamaConfig& config = weights.config();
  const ParameterLayout& layout = weights.layout();
  const std::int64_t rows = block.rows();
  // With tied embeddings the last stage adds to the same table, so the block before must have left that one, too.
  if (config.tie_word_embeddings) {
    slot.lane->enter(embedding_stage(config.num_hidden_layers), slot.number);
  }
  const StageGuard lane(slot, head_stage());
  lm_head_backward(weights, block, scale, buffers, lane);
  rms_norm_backward(rows, config.hidden_size, buffers.layers[layers].input, weights.at(layout.final_norm()),
                    buffers.final_inverse, buffers.dnormed, buffers.dresidual, Write::kReplace,
                    lane.cleared_at(layout.final_norm(), config.hidden_size));
}

// dresidual holds the gradient of the first residual stream.
void embedding_part_backward(const Weights& weights, const Block& block, BlockBuffers& buffers, LaneSlot slot) {
  const LlamaConfig& config = weights.config();
  const std::int64_t at = weights.layout().embed_tokens();
  const StageGuard lane(slot, embedding_stage(config.num_hidden_layers));
  float* const dtable =
      config.tie_word_embeddings ? lane.at(at) : lane.cleared_at(at, config.vocab_size * config.hidden_size);
  embedding_backward(block.rows(), config.hidden_size, block.inputs.data(), config.pad_token_id.value_or(-1),
                     buffers.dresidual, dtable);
}

}  // namespace

void llama_project_tokens_backward(const Weights& weights, const Block& tokens, Rows dqkv, BlockBuffers& buffers,
                                   LaneSlot slot) {
  const LlamaConfig& config = weights.config();
  const ParameterLayout& layout = weights.layout();
  const std::int64_t rows = tokens.rows();
  LayerActivations place = buffers.layers.front();
  place.qkv = dqkv;
  embedding_forward(rows, config.hidden_size, tokens.inputs.data(), weights.at(layout.embed_tokens()), place.input);
  rms_norm_forward(rows, config.hidden_size, static_cast<float>(config.rms_norm_eps), place.input,
                   weights.at(layout.layer(0).input_norm), buffers.normed, place.input_inverse);
  linear_backward_input(weights.qkv(0), rows, dqkv, buffers.dnormed, Write::kReplace, buffers.linear_scratch);
  {
    const StageGuard lane(slot, attention_stage(config.num_hidden_layers, 0));
    project_backward(weights, 0, rows, place, Write::kReplace, buffers, lane);
  }
  const StageGuard lane(slot, embedding_stage(config.num_hidden_layers));
  embedding_backward(rows, config.hidden_size, tokens.inputs.data(), config.pad_token_id.value_or(-1),
                     buffers.dresidual, lane.at(layout.embed_tokens()));
}

std::int64_t llama_backward_stages(const LlamaConfig& config) {
  return embedding_stage(config.num_hidden_layers) + 1;
}

void llama_backward_stage(const Weights& weights, const Block& block, const Learning& learning, float scale,
                          std::int64_t stage, BlockBuffers& buffers, LaneSlot slot) {
  const LlamaConfig& config = weights.config();
  if (stage == head_stage()) {
    if (learning.only_lm_head) {
      const StageGuard lane(slot, head_stage());
      lm_head_backward(weights, block, scale, buffers, lane);
    } else {
      head_backward(weights, block, learning.layers, scale, buffers, slot);
    }
    return;
  }
  if (learning.only_lm_head) return;
  if (stage == embedding_stage(config.num_hidden_layers)) {
    if (learns(learning, weights.layout(), weights.layout().embed_tokens())) {
      embedding_part_backward(weights, block, buffers, slot);
    }
    return;
  }
  const std::int64_t index = config.num_hidden_layers - 1 - (stage - 1) / 2;
  if (index < learning.first_layer || index >= learning.layers) return;
  const LayerActivations& layer = buffers.layers[static_cast<std::size_t>(index)];
  if (stage == feed_forward_stage(config.num_hidden_layers, index)) {
    feed_forward_backward(weights, index, block.rows(), layer, buffers, slot);
  } else {
    attention_part_backward(weights, index, block, layer, buffers, slot);
  }
}

void llama_backward(const Weights& weights, const Block& block, const Learning& learning, float scale,
                    BlockBuffers& buffers, LaneSlot slot) {
  for (std::int64_t stage = 0; stage < llama_backward_stages(weights.config()); ++stage) {
    llama_backward_stage(weights, block, learning, scale, stage, buffers, slot);
  }
}

std::int64_t llama_last_stage(const LlamaConfig& config, const ParameterLayout& layout, bool by_token,
                              std::int64_t offset) {
  const std::int64_t layers = config.num_hidden_layers;
  if (offset >= layout.begin_of_layer(layers)) return head_stage();
  const std::int64_t of_tokens = llama_backward_stages(config);
  if (offset < layout.begin_of_layer(0)) return by_token ? of_tokens : embedding_stage(layers);
  std::int64_t index = 0;
  while (offset >= layout.begin_of_layer(index + 1)) index += 1;
  const ParameterLayout::Layer& layer = layout.layer(index);
  const bool is_input = offset < layer.o || (offset >= layer.input_norm && offset < layer.post_norm);
  if (is_input && by_token && index == 0) return of_tokens;
  const bool is_attention = is_input || (offset >= layer.o && offset < layer.gate_up);
  return is_attention ? attention_stage(layers, index) : feed_forward_stage(layers, index);
}

std::int64_t llama_token_stage(const LlamaConfig& config) {
  return attention_stage(config.num_hidden_layers, 0);
}

}  // namespace strider
