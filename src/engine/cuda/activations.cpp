#include "engine/cuda/activations.h"

#include <algorithm>

#include "engine/cpu/ops/rope.h"
#include "engine/cuda/ops/rms_norm.h"
#include "engine/cuda/ops/sum_gradients.h"

namespace strider::cuda {
namespace {

template <typename T>
DeviceSpan<T> take(Carver& carver, std::int64_t count) {
  return {carver.take<T>(count), count};
}

// cuda_engine_obstacle() lets no other rule through.
std::vector<std::string_view> states_of(const std::string& rule) {
  if (rule == "adamw") return {"exp_avg", "exp_avg_sq"};
  return {"momentum_buffer"};
}

const OptimizerBuffer& buffer_named(std::span<const OptimizerBuffer> buffers, std::string_view name) {
  return *std::ranges::find_if(buffers, [&](const OptimizerBuffer& buffer) { return buffer.about.name == name; });
}

// One entry for each rule that the groups name.
std::vector<RulePieces> cut_into_pieces(const ParameterLayout& layout, std::span<const ParameterGroup> groups,
                                        std::span<const OptimizerBuffer> buffers) {
  std::vector<RulePieces> rules;
  for (std::size_t group = 0; group < groups.size(); ++group) {
    const std::string& name = groups[group].rule.name;
    const std::vector<std::string_view> states = states_of(name);
    auto rule = std::ranges::find(rules, name, &RulePieces::rule);
    if (rule == rules.end()) {
      rules.push_back({.rule = name, .numbers = {}, .pieces = {}, .states = {}});
      rule = rules.end() - 1;
      for (const std::string_view state : states) {
        const OptimizerBuffer& buffer = buffer_named(buffers, state);
        rule->states.emplace_back(buffer.values, buffer.about.floats);
      }
    }
    // A rule's buffers hold the same tensors in the same places.
    const OptimizerBuffer& places = buffer_named(buffers, states.front());
    for (const std::size_t tensor : groups[group].tensors) {
      const ParameterInfo& info = layout.tensors()[tensor];
      for (std::int64_t first = 0; first < info.size; first += kUpdateFloats) {
        rule->numbers.insert(rule->numbers.end(),
                             {info.offset + first, std::min<std::int64_t>(kUpdateFloats, info.size - first),
                              places.offset_of_tensor[tensor] + first, static_cast<std::int64_t>(group)});
      }
    }
  }
  std::erase_if(rules, [](const RulePieces& rule) { return rule.numbers.empty(); });
  return rules;
}

}  // namespace

AttentionShape attention_shape_of(const LlamaConfig& config) {
  return {static_cast<int>(config.num_attention_heads), static_cast<int>(config.num_key_value_heads),
          static_cast<int>(config.head_dim)};
}

void Activations::lay_out(Carver& carver, const LlamaConfig& config, std::int64_t rows, bool trains) {
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t ffn = config.intermediate_size;
  const std::int64_t heads = config.num_attention_heads;
  const std::int64_t qkv_width = attention_shape_of(config).qkv_width();
  layers.resize(trains ? static_cast<std::size_t>(config.num_hidden_layers) : 1);
  for (LayerActivations& layer : layers) {
    layer.input = take<float>(carver, rows * hidden);
    layer.input_normed = take<float>(carver, rows * hidden);
    layer.input_inverse = take<float>(carver, rows);
    layer.qkv = take<float>(carver, rows * qkv_width);
    layer.attention = take<float>(carver, rows * heads * config.head_dim);
    layer.log_sum_exp = take<float>(carver, rows * heads);
    layer.middle = take<float>(carver, rows * hidden);
    layer.middle_normed = take<float>(carver, rows * hidden);
    layer.middle_inverse = take<float>(carver, rows);
    layer.gate_up = take<float>(carver, rows * 2 * ffn);
  }
  output = take<float>(carver, rows * hidden);
  output_normed = take<float>(carver, rows * hidden);
  output_inverse = take<float>(carver, rows);
  act = take<float>(carver, rows * ffn);
  loss.columns = std::min(config.vocab_size, kLossColumns);
  loss.logits = take<float>(carver, rows * loss.columns);
  loss.log_sum_exp = take<float>(carver, rows);
  loss.target_logits = take<float>(carver, rows);
  losses = take<float>(carver, rows);
  if (!trains) return;
  dresidual = take<float>(carver, rows * hidden);
  dnormed = take<float>(carver, rows * hidden);
  dattention = take<float>(carver, rows * heads * config.head_dim);
  dqkv = take<float>(carver, rows * qkv_width);
  products = take<float>(carver, rows * heads);
  norm_scratch = take<float>(carver, rms_norm_scratch_floats(rows, hidden));
}

void EngineMemory::lay_out(Carver& carver, const LlamaConfig& config, const EngineSettings& settings,
                           const BatchLimits& limits) {
  const ParameterLayout layout(config);
  const bool trains = !settings.groups.empty();
  parameters = take<float>(carver, layout.total());
  const std::int64_t angles = settings.max_length * RopeTable::frequencies(config.head_dim);
  cosines = take<float>(carver, angles);
  sines = take<float>(carver, angles);
  numbers = take<std::int32_t>(carver, limits.numbers());
  activations.lay_out(carver, config, limits.rows, trains);
  if (!trains) return;
  gradient = take<float>(carver, layout.total());
  states = list_optimizer_buffers(layout, settings.groups);
  for (OptimizerBuffer& state : states) state.values = carver.take<float>(state.about.floats);
  rules = cut_into_pieces(layout, settings.groups, states);
  for (RulePieces& rule : rules) {
    rule.pieces = take<std::int64_t>(carver, static_cast<std::int64_t>(rule.numbers.size()));
  }
  loss_scale = take<float>(carver, 1);
  step_numbers = take<float>(carver, 1 + static_cast<std::int64_t>(settings.groups.size()) * kUpdateFactors);
  clip = take<float>(carver, 1);
  norm_scratch = take<double>(carver, norm_scratch_doubles(layout.total()));
  norm = take<double>(carver, 1);
}

}  // namespace strider::cuda
