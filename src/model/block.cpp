#include "model/block.h"

#include <algorithm>

#include "model/weights.h"
#include "ops/attention.h"
#include "ops/cross_entropy.h"

namespace strider {
namespace {

// Hands out pieces of one allocation, each on a cache line; with no memory given it only counts.
class Carver {
 public:
  explicit Carver(float* memory) : memory_(memory) {}

  float* floats(std::int64_t count) {
    float* piece = memory_ == nullptr ? nullptr : memory_ + used_;
    used_ += (count + 15) / 16 * 16;
    return piece;
  }

  Rows rows(std::int64_t count, std::int64_t width) {
    const std::int64_t stride = (width + 15) / 16 * 16;
    return {floats(count * stride), stride};
  }

  std::int64_t used() const { return used_; }

 private:
  float* memory_;
  std::int64_t used_ = 0;
};

LayerActivations carve_layer(Carver& carver, const LlamaConfig& config, std::int64_t rows) {
  const std::int64_t q_width = config.num_attention_heads * config.head_dim;
  LayerActivations layer;
  layer.input = carver.rows(rows, config.hidden_size);
  layer.input_inverse = carver.floats(rows);
  layer.qkv = carver.rows(rows, attention_shape(config).qkv_width());
  layer.log_sum_exp = carver.floats(rows * config.num_attention_heads);
  layer.attention = carver.rows(rows, q_width);
  layer.middle = carver.rows(rows, config.hidden_size);
  layer.middle_inverse = carver.floats(rows);
  layer.gate_up = carver.rows(rows, 2 * config.intermediate_size);
  return layer;
}

}  // namespace

BlockBuffers::BlockBuffers(const LlamaConfig& config, std::int64_t rows, std::int64_t longest, bool for_training,
                           Precision precision) {
  BlockBuffers counted;
  memory_ =
      AlignedBuffer<float>(static_cast<std::size_t>(counted.lay_out(nullptr, config, rows, longest, for_training)));
  lay_out(memory_.data(), config, rows, longest, for_training);
  linear_memory_ = AlignedBuffer<std::uint32_t>(static_cast<std::size_t>(linear_words(config, rows, precision)));
  linear_scratch = {linear_memory_.data()};
}

std::uint64_t BlockBuffers::memory_bytes(const LlamaConfig& config, std::int64_t rows, std::int64_t longest,
                                         bool for_training, Precision precision) {
  BlockBuffers counted;
  return static_cast<std::uint64_t>(counted.lay_out(nullptr, config, rows, longest, for_training)) * sizeof(float) +
         static_cast<std::uint64_t>(linear_words(config, rows, precision)) * sizeof(std::uint32_t);
}

std::int64_t BlockBuffers::linear_words(const LlamaConfig& config, std::int64_t rows, Precision precision) {
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t widest = hidden + std::max(attention_shape(config).qkv_width(), 2 * config.intermediate_size);
  const std::int64_t loss_width = hidden + std::min(config.vocab_size, kLossColumns);
  return std::max(linear_scratch_words(precision, rows, widest),
                  linear_scratch_words(precision, std::min(rows, kLossRows), loss_width));
}

std::int64_t BlockBuffers::lay_out(float* memory, const LlamaConfig& config, std::int64_t rows, std::int64_t longest,
                                   bool for_training) {
  Carver carver(memory);
  const std::int64_t places = for_training ? config.num_hidden_layers : 1;
  for (std::int64_t i = 0; i < places; ++i) layers.push_back(carve_layer(carver, config, rows));
  if (for_training) {
    LayerActivations last{};
    last.input = carver.rows(rows, config.hidden_size);
    layers.push_back(last);
  }
  normed = carver.rows(rows, config.hidden_size);
  act = carver.rows(rows, config.intermediate_size);
  final_inverse = carver.floats(rows);
  losses = carver.floats(rows);
  attention_scratch = carver.floats(attention_scratch_floats(attention_shape(config), longest));
  loss_scratch = carver.floats(cross_entropy_scratch_floats(config.vocab_size));
  if (for_training) {
    dresidual = carver.rows(rows, config.hidden_size);
    dnormed = carver.rows(rows, config.hidden_size);
    dact = carver.rows(rows, config.intermediate_size);
    dattention = carver.rows(rows, config.num_attention_heads * config.head_dim);
  }
  return carver.used();
}

}  // namespace strider
