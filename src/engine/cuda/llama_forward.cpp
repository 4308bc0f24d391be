#include "engine/cpu/ops/rope.h"
#include "engine/cuda/llama.h"
#include "engine/cuda/ops/attention.h"
#include "engine/cuda/ops/embedding.h"
#include "engine/cuda/ops/rms_norm.h"
#include "engine/cuda/ops/swiglu.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {

template <typename T>
LinearShape Pass<T>::qkv() const {
  return {config.hidden_size, attention_shape_of(config).qkv_width()};
}
template <typename T>
LinearShape Pass<T>::o() const {
  return {config.num_attention_heads * config.head_dim, config.hidden_size};
}
template <typename T>
LinearShape Pass<T>::gate_up() const {
  return {config.hidden_size, 2 * config.intermediate_size};
}
template <typename T>
LinearShape Pass<T>::down() const {
  return {config.intermediate_size, config.hidden_size};
}
template <typename T>
LinearShape Pass<T>::lm_head() const {
  return {config.hidden_size, config.vocab_size};
}

template <typename T>
DeviceSpan<const float> Pass<T>::weight(std::int64_t offset, std::int64_t size) const {
  return part(memory.parameters, offset, size);
}
template <typename T>
DeviceSpan<const T> Pass<T>::operand(std::int64_t offset, LinearShape linear) const {
  return part(memory.operands, offset, linear.in_features * linear.out_features);
}
template <typename T>
DeviceSpan<float> Pass<T>::gradient(std::int64_t offset, std::int64_t size) const {
  return part(memory.gradient, offset, size);
}
template <typename T>
DeviceSpan<float> Pass<T>::gradient(std::int64_t offset, LinearShape linear) const {
  return gradient(offset, linear.in_features * linear.out_features);
}

template <typename T>
const LayerActivations<T>& Pass<T>::layer(std::int64_t index) const {
  const std::vector<LayerActivations<T>>& layers = memory.activations.layers;
  return layers.size() == 1 ? layers.front() : layers[static_cast<std::size_t>(index)];
}

// Where the layers share one place, its input is free for the output once `middle` is there.
template <typename T>
DeviceSpan<float> Pass<T>::output_of(std::int64_t index) const {
  const bool is_last = index + 1 == learning.layers;
  return rows(is_last ? memory.activations.output : layer(index + 1).input, config.hidden_size);
}

template <typename T>
void Pass<T>::norm(std::int64_t weight_offset, DeviceSpan<const float> x, DeviceSpan<T> y,
                   DeviceSpan<float> inverse) const {
  const std::int64_t hidden = config.hidden_size;
  rms_norm_forward(stream, shape.rows, hidden, static_cast<float>(config.rms_norm_eps), x,
                   weight(weight_offset, hidden), rows(y, hidden), rows(inverse, 1));
}

template <typename T>
void llama_embedding(const Pass<T>& pass) {
  const std::int64_t hidden = pass.config.hidden_size;
  embedding_forward(pass.stream, pass.shape.rows, hidden, pass.batch.ids,
                    pass.weight(pass.layout.embed_tokens(), pass.config.vocab_size * hidden),
                    pass.rows(pass.layer(0).input, hidden));
}

// x -> x + o(attention(norm(x)))
template <typename T>
void llama_attention(const Pass<T>& pass, std::int64_t index) {
  const LayerActivations<T>& layer = pass.layer(index);
  const ParameterLayout::Layer& offsets = pass.layout.layer(index);
  const AttentionShape attention = attention_shape_of(pass.config);
  const std::int64_t rows = pass.shape.rows;
  const std::int64_t hidden = pass.config.hidden_size;
  const DeviceSpan<float> input = pass.rows(layer.input, hidden);
  const DeviceSpan<T> qkv = pass.rows(layer.qkv, attention.qkv_width());
  const DeviceSpan<T> attended = pass.rows(layer.attention, pass.o().in_features);

  pass.norm(offsets.input_norm, input, layer.input_normed, layer.input_inverse);
  linear_forward<T>(pass.products, pass.stream, pass.qkv(), rows, pass.rows(layer.input_normed, hidden),
                    pass.operand(offsets.qkv, pass.qkv()), qkv);
  rope(pass.stream, rows, attention, 1.0F, pass.batch.positions, pass.memory.cosines, pass.memory.sines, qkv);
  attention_forward<T>(pass.stream, attention, score_scale(attention.head_dim), pass.shape.tiles, pass.batch.tiles, qkv,
                       attended, pass.rows(layer.log_sum_exp, attention.heads));
  linear_forward_add<T>(pass.products, pass.stream, pass.o(), rows, attended, pass.operand(offsets.o, pass.o()), input,
                        pass.rows(layer.middle, hidden));
}

// x -> x + down(swiglu(gate_up(norm(x))))
template <typename T>
void llama_feed_forward(const Pass<T>& pass, std::int64_t index) {
  const LayerActivations<T>& layer = pass.layer(index);
  const ParameterLayout::Layer& offsets = pass.layout.layer(index);
  const std::int64_t rows = pass.shape.rows;
  const std::int64_t hidden = pass.config.hidden_size;
  const DeviceSpan<float> middle = pass.rows(layer.middle, hidden);
  const DeviceSpan<T> gate_up = pass.rows(layer.gate_up, pass.gate_up().out_features);
  const DeviceSpan<T> act = pass.rows(pass.memory.activations.act, pass.config.intermediate_size);

  pass.norm(offsets.post_norm, middle, layer.middle_normed, layer.middle_inverse);
  linear_forward<T>(pass.products, pass.stream, pass.gate_up(), rows, pass.rows(layer.middle_normed, hidden),
                    pass.operand(offsets.gate_up, pass.gate_up()), gate_up);
  swiglu_forward<T>(pass.stream, rows, pass.config.intermediate_size, gate_up, act);
  linear_forward_add<T>(pass.products, pass.stream, pass.down(), rows, act, pass.operand(offsets.down, pass.down()),
                        middle, pass.output_of(index));
}

template <typename T>
void llama_forward(const Pass<T>& pass) {
  const Activations<T>& activations = pass.memory.activations;
  llama_embedding(pass);
  for (std::int64_t i = 0; i < pass.learning.layers; ++i) {
    llama_attention(pass, i);
    llama_feed_forward(pass, i);
  }
  pass.norm(pass.layout.final_norm(), pass.rows(activations.output, pass.config.hidden_size), activations.output_normed,
            activations.output_inverse);
}

template <typename T>
void llama_losses(const Pass<T>& pass) {
  const Activations<T>& activations = pass.memory.activations;
  cross_entropy_forward<T>(pass.products, pass.stream, pass.lm_head(), pass.shape.rows,
                           pass.rows(activations.output_normed, pass.config.hidden_size),
                           pass.operand(pass.layout.lm_head(), pass.lm_head()), pass.batch.targets, activations.loss,
                           pass.losses);
}

template struct Pass<float>;
template struct Pass<Bfloat16>;
template void llama_embedding<float>(const Pass<float>&);
template void llama_embedding<Bfloat16>(const Pass<Bfloat16>&);
template void llama_attention<float>(const Pass<float>&, std::int64_t);
template void llama_attention<Bfloat16>(const Pass<Bfloat16>&, std::int64_t);
template void llama_feed_forward<float>(const Pass<float>&, std::int64_t);
template void llama_feed_forward<Bfloat16>(const Pass<Bfloat16>&, std::int64_t);
template void llama_forward<float>(const Pass<float>&);
template void llama_forward<Bfloat16>(const Pass<Bfloat16>&);
template void llama_losses<float>(const Pass<float>&);
template void llama_losses<Bfloat16>(const Pass<Bfloat16>&);

}  // namespace strider::cuda
