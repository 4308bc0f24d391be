#include "engine/cpu/weights.h"

namespace strider {
namespace {

std::int64_t forward_size(const std::vector<Weights::Matrix>& matrices, Precision precision) {
  return matrices.back().forward_at + packed_forward_size(matrices.back().shape, precision);
}

std::int64_t backward_size(const std::vector<Weights::Matrix>& matrices, Precision precision) {
  return matrices.back().backward_at + packed_backward_size(matrices.back().shape, precision);
}

}  // namespace

AttentionShape attention_shape(const LlamaConfig& config) {
  return {config.num_attention_heads, config.num_key_value_heads, config.head_dim};
}

std::vector<Weights::Matrix> Weights::list_matrices(const LlamaConfig& config, Precision precision) {
  const ParameterLayout layout(config);
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t ffn = config.intermediate_size;
  const std::int64_t q_width = config.num_attention_heads * config.head_dim;
  const std::int64_t qkv_width = q_width + 2 * config.num_key_value_heads * config.head_dim;
  std::vector<Matrix> matrices;
  std::int64_t forward = 0;
  std::int64_t backward = 0;
  auto add = [&](std::int64_t offset, LinearShape shape) {
    matrices.push_back({offset, shape, forward, backward});
    forward += packed_forward_size(shape, precision);
    backward += packed_backward_size(shape, precision);
  };
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const ParameterLayout::Layer& layer = layout.layer(i);
    add(layer.qkv, {hidden, qkv_width});
    add(layer.o, {q_width, hidden});
    add(layer.gate_up, {hidden, 2 * ffn});
    add(layer.down, {ffn, hidden});
  }
  add(layout.lm_head(), {hidden, config.vocab_size});
  return matrices;
}

void WeightsMemory::lay_out(Carver& carver, const LlamaConfig& config, std::int64_t positions, bool for_training,
                            Precision precision) {
  const ParameterLayout layout(config);
  const std::vector<Weights::Matrix> matrices = Weights::list_matrices(config, precision);
  values = carver.take<float>(layout.total());
  rope = carver.take<float>(RopeTable::floats(positions, config.head_dim));
  if (precision == Precision::kFloat32) {
    forward = carver.take<float>(forward_size(matrices, precision));
    if (for_training) backward = carver.take<float>(backward_size(matrices, precision));
  } else {
    forward_pairs = carver.take<std::uint32_t>(forward_size(matrices, precision));
    if (for_training) backward_pairs = carver.take<std::uint32_t>(backward_size(matrices, precision));
  }
}

Weights::Weights(const LlamaConfig& config, std::int64_t positions, bool for_training, Precision precision,
                 const WeightsMemory& memory)
    : config_(config),
      precision_(precision),
      for_training_(for_training),
      layout_(config),
      rope_(positions, config.head_dim, config.rope_theta, memory.rope),
      attention_(attention_shape(config)),
      matrices_(list_matrices(config, precision)),
      memory_(memory) {}

void Weights::pack(const Matrix& matrix, std::int64_t first_row, std::int64_t last_row) {
  const float* weight = memory_.values + matrix.offset;
  if (precision_ == Precision::kFloat32) {
    pack_forward(matrix.shape, weight, first_row, last_row, memory_.forward + matrix.forward_at);
    if (!for_training_) return;
    pack_backward(matrix.shape, weight, first_row, last_row, memory_.backward + matrix.backward_at);
  } else {
    pack_forward(matrix.shape, weight, first_row, last_row, memory_.forward_pairs + matrix.forward_at);
    if (!for_training_) return;
    pack_backward(matrix.shape, weight, first_row, last_row, memory_.backward_pairs + matrix.backward_at);
  }
}

void Weights::pack_all() {
  for (const Matrix& matrix : matrices_) pack(matrix, 0, matrix.shape.out_features);
}

PackedLinear Weights::packed(std::int64_t index) const {
  const Matrix& matrix = matrices_[index];
  PackedLinear packed{.shape = matrix.shape, .precision = precision_};
  if (precision_ == Precision::kFloat32) {
    packed.forward = memory_.forward + matrix.forward_at;
    if (for_training_) packed.backward = memory_.backward + matrix.backward_at;
  } else {
    packed.forward_pairs = memory_.forward_pairs + matrix.forward_at;
    if (for_training_) packed.backward_pairs = memory_.backward_pairs + matrix.backward_at;
  }
  return packed;
}

}  // namespace strider
