#include "engine/cpu/ops/rope.h"
#include "engine/cuda/llama.h"
#include "engine/cuda/ops/attention.h"
#include "engine/cuda/ops/embedding.h"
#include "engine/cuda/ops/rms_norm.h"
#include "engine/cuda/ops/swiglu.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {

LinearShape Pass::qkv() const {
  return {config.hidden_size, attention_shape_of(config).qkv_width()};
}
LinearShape Pass::o() const {
  return {config.num_attention_heads * config.head_dim, config.hidden_size};
}
LinearShape Pass::gate_up() const {
  return {config.hidden_size, 2 * config.intermediate_size};
}
LinearShape Pass::down() const {
  return {config.intermediate_size, config.hidden_size};
}
LinearShape Pass::lm_head() const {
  return {config.hidden_size, config.vocab_size};
}

DeviceSpan<const float> Pass::weight(std::int64_t offset, std::int64_t size) const {
  return part(memory.parameters, offset, size);
}
DeviceSpan<const float> Pass::weight(std::int64_t offset, LinearShape linear) const {
  return weight(offset, linear.in_features * linear.out_features);
}
DeviceSpan<float> Pass::gradient(std::int64_t offset, std::int64_t size) const {
  return part(memory.gradient, offset, size);
}
DeviceSpan<float> Pass::gradient(std::int64_t offset, LinearShape linear) const {
  return gradient(offset, linear.in_features * linear.out_features);
}

DeviceSpan<float> Pass::rows(DeviceSpan<float> buffer, std::int64_t width) const {
  return part(buffer, 0, shape.rows * width);
}

const LayerActivations& Pass::layer(std::int64_t index) const {
  const std::vector<LayerActivations>& layers = memory.activations.layers;
  return layers.size() == 1 ? layers.front() : layers[static_cast<std::size_t>(index)];
}

// Where the layers share one place, its input is free for the output once `middle` is there.
DeviceSpan<float> Pass::output_of(std::int64_t index) const {
  const bool is_last = index + 1 == config.num_hidden_layers;
  return rows(is_last ? memory.activations.output : layer(index + 1).input, config.hidden_size);
}

namespace {

void norm(const Pass& pass, std::int64_t weight_offset, DeviceSpan<const float> x, DeviceSpan<float> y,
          DeviceSpan<float> inverse) {
  const std::int64_t hidden = pass.config.hidden_size;
  rms_norm_forward(pass.stream, pass.shape.rows, hidden, static_cast<float>(pass.config.rms_norm_eps), x,
                   pass.weight(weight_offset, hidden), pass.rows(y, hidden), pass.rows(inverse, 1));
}

// x -> x + o(attention(norm(x))) -> that + down(swiglu(gate_up(norm(that))))
void layer_forward(const Pass& pass, std::int64_t index) {
  const LayerActivations& layer = pass.layer(index);
  const ParameterLayout::Layer& offsets = pass.layout.layer(index);
  const AttentionShape attention = attention_shape_of(pass.config);
  const std::int64_t rows = pass.shape.rows;
  const std::int64_t hidden = pass.config.hidden_size;
  const DeviceSpan<float> input = pass.rows(layer.input, hidden);
  const DeviceSpan<float> middle = pass.rows(layer.middle, hidden);
  const DeviceSpan<float> qkv = pass.rows(layer.qkv, attention.qkv_width());
  const DeviceSpan<float> attended = pass.rows(layer.attention, pass.o().in_features);
  const DeviceSpan<float> gate_up = pass.rows(layer.gate_up, pass.gate_up().out_features);
  const DeviceSpan<float> act = pass.rows(pass.memory.activations.act, pass.config.intermediate_size);

  norm(pass, offsets.input_norm, input, layer.input_normed, layer.input_inverse);
  linear_forward(pass.products, pass.stream, pass.qkv(), rows, pass.rows(layer.input_normed, hidden),
                 pass.weight(offsets.qkv, pass.qkv()), qkv);
  rope(pass.stream, rows, attention, 1.0F, pass.batch.positions, pass.memory.cosines, pass.memory.sines, qkv);
  attention_forward(pass.stream, attention, score_scale(attention.head_dim), pass.shape.tiles, pass.batch.tiles, qkv,
                    attended, pass.rows(layer.log_sum_exp, attention.heads));
  linear_forward(pass.products, pass.stream, pass.o(), rows, attended, pass.weight(offsets.o, pass.o()), middle, input);

  norm(pass, offsets.post_norm, middle, layer.middle_normed, layer.middle_inverse);
  linear_forward(pass.products, pass.stream, pass.gate_up(), rows, pass.rows(layer.middle_normed, hidden),
                 pass.weight(offsets.gate_up, pass.gate_up()), gate_up);
  swiglu_forward(pass.stream, rows, pass.config.intermediate_size, gate_up, act);
  linear_forward(pass.products, pass.stream, pass.down(), rows, act, pass.weight(offsets.down, pass.down()),
                 pass.output_of(index), middle);
}

}  // namespace

void llama_forward(const Pass& pass) {
  const std::int64_t hidden = pass.config.hidden_size;
  const Activations& activations = pass.memory.activations;
  embedding_forward(pass.stream, pass.shape.rows, hidden, pass.batch.ids,
                    pass.weight(pass.layout.embed_tokens(), pass.lm_head()), pass.rows(pass.layer(0).input, hidden));
  for (std::int64_t i = 0; i < pass.config.num_hidden_layers; ++i) layer_forward(pass, i);
  norm(pass, pass.layout.final_norm(), pass.rows(activations.output, hidden), activations.output_normed,
       activations.output_inverse);
}

void llama_losses(const Pass& pass) {
  const Activations& activations = pass.memory.activations;
  cross_entropy_forward(pass.products, pass.stream, pass.lm_head(), pass.shape.rows,
                        pass.rows(activations.output_normed, pass.config.hidden_size),
                        pass.weight(pass.layout.lm_head(), pass.lm_head()), pass.batch.targets, activations.loss,
                        pass.rows(activations.losses, 1));
}

}  // namespace strider::cuda
