// What all engines share, and which one this machine gets.
#include "engine/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <new>
#include <stdexcept>

#include "base/error.h"
#include "engine/cpu/cpu_engine.h"
#include "engine/cpu/cpu_token_states.h"
#include "engine/ranks/ranks.h"

namespace strider {

void Engine::set_parameters(std::span<const float> values) {
  load_parameters([values](std::span<float> own) { std::ranges::copy(values, own.begin()); });
}

std::vector<float> Engine::parameters() const {
  std::vector<float> values(static_cast<std::size_t>(layout().total()));
  copy_parameters(values);
  return values;
}

std::unique_ptr<StateCopy> Engine::begin_copy(std::span<float> parameters, std::span<const std::span<float>> states) {
  copy_parameters(parameters);
  const std::vector<StateBuffer> buffers = optimizer_state();
  for (std::size_t i = 0; i < buffers.size(); ++i) copy_optimizer_state(buffers[i].name, states[i]);
  return std::make_unique<StateCopy>();
}

void Engine::forward_backward(std::span<const WalkView> walks, double denominator, std::span<double> walk_losses) {
  forward_backward(walks, denominator, walk_losses, [] { return false; });
}

void Engine::update(double learning_rate, double max_grad_norm) {
  update(std::vector<double>(groups().size(), learning_rate), max_grad_norm);
}

std::optional<double> Engine::step(const StepWork& work, std::span<double> walk_losses, const GiveUp& give_up) {
  if (!forward_backward(work.walks.tokens, work.denominator, walk_losses, give_up)) return std::nullopt;
  const double norm = gradient_norm();
  const auto losses = walk_losses.first(work.walks.size());
  const bool is_finite = std::isfinite(norm) && std::ranges::all_of(losses, [](double x) { return std::isfinite(x); });
  if (is_finite) update(work.learning_rates, work.max_grad_norm);
  return norm;
}

void Engine::hold_walks(std::span<const std::int64_t> /*lengths*/,
                        const std::function<void(std::int64_t walk, std::span<std::int32_t> out)>& /*read*/) {
  throw std::logic_error("this engine holds no walks");
}

bool Engine::take_evaluation(const CallWalks& walks, std::span<double> walk_losses, const GiveUp& give_up) {
  return evaluate(walks.tokens, walk_losses, give_up);
}

void Engine::evaluate(std::span<const WalkView> walks, std::span<double> walk_losses) {
  evaluate(walks, walk_losses, [] { return false; });
}

std::unique_ptr<Engine> make_engine(const LlamaConfig& config, const EngineSettings& settings) {
  if (settings.ranks != nullptr && settings.ranks->size() > 1) return make_leading_engine(config, settings);
  try {
    return std::make_unique<CpuEngine>(config, settings);
  } catch (const std::bad_alloc&) {
    throw Error(
        fmt::format("not enough memory for the model: {} MB are needed", engine_memory_bytes(config, settings) >> 20),
        {.file = {}, .place = {}, .advice = "Use fewer THREADS, a shorter MAX_LENGTH or a smaller model."});
  }
}

std::uint64_t engine_memory_bytes(const LlamaConfig& config, const EngineSettings& settings) {
  return carved_bytes([&](Carver& carver) { CpuEngineMemory().lay_out(carver, config, settings); });
}

std::int64_t held_token_bytes(std::int64_t vocab) {
  constexpr std::int64_t kOfTwoBytes = std::int64_t{1} << 16;
  return vocab <= kOfTwoBytes ? 2 : 4;
}

std::uint64_t token_states_memory_bytes(const LlamaConfig& config, std::int64_t tokens,
                                        std::span<const TokenArray> arrays) {
  return carved_bytes([&](Carver& carver) { TokenStatesMemory().lay_out(carver, config, tokens, arrays); });
}

double training_flops(const LlamaConfig& config, std::int64_t length, const Learning& learning) {
  const ParameterLayout layout(config);
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t of_layers = layout.non_embedding() - hidden;  // without the final norm
  const double layer = static_cast<double>(of_layers) / static_cast<double>(config.num_hidden_layers) +
                       static_cast<double>(length) * static_cast<double>(config.num_attention_heads * config.head_dim);
  const auto head = static_cast<double>(hidden * config.vocab_size);
  const std::int64_t backward = learning.only_lm_head ? 0 : learning.layers - learning.first_layer;
  const double per_token = static_cast<double>(2 * learning.layers + 4 * backward) * layer +
                           (learning.only_lm_head ? 2.0 : 6.0) * static_cast<double>(hidden) +
                           (learning.only_lm_head ? 4.0 : 6.0) * head;
  return per_token * static_cast<double>(length);
}

}  // namespace strider
