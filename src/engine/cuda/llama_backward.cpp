#include "engine/cpu/ops/rope.h"
#include "engine/cuda/llama.h"
#include "engine/cuda/ops/attention.h"
#include "engine/cuda/ops/embedding.h"
#include "engine/cuda/ops/rms_norm.h"
#include "engine/cuda/ops/swiglu.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

// Where dresidual is written once more as an operand; nowhere where it is one itself.
template <typename T>
DeviceSpan<Bfloat16> rounded_dresidual(const Pass<T>& pass) {
  if constexpr (std::is_same_v<T, float>) {
    return {};
  } else {
    return pass.rows(pass.memory.activations.dresidual_operand, pass.config.hidden_size);
  }
}

// From dy to the norm's input, in dresidual, and to its weight.
template <typename T, typename Dy>
void norm_backward(const Pass<T>& pass, std::int64_t weight_offset, DeviceSpan<float> x, DeviceSpan<float> inverse,
                   DeviceSpan<const Dy> dy, Write write) {
  const std::int64_t hidden = pass.config.hidden_size;
  const Activations<T>& activations = pass.memory.activations;
  rms_norm_backward<Dy>(pass.stream, pass.shape.rows, hidden, pass.rows(x, hidden), pass.weight(weight_offset, hidden),
                        pass.rows(inverse, 1), pass.rows(dy, hidden), pass.rows(activations.dresidual, hidden), write,
                        rounded_dresidual(pass), pass.gradient(weight_offset, hidden), activations.norm_scratch);
}

// The gradient of a linear layer's weight.
template <typename T>
void weight_backward(const Pass<T>& pass, LinearShape shape, std::int64_t offset, DeviceSpan<const T> dy,
                     DeviceSpan<const T> x) {
  linear_backward_weight<T>(pass.products, pass.stream, shape, pass.shape.rows, dy, shape.out_features, x,
                            pass.gradient(offset, shape));
}

// The weight's gradient and that of x.
template <typename T>
void linear_backward(const Pass<T>& pass, LinearShape shape, std::int64_t offset, DeviceSpan<const T> dy,
                     DeviceSpan<const T> x, DeviceSpan<T> dx) {
  weight_backward(pass, shape, offset, dy, x);
  linear_backward_input<T>(pass.products, pass.stream, shape, pass.shape.rows, dy, pass.operand(offset, shape), dx);
}

// dresidual holds the gradient of the layer's output on entry, of `middle` afterwards.
template <typename T>
void feed_forward_backward(const Pass<T>& pass, std::int64_t index) {
  const LayerActivations<T>& layer = pass.layer(index);
  const ParameterLayout::Layer& offsets = pass.layout.layer(index);
  const Activations<T>& activations = pass.memory.activations;
  const std::int64_t hidden = pass.config.hidden_size;
  const DeviceSpan<T> gate_up = pass.rows(layer.gate_up, pass.gate_up().out_features);
  const DeviceSpan<T> act = pass.rows(activations.act, pass.config.intermediate_size);
  const DeviceSpan<T> dresidual = pass.rows(activations.dresidual_operand, hidden);

  // act holds its own gradient until it is computed again.
  linear_backward_input<T>(pass.products, pass.stream, pass.down(), pass.shape.rows, dresidual,
                           pass.operand(offsets.down, pass.down()), act);
  swiglu_backward(pass.stream, pass.shape.rows, pass.config.intermediate_size, gate_up, act);
  weight_backward<T>(pass, pass.down(), offsets.down, dresidual, act);
  linear_backward<T>(pass, pass.gate_up(), offsets.gate_up, gate_up, pass.rows(layer.middle_normed, hidden),
                     pass.rows(activations.dnormed, hidden));
  norm_backward<T, T>(pass, offsets.post_norm, layer.middle, layer.middle_inverse, activations.dnormed, Write::kAdd);
}

// dresidual holds the gradient of `middle` on entry, of the layer's input afterwards.
template <typename T>
void attention_part_backward(const Pass<T>& pass, std::int64_t index) {
  const LayerActivations<T>& layer = pass.layer(index);
  const ParameterLayout::Layer& offsets = pass.layout.layer(index);
  const Activations<T>& activations = pass.memory.activations;
  const AttentionShape attention = attention_shape_of(pass.config);
  const std::int64_t hidden = pass.config.hidden_size;
  const std::int64_t rows = pass.shape.rows;
  const DeviceSpan<T> attended = pass.rows(layer.attention, pass.o().in_features);
  const DeviceSpan<T> dattention = pass.rows(activations.dattention, pass.o().in_features);
  const DeviceSpan<T> dqkv = pass.rows(activations.dqkv, attention.qkv_width());

  linear_backward<T>(pass, pass.o(), offsets.o, pass.rows(activations.dresidual_operand, hidden), attended, dattention);
  attention_backward<T>(pass.stream, attention, score_scale(attention.head_dim), pass.shape.tiles, pass.batch.tiles,
                        pass.rows(layer.qkv, attention.qkv_width()), attended, dattention,
                        pass.rows(layer.log_sum_exp, attention.heads), pass.rows(activations.products, attention.heads),
                        dqkv);
  rope(pass.stream, rows, attention, -1.0F, pass.batch.positions, pass.memory.cosines, pass.memory.sines, dqkv);
  linear_backward<T>(pass, pass.qkv(), offsets.qkv, dqkv, pass.rows(layer.input_normed, hidden),
                     pass.rows(activations.dnormed, hidden));
  norm_backward<T, T>(pass, offsets.input_norm, layer.input, layer.input_inverse, activations.dnormed, Write::kAdd);
}

// dx [rows, hidden] is replaced, or left alone where it has size 0.
template <typename T>
void loss_backward(const Pass<T>& pass, DeviceSpan<const float> loss_scale, DeviceSpan<float> dx) {
  const Activations<T>& activations = pass.memory.activations;
  cross_entropy_backward<T>(pass.products, pass.stream, pass.lm_head(), pass.shape.rows,
                            pass.rows(activations.output_normed, pass.config.hidden_size),
                            pass.operand(pass.layout.lm_head(), pass.lm_head()), pass.batch.targets, loss_scale,
                            activations.loss, dx, pass.gradient(pass.layout.lm_head(), pass.lm_head()));
}

}  // namespace

template <typename T>
void llama_backward(const Pass<T>& pass, DeviceSpan<const float> loss_scale) {
  const std::int64_t hidden = pass.config.hidden_size;
  const Activations<T>& activations = pass.memory.activations;
  if (pass.learning.only_lm_head) {
    loss_backward(pass, loss_scale, {});
    return;
  }
  // The blocks of a large vocabulary are summed in float32, and the final norm works in place.
  const DeviceSpan<float> dresidual = pass.rows(activations.dresidual, hidden);
  loss_backward(pass, loss_scale, dresidual);
  norm_backward<T, float>(pass, pass.layout.final_norm(), activations.output, activations.output_inverse, dresidual,
                          Write::kReplace);
  for (std::int64_t i = pass.learning.layers - 1; i >= pass.learning.first_layer; --i) {
    feed_forward_backward(pass, i);
    attention_part_backward(pass, i);
  }
  if (!learns(pass.learning, pass.layout, pass.layout.embed_tokens())) return;
  embedding_backward(pass.stream, pass.config.vocab_size, hidden, pass.config.pad_token_id.value_or(-1),
                     pass.batch.rows_by_token, pass.batch.first_of_token, dresidual,
                     pass.gradient(pass.layout.embed_tokens(), pass.lm_head()));
}

template void llama_backward<float>(const Pass<float>&, DeviceSpan<const float>);
template void llama_backward<Bfloat16>(const Pass<Bfloat16>&, DeviceSpan<const float>);

}  // namespace strider::cuda
