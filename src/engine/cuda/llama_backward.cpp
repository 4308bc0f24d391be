#include "engine/cpu/ops/rope.h"
#include "engine/cuda/llama.h"
#include "engine/cuda/ops/attention.h"
#include "engine/cuda/ops/embedding.h"
#include "engine/cuda/ops/rms_norm.h"
#include "engine/cuda/ops/swiglu.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

// From activations.dnormed to the norm's input and weight.
void norm_backward(const Pass& pass, std::int64_t weight_offset, DeviceSpan<float> x, DeviceSpan<float> inverse,
                   Write write) {
  const std::int64_t hidden = pass.config.hidden_size;
  const Activations& activations = pass.memory.activations;
  rms_norm_backward(pass.stream, pass.shape.rows, hidden, pass.rows(x, hidden), pass.weight(weight_offset, hidden),
                    pass.rows(inverse, 1), pass.rows(activations.dnormed, hidden),
                    pass.rows(activations.dresidual, hidden), write, pass.gradient(weight_offset, hidden),
                    activations.norm_scratch);
}

// A linear layer y = x W^T: the weight's gradient, and that of x.
void linear_backward(const Pass& pass, LinearShape shape, std::int64_t offset, DeviceSpan<const float> dy,
                     DeviceSpan<const float> x, DeviceSpan<float> dx) {
  linear_backward_weight(pass.products, pass.stream, shape, pass.shape.rows, dy, x, pass.gradient(offset, shape));
  linear_backward_input(pass.products, pass.stream, shape, pass.shape.rows, dy, pass.weight(offset, shape), dx);
}

// dresidual holds the gradient of the layer's output on entry, of `middle` afterwards.
void feed_forward_backward(const Pass& pass, std::int64_t index) {
  const LayerActivations& layer = pass.layer(index);
  const ParameterLayout::Layer& offsets = pass.layout.layer(index);
  const Activations& activations = pass.memory.activations;
  const std::int64_t hidden = pass.config.hidden_size;
  const DeviceSpan<float> gate_up = pass.rows(layer.gate_up, pass.gate_up().out_features);
  const DeviceSpan<float> act = pass.rows(activations.act, pass.config.intermediate_size);
  const DeviceSpan<float> dresidual = pass.rows(activations.dresidual, hidden);

  // act holds its own gradient until it is computed again.
  linear_backward_input(pass.products, pass.stream, pass.down(), pass.shape.rows, dresidual,
                        pass.weight(offsets.down, pass.down()), act);
  swiglu_backward(pass.stream, pass.shape.rows, pass.config.intermediate_size, gate_up, act);
  linear_backward_weight(pass.products, pass.stream, pass.down(), pass.shape.rows, dresidual, act,
                         pass.gradient(offsets.down, pass.down()));
  linear_backward(pass, pass.gate_up(), offsets.gate_up, gate_up, pass.rows(layer.middle_normed, hidden),
                  pass.rows(activations.dnormed, hidden));
  norm_backward(pass, offsets.post_norm, layer.middle, layer.middle_inverse, Write::kAdd);
}

// dresidual holds the gradient of `middle` on entry, of the layer's input afterwards.
void attention_part_backward(const Pass& pass, std::int64_t index) {
  const LayerActivations& layer = pass.layer(index);
  const ParameterLayout::Layer& offsets = pass.layout.layer(index);
  const Activations& activations = pass.memory.activations;
  const AttentionShape attention = attention_shape_of(pass.config);
  const std::int64_t hidden = pass.config.hidden_size;
  const std::int64_t rows = pass.shape.rows;
  const DeviceSpan<float> attended = pass.rows(layer.attention, pass.o().in_features);
  const DeviceSpan<float> dattention = pass.rows(activations.dattention, pass.o().in_features);
  const DeviceSpan<float> dqkv = pass.rows(activations.dqkv, attention.qkv_width());

  linear_backward(pass, pass.o(), offsets.o, pass.rows(activations.dresidual, hidden), attended, dattention);
  attention_backward(pass.stream, attention, score_scale(attention.head_dim), pass.shape.tiles, pass.batch.tiles,
                     pass.rows(layer.qkv, attention.qkv_width()), attended, dattention,
                     pass.rows(layer.log_sum_exp, attention.heads), pass.rows(activations.products, attention.heads),
                     dqkv);
  rope(pass.stream, rows, attention, -1.0F, pass.batch.positions, pass.memory.cosines, pass.memory.sines, dqkv);
  linear_backward(pass, pass.qkv(), offsets.qkv, dqkv, pass.rows(layer.input_normed, hidden),
                  pass.rows(activations.dnormed, hidden));
  norm_backward(pass, offsets.input_norm, layer.input, layer.input_inverse, Write::kAdd);
}

}  // namespace

void llama_backward(const Pass& pass) {
  const std::int64_t hidden = pass.config.hidden_size;
  const Activations& activations = pass.memory.activations;
  cross_entropy_backward(
      pass.products, pass.stream, pass.lm_head(), pass.shape.rows, pass.rows(activations.output_normed, hidden),
      pass.weight(pass.layout.lm_head(), pass.lm_head()), pass.batch.targets, pass.memory.loss_scale, activations.loss,
      pass.rows(activations.dnormed, hidden), pass.gradient(pass.layout.lm_head(), pass.lm_head()));
  norm_backward(pass, pass.layout.final_norm(), activations.output, activations.output_inverse, Write::kReplace);
  for (std::int64_t i = pass.config.num_hidden_layers - 1; i >= 0; --i) {
    feed_forward_backward(pass, i);
    attention_part_backward(pass, i);
  }
  embedding_backward(pass.stream, pass.config.vocab_size, hidden, pass.config.pad_token_id.value_or(-1),
                     pass.batch.rows_by_token, pass.batch.first_of_token, pass.rows(activations.dresidual, hidden),
                     pass.gradient(pass.layout.embed_tokens(), pass.lm_head()));
}

}  // namespace strider::cuda
