#include "engine/cuda/activations.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "engine/cpu/ops/rope.h"
#include "engine/cuda/ops/rms_norm.h"
#include "engine/cuda/ops/sum_gradients.h"

namespace strider::cuda {
namespace {

// Elements of a row of logits: products read rows fast that begin at multiples of 16 bytes.
constexpr std::int64_t kLogitStep = 8;

template <typename T>
DeviceSpan<T> take(Carver& carver, std::int64_t count) {
  return {carver.take<T>(count), count};
}

// Of pieces that one carver has handed out.
std::uint64_t bytes_between(const void* begin, const void* end) {
  return static_cast<std::uint64_t>(static_cast<const std::byte*>(end) - static_cast<const std::byte*>(begin));
}

// `floats` themselves where those are operands, else memory of its own.
template <typename T>
DeviceSpan<T> take_operands(Carver& carver, DeviceSpan<float> floats) {
  if constexpr (std::is_same_v<T, float>) {
    return floats;
  } else {
    return take<T>(carver, floats.size);
  }
}

// cuda_engine_obstacle() lets no other rule through.
std::vector<std::string_view> states_of(const std::string& rule) {
  if (rule == "adamw") return {"exp_avg", "exp_avg_sq"};
  return {"momentum_buffer"};
}

const OptimizerBuffer& buffer_named(std::span<const OptimizerBuffer> buffers, std::string_view name) {
  return *std::ranges::find_if(buffers, [&](const OptimizerBuffer& buffer) { return buffer.about.name == name; });
}

// One entry for each rule that the groups name and that updates element by element.
std::vector<RulePieces> cut_into_pieces(const ParameterLayout& layout, std::span<const ParameterGroup> groups,
                                        std::span<const OptimizerBuffer> buffers) {
  using Piece = std::array<std::int64_t, kUpdateNumbers>;
  std::vector<RulePieces> rules;
  std::map<std::string, std::vector<Piece>> pieces;  // by rule
  for (std::size_t group = 0; group < groups.size(); ++group) {
    const std::string& name = groups[group].rule.name;
    if (name == "muon") continue;
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
        pieces[name].push_back({info.offset + first, std::min<std::int64_t>(kUpdateFloats, info.size - first),
                                places.offset_of_tensor[tensor] + first, static_cast<std::int64_t>(group)});
      }
    }
  }
  std::erase_if(rules, [&](const RulePieces& rule) { return pieces[rule.rule].empty(); });
  for (RulePieces& rule : rules) {
    std::ranges::sort(pieces[rule.rule]);
    for (const Piece& piece : pieces[rule.rule]) rule.numbers.insert(rule.numbers.end(), piece.begin(), piece.end());
  }
  return rules;
}

}  // namespace

AttentionShape attention_shape_of(const LlamaConfig& config) {
  return {static_cast<int>(config.num_attention_heads), static_cast<int>(config.num_key_value_heads),
          static_cast<int>(config.head_dim)};
}

template <typename T>
void Activations<T>::lay_out(Carver& carver, const LlamaConfig& config, std::int64_t rows, bool trains) {
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t ffn = config.intermediate_size;
  const std::int64_t heads = config.num_attention_heads;
  const std::int64_t qkv_width = attention_shape_of(config).qkv_width();
  layers.resize(trains ? static_cast<std::size_t>(config.num_hidden_layers) : 1);
  for (LayerActivations<T>& layer : layers) {
    layer.input = take<float>(carver, rows * hidden);
    layer.input_normed = take<T>(carver, rows * hidden);
    layer.input_inverse = take<float>(carver, rows);
    layer.qkv = take<T>(carver, rows * qkv_width);
    layer.attention = take<T>(carver, rows * heads * config.head_dim);
    layer.log_sum_exp = take<float>(carver, rows * heads);
    layer.middle = take<float>(carver, rows * hidden);
    layer.middle_normed = take<T>(carver, rows * hidden);
    layer.middle_inverse = take<float>(carver, rows);
    layer.gate_up = take<T>(carver, rows * 2 * ffn);
  }
  output = take<float>(carver, rows * hidden);
  output_normed = take<T>(carver, rows * hidden);
  output_inverse = take<float>(carver, rows);
  act = take<T>(carver, rows * ffn);
  loss.columns = std::min(config.vocab_size, kLossColumns);
  loss.stride = (loss.columns + kLogitStep - 1) / kLogitStep * kLogitStep;
  loss.logits = take<float>(carver, rows * loss.stride);
  loss.log_sum_exp = take<float>(carver, rows);
  loss.target_logits = take<float>(carver, rows);
  if (!trains) return;
  loss.dlogits = take_operands<T>(carver, loss.logits);
  dresidual = take<float>(carver, rows * hidden);
  dresidual_operand = take_operands<T>(carver, dresidual);
  dnormed = take<T>(carver, rows * hidden);
  dattention = take<T>(carver, rows * heads * config.head_dim);
  dqkv = take<T>(carver, rows * qkv_width);
  products = take<float>(carver, rows * heads);
  norm_scratch = take<float>(carver, rms_norm_scratch_floats(rows, hidden));
}

void Inbox::lay_out(Carver& carver, std::size_t groups, const BatchLimits& limits) {
  step = take<float>(carver, kStepFloats + static_cast<std::int64_t>(groups) * kUpdateFactors);
  numbers = take<std::int32_t>(carver, limits.batches * limits.numbers());
}

std::uint64_t Inbox::bytes_of(std::int64_t count) const {
  return bytes_between(step.data, numbers.data + count);
}

void Outbox::lay_out(Carver& carver, const BatchLimits& limits) {
  norm = take<double>(carver, 1);
  losses = take<float>(carver, limits.batches * limits.rows);
}

std::uint64_t Outbox::bytes_of(std::int64_t count) const {
  return bytes_between(norm.data, losses.data + count);
}

template <typename T>
void EngineMemory<T>::lay_out(Carver& carver, const LlamaConfig& config, const EngineSettings& settings,
                              const BatchLimits& limits) {
  const ParameterLayout layout(config);
  const bool trains = !settings.groups.empty();
  parameters = take<float>(carver, layout.total());
  operands = take_operands<T>(carver, parameters);
  const std::int64_t angles = settings.max_length * RopeTable::frequencies(config.head_dim);
  cosines = take<float>(carver, angles);
  sines = take<float>(carver, angles);
  inbox.lay_out(carver, settings.groups.size(), limits);
  outbox.lay_out(carver, limits);
  if (settings.held_tokens > 0) held.lay_out(carver, settings.held_tokens, limits);
  activations.lay_out(carver, config, limits.rows, trains);
  if (!trains) return;
  gradient = take<float>(carver, layout.total());
  states = list_optimizer_buffers(layout, settings.groups);
  for (OptimizerBuffer& state : states) state.values = carver.take<float>(state.about.floats);
  rules = cut_into_pieces(layout, settings.groups, states);
  for (RulePieces& rule : rules) {
    rule.pieces = take<std::int64_t>(carver, static_cast<std::int64_t>(rule.numbers.size()));
  }
  muon.lay_out(carver, layout, settings.groups, states);
  std::int64_t all = layout.total();
  for (const OptimizerBuffer& state : states) all += state.about.floats;
  snapshot = take<float>(carver, all);
  clip = take<float>(carver, 1);
  norm_scratch = take<double>(carver, norm_scratch_doubles(layout.total()));
}

template struct Activations<float>;
template struct Activations<Bfloat16>;
template struct EngineMemory<float>;
template struct EngineMemory<Bfloat16>;

}  // namespace strider::cuda
