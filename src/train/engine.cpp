#include "train/engine.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <deque>
#include <new>
#include <string>

#include "base/error.h"
#include "base/thread_team.h"
#include "model/llama.h"
#include "ops/adamw.h"
#include "train/worker.h"

namespace strider {
namespace {

// The first layer's q, k, v are made once a token where a call has at least this many positions for each, and no more
// tokens than this, so that the sums for them stay in a near cache.
constexpr std::int64_t kPositionsAToken = 2;
constexpr std::int64_t kMostTokens = 4096;
// Tokens that one thread takes at once for that.
constexpr std::int64_t kTokensAtOnce = 96;
// Floats that one thread updates at once.
constexpr std::int64_t kUpdateFloats = 65536;

// More lanes let more threads run without waiting for each other; each costs a copy of the gradients.
std::int64_t lane_count(const ParameterLayout& layout) {
  constexpr std::int64_t kSmallModel = 8'000'000;
  return layout.total() <= kSmallModel ? 8 : 4;
}

std::int64_t token_qkv_floats(const LlamaConfig& config, const EngineSettings& settings) {
  const std::int64_t positions = settings.walks_per_step * (settings.max_length - 1);
  if (config.vocab_size > kMostTokens || config.vocab_size * kPositionsAToken > positions) return 0;
  return config.vocab_size * attention_shape(config).qkv_width();
}

// A run of parameters that one thread updates, and packs again where they belong to a matrix.
struct UpdateUnit {
  std::int64_t offset = 0, count = 0;
  bool decays = false;
  const Weights::Matrix* matrix = nullptr;
  std::int64_t first_row = 0, last_row = 0;
};

std::vector<UpdateUnit> list_updates(const Weights& weights) {
  std::vector<UpdateUnit> units;
  for (const Weights::Matrix& matrix : weights.matrices()) {
    const std::int64_t in = matrix.shape.in_features;
    const std::int64_t rows = std::max<std::int64_t>(1, kUpdateFloats / (in * kPanel)) * kPanel;
    for (std::int64_t first = 0; first < matrix.shape.out_features; first += rows) {
      const std::int64_t last = std::min(matrix.shape.out_features, first + rows);
      units.push_back({matrix.offset + first * in, (last - first) * in, true, &matrix, first, last});
    }
  }
  for (const ParameterInfo& tensor : weights.layout().tensors()) {
    const bool packed = tensor.offset == weights.layout().lm_head() || (!tensor.is_embedding && tensor.decays);
    if (packed) continue;
    for (std::int64_t first = 0; first < tensor.size; first += kUpdateFloats) {
      units.push_back({tensor.offset + first, std::min(kUpdateFloats, tensor.size - first), tensor.decays});
    }
  }
  return units;
}

}  // namespace

struct Engine::State {
  EngineSettings settings;
  Weights weights;
  ThreadTeam team;
  std::deque<Worker> workers;
  std::deque<GradientLane> lanes;
  AlignedBuffer<float> first, second;
  AlignedBuffer<float> token_qkv;  // empty where that never pays
  std::int64_t updates = 0;
  std::vector<UpdateUnit> units;
  std::vector<double> squares;  // of the gradient, a part for each run of kUpdateFloats
  std::vector<BlockPlan> blocks;
  std::int64_t lanes_used = 0;
  bool reduced = false;

  State(const LlamaConfig& config, const EngineSettings& engine_settings)
      : settings(engine_settings),
        weights(config, engine_settings.max_length, true, engine_settings.precision),
        team(engine_settings.threads),
        first(static_cast<std::size_t>(weights.layout().total())),
        second(static_cast<std::size_t>(weights.layout().total())),
        token_qkv(static_cast<std::size_t>(token_qkv_floats(config, settings))),
        units(list_updates(weights)) {
    for (int i = 0; i < settings.threads; ++i) workers.emplace_back(config, settings);
    for (std::int64_t i = 0; i < lane_count(weights.layout()); ++i) {
      lanes.emplace_back(weights.layout().total(), llama_backward_stages(config),
                         static_cast<std::int64_t>(token_qkv.size()));
    }
    squares.resize(static_cast<std::size_t>((weights.layout().total() + kUpdateFloats - 1) / kUpdateFloats));
    blocks.reserve(static_cast<std::size_t>(settings.walks_per_step));
  }

  // Calls work(worker, i) for each i below count, handed out one by one.
  template <class Work>
  void share_out(std::int64_t count, const Work& work) {
    std::atomic<std::int64_t> next{0};
    team.run([&](int member) {
      for (std::int64_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) {
        work(workers[static_cast<std::size_t>(member)], i);
      }
    });
  }

  // Calls work(worker, block, i) for every planned block, which leaves its losses, and sums them a walk.
  template <class Work>
  void share_out_walks(std::span<const WalkView> walks, const float* projected, std::span<double> walk_losses,
                       const Work& work) {
    share_out(static_cast<std::int64_t>(blocks.size()), [&](Worker& worker, std::int64_t i) {
      const BlockPlan& plan = blocks[static_cast<std::size_t>(i)];
      const auto begin = static_cast<std::size_t>(plan.first);
      const auto size = static_cast<std::size_t>(plan.last - plan.first);
      Block block = worker.load(walks.subspan(begin, size));
      block.token_qkv = projected;
      work(worker, block, i);
      worker.sum_losses(walk_losses.subspan(begin, size));
    });
  }

  // Calls work(worker, i, first, last) for every run of kTokensAtOnce tokens.
  template <class Work>
  void share_out_tokens(const Work& work) {
    const std::int64_t vocab = weights.config().vocab_size;
    share_out((vocab + kTokensAtOnce - 1) / kTokensAtOnce, [&](Worker& worker, std::int64_t i) {
      const std::int64_t begin = i * kTokensAtOnce;
      work(worker, i, begin, std::min(vocab, begin + kTokensAtOnce));
    });
  }

  // q, k, v of the first layer for every token, or null where the planned blocks have too few positions for that.
  const float* project_tokens() {
    std::int64_t positions = 0;
    for (const BlockPlan& block : blocks) positions += block.rows;
    const LlamaConfig& config = weights.config();
    if (token_qkv.size() == 0 || positions < kPositionsAToken * config.vocab_size) return nullptr;
    const std::int64_t width = weights.attention().shape().qkv_width();
    share_out_tokens([&](Worker& worker, std::int64_t, std::int64_t begin, std::int64_t end) {
      const Block tokens = worker.load_tokens(begin, end);
      llama_project_tokens(weights, tokens, worker.buffers, {token_qkv.data() + begin * width, width});
    });
    return token_qkv.data();
  }

  // What came to them, from all lanes, on to the parameters.
  void project_tokens_backward() {
    const std::int64_t width = weights.attention().shape().qkv_width();
    const auto walk_blocks = static_cast<std::int64_t>(blocks.size());
    share_out_tokens([&](Worker& worker, std::int64_t i, std::int64_t begin, std::int64_t end) {
      const float* at[16] = {};
      for (std::int64_t lane = 0; lane < lanes_used; ++lane) {
        at[lane] = lanes[static_cast<std::size_t>(lane)].token_gradient() + begin * width;
      }
      const Rows sum{worker.buffers.layers.front().qkv.data, width};
      sum_gradients((end - begin) * width, at, lanes_used, sum.data);
      const std::int64_t lane = i % lanes_used;
      const std::int64_t blocks_before = (walk_blocks - lane + lanes_used - 1) / lanes_used;
      llama_project_tokens_backward(weights, worker.load_tokens(begin, end), sum, worker.buffers,
                                    {&lanes[static_cast<std::size_t>(lane)], blocks_before + i / lanes_used});
    });
  }

  void reduce() {
    if (reduced) return;
    std::vector<float*> parts;
    for (std::int64_t i = 0; i < lanes_used; ++i) parts.push_back(lanes[static_cast<std::size_t>(i)].values());
    const std::int64_t total = weights.layout().total();
    share_out(static_cast<std::int64_t>(squares.size()), [&](Worker&, std::int64_t i) {
      const std::int64_t begin = i * kUpdateFloats;
      const float* at[16] = {};
      for (std::size_t part = 0; part < parts.size(); ++part) at[part] = parts[part] + begin;
      squares[static_cast<std::size_t>(i)] =
          sum_gradients(std::min(kUpdateFloats, total - begin), at, lanes_used, parts[0] + begin);
    });
    reduced = true;
  }
};

Engine::Engine(const LlamaConfig& config, const EngineSettings& settings) {
  try {
    state_ = std::make_unique<State>(config, settings);
  } catch (const std::bad_alloc&) {
    const std::uint64_t megabytes = memory_bytes(config, settings) >> 20;
    throw Error("not enough memory for training: " + std::to_string(megabytes) + " MB are needed",
                {.file = {}, .place = {}, .advice = "Use fewer THREADS, a shorter MAX_LENGTH or a smaller model."});
  }
}

Engine::~Engine() = default;

std::uint64_t Engine::memory_bytes(const LlamaConfig& config, const EngineSettings& settings) {
  const ParameterLayout layout(config);
  const auto floats = static_cast<std::uint64_t>(layout.total());
  const auto lanes = static_cast<std::uint64_t>(lane_count(layout));
  const auto threads = static_cast<std::uint64_t>(settings.threads);
  return Weights::memory_bytes(config, settings.max_length, true, settings.precision) +
         (lanes + 2) * floats * sizeof(float) +
         (lanes + 1) * static_cast<std::uint64_t>(token_qkv_floats(config, settings)) * sizeof(float) +
         threads *
             BlockBuffers::memory_bytes(config, block_rows(settings), settings.max_length, true, settings.precision);
}

double Engine::training_flops(const LlamaConfig& config, std::int64_t length) {
  const ParameterLayout layout(config);
  const double per_token = 6.0 * static_cast<double>(layout.non_embedding()) +
                           6.0 * static_cast<double>(config.hidden_size) * static_cast<double>(config.vocab_size) +
                           6.0 * static_cast<double>(config.num_hidden_layers) * static_cast<double>(length) *
                               static_cast<double>(config.num_attention_heads * config.head_dim);
  return per_token * static_cast<double>(length);
}

const LlamaConfig& Engine::config() const {
  return state_->weights.config();
}
const ParameterLayout& Engine::layout() const {
  return state_->weights.layout();
}
std::span<const float> Engine::parameters() const {
  return std::as_const(state_->weights).values();
}
std::span<const float> Engine::first_moments() const {
  return std::as_const(state_->first).span();
}
std::span<const float> Engine::second_moments() const {
  return std::as_const(state_->second).span();
}
std::int64_t Engine::updates() const {
  return state_->updates;
}

void Engine::set_parameters(std::span<const float> values) {
  std::copy(values.begin(), values.end(), state_->weights.values().begin());
  state_->weights.pack_all();
}

void Engine::set_optimizer_state(std::span<const float> first, std::span<const float> second, std::int64_t updates) {
  std::copy(first.begin(), first.end(), state_->first.data());
  std::copy(second.begin(), second.end(), state_->second.data());
  state_->updates = updates;
}

void Engine::forward_backward(std::span<const WalkView> walks, double denominator, std::span<double> walk_losses) {
  State& state = *state_;
  plan_blocks(walks, 1, state.settings, state.blocks);
  for (GradientLane& lane : state.lanes) lane.restart();
  const auto lanes = static_cast<std::int64_t>(state.lanes.size());
  const auto count = static_cast<std::int64_t>(state.blocks.size());
  const auto scale = static_cast<float>(1.0 / denominator);
  state.lanes_used = std::min(lanes, count);
  const float* token_qkv = state.project_tokens();
  state.share_out_walks(walks, token_qkv, walk_losses, [&](Worker& worker, const Block& block, std::int64_t i) {
    llama_forward(state.weights, block, true, worker.buffers);
    llama_backward(state.weights, block, scale, worker.buffers,
                   {&state.lanes[static_cast<std::size_t>(i % lanes)], i / lanes});
  });
  if (token_qkv != nullptr) state.project_tokens_backward();
  state.reduced = false;
}

double Engine::gradient_norm() {
  state_->reduce();
  double sum = 0.0;
  for (const double part : state_->squares) sum += part;
  return std::sqrt(sum);
}

std::span<const float> Engine::gradient() {
  state_->reduce();
  return {state_->lanes.front().values(), static_cast<std::size_t>(layout().total())};
}

void Engine::update(double learning_rate, double max_grad_norm, const AdamWSettings& settings) {
  State& state = *state_;
  const double norm = gradient_norm();
  state.updates += 1;
  const auto t = static_cast<double>(state.updates);
  AdamWStep step;
  step.one_minus_beta1 = static_cast<float>(1.0 - settings.beta1);
  step.beta2 = static_cast<float>(settings.beta2);
  step.one_minus_beta2 = static_cast<float>(1.0 - settings.beta2);
  step.step_size = static_cast<float>(learning_rate / (1.0 - std::pow(settings.beta1, t)));
  step.inverse_root = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(settings.beta2, t)));
  step.eps = static_cast<float>(settings.eps);
  if (max_grad_norm > 0.0) step.gradient_scale = static_cast<float>(std::min(1.0, max_grad_norm / (norm + 1e-6)));
  const auto decay = static_cast<float>(1.0 - learning_rate * settings.weight_decay);
  const float* gradient = state.lanes.front().values();
  float* values = state.weights.values().data();
  state.share_out(static_cast<std::int64_t>(state.units.size()), [&](Worker&, std::int64_t i) {
    const UpdateUnit& unit = state.units[static_cast<std::size_t>(i)];
    AdamWStep own = step;
    own.decay = unit.decays ? decay : 1.0F;
    adamw_update(own, unit.count, gradient + unit.offset, values + unit.offset, state.first.data() + unit.offset,
                 state.second.data() + unit.offset);
    if (unit.matrix != nullptr) state.weights.pack(*unit.matrix, unit.first_row, unit.last_row);
  });
}

void Engine::evaluate(std::span<const WalkView> walks, std::span<double> walk_losses) {
  State& state = *state_;
  plan_blocks(walks, 1, state.settings, state.blocks);
  state.share_out_walks(walks, state.project_tokens(), walk_losses,
                        [&](Worker& worker, const Block& block, std::int64_t) {
                          llama_forward(state.weights, block, false, worker.buffers);
                          llama_losses(state.weights, block, worker.buffers);
                        });
}

std::vector<float> Engine::logits(std::span<const WalkView> walks) {
  State& state = *state_;
  const std::int64_t vocab = config().vocab_size;
  std::vector<std::int64_t> starts;
  std::int64_t total = 0;
  for (const WalkView walk : walks) {
    starts.push_back(total);
    total += static_cast<std::int64_t>(walk.size());
  }
  std::vector<float> result(static_cast<std::size_t>(total * vocab));
  plan_blocks(walks, 0, state.settings, state.blocks);
  state.share_out(static_cast<std::int64_t>(state.blocks.size()), [&](Worker& worker, std::int64_t i) {
    const BlockPlan& plan = state.blocks[static_cast<std::size_t>(i)];
    const auto first = static_cast<std::size_t>(plan.first);
    const Block block = worker.load_whole(walks.subspan(first, static_cast<std::size_t>(plan.last - plan.first)));
    llama_forward(state.weights, block, false, worker.buffers);
    linear_forward(state.weights.lm_head(), block.rows(), worker.buffers.normed,
                   {result.data() + starts[first] * vocab, vocab}, Write::kReplace, worker.buffers.linear_scratch);
  });
  return result;
}

}  // namespace strider
