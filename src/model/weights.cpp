#include "model/weights.h"

namespace strider {
namespace {

std::vector<Weights::Matrix> list_matrices(const LlamaConfig& config, const ParameterLayout& layout) {
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t ffn = config.intermediate_size;
  const std::int64_t q_width = config.num_attention_heads * config.head_dim;
  const std::int64_t qkv_width = q_width + 2 * config.num_key_value_heads * config.head_dim;
  std::vector<Weights::Matrix> matrices;
  std::int64_t forward = 0;
  std::int64_t backward = 0;
  auto add = [&](std::int64_t offset, LinearShape shape) {
    matrices.push_back({offset, shape, forward, backward});
    forward += packed_forward_floats(shape);
    backward += packed_backward_floats(shape);
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

std::size_t forward_floats(const std::vector<Weights::Matrix>& matrices) {
  return static_cast<std::size_t>(matrices.back().forward_at + packed_forward_floats(matrices.back().shape));
}

std::size_t backward_floats(const std::vector<Weights::Matrix>& matrices) {
  return static_cast<std::size_t>(matrices.back().backward_at + packed_backward_floats(matrices.back().shape));
}

}  // namespace

Weights::Weights(const LlamaConfig& config, std::int64_t positions, bool for_training)
    : config_(config),
      layout_(config),
      rope_(positions, config.head_dim, config.rope_theta),
      matrices_(list_matrices(config, layout_)),
      values_(static_cast<std::size_t>(layout_.total())),
      forward_(forward_floats(matrices_)),
      backward_(for_training ? backward_floats(matrices_) : 0) {}

std::uint64_t Weights::memory_bytes(const LlamaConfig& config, std::int64_t positions, bool for_training) {
  const ParameterLayout layout(config);
  const std::vector<Matrix> matrices = list_matrices(config, layout);
  std::uint64_t floats = static_cast<std::uint64_t>(layout.total()) + forward_floats(matrices);
  if (for_training) floats += backward_floats(matrices);
  floats += static_cast<std::uint64_t>(positions * config.head_dim);
  return floats * sizeof(float);
}

void Weights::pack(const Matrix& matrix, std::int64_t first_row, std::int64_t last_row) {
  const float* weight = values_.data() + matrix.offset;
  pack_forward(matrix.shape, weight, first_row, last_row, forward_.data() + matrix.forward_at);
  if (backward_.size() > 0) {
    pack_backward(matrix.shape, weight, first_row, last_row, backward_.data() + matrix.backward_at);
  }
}

void Weights::pack_all() {
  for (const Matrix& matrix : matrices_) pack(matrix, 0, matrix.shape.out_features);
}

PackedLinear Weights::packed(std::int64_t index) const {
  const Matrix& matrix = matrices_[static_cast<std::size_t>(index)];
  return {matrix.shape, forward_.data() + matrix.forward_at,
          backward_.size() > 0 ? backward_.data() + matrix.backward_at : nullptr};
}

}  // namespace strider
