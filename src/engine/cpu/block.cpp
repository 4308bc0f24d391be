#include "engine/cpu/block.h"

#include <algorithm>

#include "engine/cpu/ops/attention.h"
#include "engine/cpu/ops/cross_entropy.h"
#include "engine/cpu/weights.h"

namespace strider {
namespace {

LayerActivations carve_layer(Carver& carver, const LlamaConfig& config, std::int64_t rows) {
  const std::int64_t q_width = config.num_attention_heads * config.head_dim;
  LayerActivations layer;
  layer.input = take_rows(carver, rows, config.hidden_size);
  layer.input_inverse = carver.take<float>(rows);
  layer.qkv = take_rows(carver, rows, attention_shape(config).qkv_width());
  layer.log_sum_exp = carver.take<float>(rows * config.num_attention_heads);
  layer.attention = take_rows(carver, rows, q_width);
  layer.middle = take_rows(carver, rows, config.hidden_size);
  layer.middle_inverse = carver.take<float>(rows);
  layer.gate_up = take_rows(carver, rows, 2 * config.intermediate_size);
  return layer;
}

std::int64_t linear_words(const LlamaConfig& config, std::int64_t rows, Precision precision) {
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t widest = hidden + std::max(attention_shape(config).qkv_width(), 2 * config.intermediate_size);
  const std::int64_t loss_width = hidden + std::min(config.vocab_size, kLossColumns);
  return std::max(linear_scratch_words(precision, rows, widest),
                  linear_scratch_words(precision, std::min(rows, kLossRows), loss_width));
}

}  // namespace

void BlockBuffers::lay_out(Carver& carver, const LlamaConfig& config, std::int64_t rows, std::int64_t longest,
                           bool for_training, Precision precision) {
  layers.clear();
  const std::int64_t places = for_training ? config.num_hidden_layers : 1;
  for (std::int64_t i = 0; i < places; ++i) layers.push_back(carve_layer(carver, config, rows));
  if (for_training) {
    LayerActivations last{};
    last.input = take_rows(carver, rows, config.hidden_size);
    layers.push_back(last);
  }
  normed = take_rows(carver, rows, config.hidden_size);
  act = take_rows(carver, rows, config.intermediate_size);
  final_inverse = carver.take<float>(rows);
  losses = carver.take<float>(rows);
  attention_scratch = take_attention_scratch(carver, attention_shape(config), longest);
  loss_scratch = carver.take<float>(cross_entropy_scratch_floats(config.vocab_size));
  if (for_training) {
    dresidual = take_rows(carver, rows, config.hidden_size);
    dnormed = take_rows(carver, rows, config.hidden_size);
    dact = take_rows(carver, rows, config.intermediate_size);
    dattention = take_rows(carver, rows, config.num_attention_heads * config.head_dim);
  }
  linear_scratch = {carver.take<std::uint32_t>(linear_words(config, rows, precision))};
}

void BlockBuffers::lay_out_kept(Carver& carver, const LlamaConfig& config, std::int64_t rows) {
  layers.clear();
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) layers.push_back(carve_layer(carver, config, rows));
  layers.emplace_back();
  dresidual = take_rows(carver, rows, config.hidden_size);
}

void BlockBuffers::borrow(const BlockBuffers& from) {
  layers.back() = from.layers.back();
  normed = from.normed;
  act = from.act;
  final_inverse = from.final_inverse;
  losses = from.losses;
  attention_scratch = from.attention_scratch;
  loss_scratch = from.loss_scratch;
  linear_scratch = from.linear_scratch;
  dnormed = from.dnormed;
  dact = from.dact;
  dattention = from.dattention;
}

}  // namespace strider
