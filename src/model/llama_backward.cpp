#include <algorithm>

#include "model/llama.h"
#include "ops/attention.h"
#include "ops/cross_entropy.h"
#include "ops/embedding.h"
#include "ops/rms_norm.h"
#include "ops/swiglu.h"

namespace strider {
namespace {

// A lane's gradients while this block has its turn at a stage.
class Turn {
 public:
  Turn(LaneTurn turn, std::int64_t stage) : turn_(turn), stage_(stage) { turn_.lane->enter(stage_, turn_.number); }
  ~Turn() { turn_.lane->leave(stage_, turn_.number); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  float* at(std::int64_t offset) const { return turn_.lane->values() + offset; }
  Write write() const { return turn_.number == 0 ? Write::kReplace : Write::kAdd; }

  // For gradients that can only be added to.
  float* cleared_at(std::int64_t offset, std::int64_t floats) const {
    if (turn_.number == 0) std::fill_n(at(offset), floats, 0.0F);
    return at(offset);
  }

 private:
  LaneTurn turn_;
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
                     float* scratch) {
  const AttentionKernels& kernels = weights.attention();
  std::int64_t row = 0;
  for (const std::int64_t length : block.lengths) {
    attention_backward(kernels, weights.rope(), length, layer.qkv.from(row), dattention.from(row),
                       layer.log_sum_exp + row * kernels.shape().heads, scratch);
    row += length;
  }
}

// dresidual holds the gradient of the layer's output on entry, of `middle` on return.
void feed_forward_backward(const Weights& weights, std::int64_t index, std::int64_t rows, const LayerActivations& layer,
                           BlockBuffers& buffers, LaneTurn lane_turn) {
  const LlamaConfig& config = weights.config();
  const ParameterLayout::Layer& offsets = weights.layout().layer(index);
  const std::int64_t hidden = config.hidden_size;
  linear_backward_input(weights.down(index), rows, buffers.dresidual, buffers.dact, Write::kReplace,
                        buffers.linear_scratch);
  swiglu_backward(rows, config.intermediate_size, layer.gate_up, buffers.dact, buffers.act);
  linear_backward_input(weights.gate_up(index), rows, layer.gate_up, buffers.dnormed, Write::kReplace,
                        buffers.linear_scratch);
  rms_norm_apply(rows, hidden, layer.middle, weights.at(offsets.post_norm), layer.middle_inverse, buffers.normed);

  const Turn turn(lane_turn, feed_forward_stage(config.num_hidden_layers, index));
  linear_backward_weight(weights.down(index).shape, weights.precision(), rows, buffers.dresidual, buffers.act,
                         turn.at(offsets.down), turn.write(), buffers.linear_scratch);
  linear_backward_weight(weights.gate_up(index).shape, weights.precision(), rows, layer.gate_up, buffers.normed,
                         turn.at(offsets.gate_up), turn.write(), buffers.linear_scratch);
  rms_norm_backward(rows, hidden, layer.middle, weights.at(offsets.post_norm), layer.middle_inverse, buffers.dnormed,
                    buffers.dresidual, Write::kAdd, turn.cleared_at(offsets.post_norm, hidden));
}

// dresidual holds the gradient of `middle` on entry, of the layer's input on return.
void attention_part_backward(const Weights& weights, std::int64_t index, const Block& block,
                             const LayerActivations& layer, BlockBuffers& buffers, LaneTurn lane_turn) {
  const LlamaConfig& config = weights.config();
  const ParameterLayout::Layer& offsets = weights.layout().layer(index);
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t rows = block.rows();
  linear_backward_input(weights.o(index), rows, buffers.dresidual, buffers.dattention, Write::kReplace,
                        buffers.linear_scratch);
  attend_backward(weights, block, layer, buffers.dattention, buffers.attention_scratch);
  linear_backward_input(weights.qkv(index), rows, layer.qkv, buffers.dnormed, Write::kReplace, buffers.linear_scratch);
  rms_norm_apply(rows, hidden, layer.input, weights.at(offsets.input_norm), layer.input_inverse, buffers.normed);

  const Turn turn(lane_turn, attention_stage(config.num_hidden_layers, index));
  linear_backward_weight(weights.o(index).shape, weights.precision(), rows, buffers.dresidual, layer.attention,
                         turn.at(offsets.o), turn.write(), buffers.linear_scratch);
  linear_backward_weight(weights.qkv(index).shape, weights.precision(), rows, layer.qkv, buffers.normed,
                         turn.at(offsets.qkv), turn.write(), buffers.linear_scratch);
  rms_norm_backward(rows, hidden, layer.input, weights.at(offsets.input_norm), layer.input_inverse, buffers.dnormed,
                    buffers.dresidual, Write::kAdd, turn.cleared_at(offsets.input_norm, hidden));
}

// From the losses to the gradient of the last residual stream, in dresidual.
void head_backward(const Weights& weights, const Block& block, float scale, BlockBuffers& buffers, LaneTurn lane_turn) {
  const LlamaConfig& config = weights.config();
  const ParameterLayout& layout = weights.layout();
  const std::int64_t rows = block.rows();
  // With tied embeddings the last stage adds to the same table, so the block before must have left that one, too.
  if (config.tie_word_embeddings) {
    lane_turn.lane->enter(embedding_stage(config.num_hidden_layers), lane_turn.number);
  }
  const Turn turn(lane_turn, head_stage());
  cross_entropy_forward_backward(weights.lm_head(), rows, buffers.normed, block.targets.data(), scale, buffers.losses,
                                 buffers.dnormed, turn.at(layout.lm_head()), turn.write(), buffers.loss_scratch,
                                 buffers.linear_scratch);
  rms_norm_backward(rows, config.hidden_size, buffers.layers.back().input, weights.at(layout.final_norm()),
                    buffers.final_inverse, buffers.dnormed, buffers.dresidual, Write::kReplace,
                    turn.cleared_at(layout.final_norm(), config.hidden_size));
}

}  // namespace

std::int64_t llama_backward_stages(const LlamaConfig& config) {
  return embedding_stage(config.num_hidden_layers) + 1;
}

void llama_backward(const Weights& weights, const Block& block, float scale, BlockBuffers& buffers,
                    LaneTurn lane_turn) {
  const LlamaConfig& config = weights.config();
  head_backward(weights, block, scale, buffers, lane_turn);
  for (std::int64_t i = config.num_hidden_layers - 1; i >= 0; --i) {
    const LayerActivations& layer = buffers.layers[static_cast<std::size_t>(i)];
    feed_forward_backward(weights, i, block.rows(), layer, buffers, lane_turn);
    attention_part_backward(weights, i, block, layer, buffers, lane_turn);
  }
  const Turn turn(lane_turn, embedding_stage(config.num_hidden_layers));
  const std::int64_t table = config.vocab_size * config.hidden_size;
  float* const dtable = config.tie_word_embeddings ? turn.at(weights.layout().embed_tokens())
                                                   : turn.cleared_at(weights.layout().embed_tokens(), table);
  embedding_backward(block.rows(), config.hidden_size, block.inputs.data(), config.pad_token_id.value_or(-1),
                     buffers.dresidual, dtable);
}

}  // namespace strider
