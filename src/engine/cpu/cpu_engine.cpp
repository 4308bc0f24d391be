#include "engine/cpu/cpu_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "base/error.h"
#include "engine/cpu/cpu_token_states.h"
#include "engine/cpu/cpu_walk_states.h"
#include "engine/cpu/llama.h"
#include "engine/cpu/ops/sum_gradients.h"
#include "engine/cpu/token_pieces.h"

namespace strider {
namespace {

// The first layer's q, k, v are computed once per token where a call has at least this many positions for each token,
// and no more tokens than this, so that the sums for them stay in a near cache.
constexpr std::int64_t kPositionsPerToken = 2;
constexpr std::int64_t kMostTokens = 4096;

std::int64_t token_qkv_floats(const LlamaConfig& config, const EngineSettings& settings) {
  const std::int64_t positions = settings.walks_per_step * (settings.max_length - 1);
  if (config.vocab_size > kMostTokens || config.vocab_size * kPositionsPerToken > positions) return 0;
  return config.vocab_size * attention_shape(config).qkv_width();
}

bool trains(const EngineSettings& settings) {
  return !settings.groups.empty();
}

}  // namespace

std::int64_t lane_count(const ParameterLayout& layout) {
  constexpr std::int64_t kSmallModel = 8'000'000;
  return layout.total() <= kSmallModel ? 8 : 4;
}

void CpuEngineMemory::lay_out(Carver& carver, const LlamaConfig& config, const EngineSettings& settings) {
  const ParameterLayout layout(config);
  weights.lay_out(carver, config, settings.max_length, trains(settings), settings.precision);
  workers.resize(settings.threads);
  for (BlockBuffers& worker : workers) {
    worker.lay_out(carver, config, block_rows(settings), settings.max_length, trains(settings), settings.precision);
  }
  const std::int64_t token_floats = token_qkv_floats(config, settings);
  if (token_floats > 0) token_qkv = carver.take<float>(token_floats);
  gradients.clear();
  token_gradients.clear();
  update_scratch.clear();
  if (!trains(settings)) return;
  lay_out_lanes(carver, layout, settings, token_floats);
  states = list_optimizer_buffers(layout, settings.groups);
  for (OptimizerBuffer& state : states) state.values = carver.take<float>(state.about.floats);
  const auto scratch = static_cast<std::int64_t>(update_scratch_bytes(layout, settings.groups));
  for (int thread = 0; thread < settings.threads; ++thread) update_scratch.push_back(carver.take<std::byte>(scratch));
  if (settings.ranks != nullptr && settings.ranks->size() > 1) lay_out_ranks(carver, config, settings, token_floats);
}

// The lanes of other ranks have no memory here, but for the first, where the sum of all lanes comes.
void CpuEngineMemory::lay_out_lanes(Carver& carver, const ParameterLayout& layout, const EngineSettings& settings,
                                    std::int64_t token_floats) {
  const int size = settings.ranks == nullptr ? 1 : settings.ranks->size();
  const int rank = settings.ranks == nullptr ? 0 : settings.ranks->rank();
  for (std::int64_t lane = 0; lane < lane_count(layout); ++lane) {
    const bool is_own = lane % size == rank;
    gradients.push_back(is_own || lane == 0 ? carver.take<float>(layout.total()) : nullptr);
    token_gradients.push_back(is_own && token_floats > 0 ? carver.take<float>(token_floats) : nullptr);
  }
}

CpuEngine::CpuEngine(const LlamaConfig& config, const EngineSettings& settings)
    : settings_(settings),
      storage_(carve([&](Carver& carver) { memory_.lay_out(carver, config, settings); })),
      weights_(config, settings.max_length, trains(settings), settings.precision, memory_.weights),
      team_(settings.threads),
      optimizer_(weights_.layout(), weights_.matrices(), settings.groups, memory_.states),
      learning_(all_learn(config)) {
  for (const BlockBuffers& buffers : memory_.workers) workers_.emplace_back(settings, buffers);
  for (std::size_t lane = 0; lane < memory_.gradients.size(); ++lane) {
    lanes_.emplace_back(llama_backward_stages(config), memory_.gradients[lane], memory_.token_gradients[lane]);
  }
  squares_.resize(optimizer_.units().size());
  blocks_.reserve(settings.walks_per_step);
  if (settings.ranks == nullptr || settings.ranks->size() == 1) return;
  if (trains(settings) && settings.ranks->size() > static_cast<int>(lanes_.size())) {
    throw Error(fmt::format("a model of this size can be trained by at most {} ranks, and there are {}", lanes_.size(),
                            settings.ranks->size()),
                {.file = {}, .place = {}, .advice = "Start fewer ranks, with more THREADS each."});
  }
  constexpr int kGradient = 0, kTokens = 1;  // channels
  exchange_.emplace(*settings.ranks, kGradient, memory_.exchange);
  token_exchange_.emplace(*settings.ranks, kTokens, memory_.token_exchange);
  unit_ranges_ = ranges_of_units(optimizer_, ranks());
  std::size_t range = 0;
  for (const OptimizerPlan::Unit& unit : optimizer_.units()) {
    first_range_.push_back(range);
    range += unit.runs.size();
  }
  for (const BlockBuffers& buffers : memory_.held) held_workers_.emplace_back(settings, buffers);
  held_blocks_.resize(memory_.held.size());
}

// Gives all ranks what the owners of the shards have.
template <typename T>
void CpuEngine::gather(std::span<const Shard<T>> shards) const {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(ranks()), 0);
  for (const Shard<T>& shard : shards) counts[static_cast<std::size_t>(shard.owner)] += shard.count;
  std::vector<std::int64_t> at(counts.size(), 0);
  std::exclusive_scan(counts.begin(), counts.end(), at.begin(), std::int64_t{0});
  const std::span<T> all(reinterpret_cast<T*>(memory_.gathered.data()),
                         static_cast<std::size_t>(at.back() + counts.back()));
  if (all.size_bytes() > memory_.gathered.size()) throw std::logic_error("ranks have more to gather than was planned");
  std::vector<T*> places;
  for (const Shard<T>& shard : shards) {
    std::int64_t& next = at[static_cast<std::size_t>(shard.owner)];
    places.push_back(all.data() + next);
    next += shard.count;
    if (shard.owner == rank()) std::copy_n(shard.values, shard.count, places.back());
  }
  all_gather(*settings_.ranks, counts, all);
  for (std::size_t i = 0; i < shards.size(); ++i) {
    if (shards[i].owner != rank()) std::copy_n(places[i], shards[i].count, shards[i].values);
  }
}

bool CpuEngine::learns(const OptimizerPlan::Unit& unit) const {
  return unit.runs.empty() ? unit.matrix == nullptr || learns(unit.matrix->offset) : learns(unit.runs.front().offset);
}

void CpuEngine::load_parameters(const std::function<void(std::span<float> values)>& fill) {
  fill(weights_.values());
  weights_.pack_all();
}

void CpuEngine::copy_parameters(std::span<float> out) const {
  std::ranges::copy(weights_.values(), out.begin());
}

std::vector<StateBuffer> CpuEngine::optimizer_state() const {
  std::vector<StateBuffer> states;
  for (const OptimizerBuffer& state : memory_.states) states.push_back(state.about);
  return states;
}

std::span<float> CpuEngine::state_named(std::string_view name) const {
  for (const OptimizerBuffer& state : memory_.states) {
    if (state.about.name == name) return {state.values, static_cast<std::size_t>(state.about.floats)};
  }
  throw Error(fmt::format("the optimizer keeps no state \"{}\"", name));
}

void CpuEngine::copy_optimizer_state(std::string_view name, std::span<float> out) const {
  const std::span<float> state = state_named(name);
  if (exchange_) {
    std::vector<Shard<float>> shards;
    for (std::size_t i = 0; i < optimizer_.units().size(); ++i) {
      for (const OptimizerPlan::Run& run : optimizer_.units()[i].runs) {
        for (float* const values : run.states) {
          const bool is_in_it = values >= state.data() && values < state.data() + state.size();
          if (is_in_it) shards.push_back({values, run.count, owner_of_unit(i)});
        }
      }
    }
    gather<float>(shards);
  }
  std::ranges::copy(state, out.begin());
}

void CpuEngine::set_optimizer_state(std::string_view name, std::span<const float> values) {
  std::ranges::copy(values, state_named(name).begin());
}

void CpuEngine::list_own_blocks() {
  own_blocks_.clear();
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    if (rank_of_block_[i] == rank()) own_blocks_.push_back(static_cast<std::int64_t>(i));
  }
}

Block CpuEngine::load_block(Worker& worker, std::span<const WalkView> walks, const float* token_qkv,
                            std::int64_t i) const {
  const BlockPlan& plan = blocks_[static_cast<std::size_t>(i)];
  Block block = worker.load(
      walks.subspan(static_cast<std::size_t>(plan.first), static_cast<std::size_t>(plan.last - plan.first)));
  block.token_qkv = token_qkv;
  return block;
}

std::span<double> CpuEngine::losses_of_block(std::span<double> walk_losses, std::int64_t i) const {
  const BlockPlan& plan = blocks_[static_cast<std::size_t>(i)];
  return walk_losses.subspan(static_cast<std::size_t>(plan.first), static_cast<std::size_t>(plan.last - plan.first));
}

LaneSlot CpuEngine::slot_of_block(std::int64_t i) {
  const LanePlan::Place& place = lane_plan_.of_block[static_cast<std::size_t>(i)];
  return {&lanes_[static_cast<std::size_t>(place.lane)], place.number};
}

// Calls work(worker, block, i) for this rank's planned blocks, which leave their losses, and sums them per walk. False
// where it was given up between two blocks.
template <class Work>
bool CpuEngine::for_blocks(std::span<const WalkView> walks, const float* token_qkv, std::span<double> walk_losses,
                           const GiveUp& give_up, const Work& work) {
  list_own_blocks();
  const auto take = [&](int member, std::int64_t round) {
    Worker& worker = workers_[member];
    const std::int64_t i = own_blocks_[static_cast<std::size_t>(round)];
    work(worker, load_block(worker, walks, token_qkv, i), i);
    worker.sum_losses(losses_of_block(walk_losses, i));
  };
  const bool is_done = parallel_for(team_, static_cast<std::int64_t>(own_blocks_.size()), take, give_up);
  return exchange_ ? collect_losses(walk_losses, is_done) : is_done;
}

// Calls work(worker, i, first, last) for every run of kTokensAtOnce tokens.
template <class Work>
void CpuEngine::for_tokens(const Work& work) {
  const std::int64_t vocab = config().vocab_size;
  for_each((vocab + kTokensAtOnce - 1) / kTokensAtOnce, [&](Worker& worker, std::int64_t i) {
    const std::int64_t begin = i * kTokensAtOnce;
    work(worker, i, begin, std::min(vocab, begin + kTokensAtOnce));
  });
}

// q, k, v of the first layer for every token, or null where the planned blocks have too few positions for that.
const float* CpuEngine::project_tokens() {
  std::int64_t positions = 0;
  for (const BlockPlan& block : blocks_) positions += block.rows;
  float* const token_qkv = memory_.token_qkv;
  if (token_qkv == nullptr || positions < kPositionsPerToken * config().vocab_size) return nullptr;
  const std::int64_t width = weights_.attention().shape().qkv_width();
  for_tokens([&](Worker& worker, std::int64_t, std::int64_t begin, std::int64_t end) {
    const Block tokens = worker.load_tokens(begin, end);
    llama_project_tokens(weights_, tokens, worker.buffers, {token_qkv + begin * width, width});
  });
  return token_qkv;
}

// Their gradient, from all lanes, on to the parameters; with ranks, of the pieces that this one owns and has received.
void CpuEngine::project_tokens_backward() {
  const std::int64_t width = weights_.attention().shape().qkv_width();
  for_tokens([&](Worker& worker, std::int64_t i, std::int64_t begin, std::int64_t end) {
    const std::int64_t lane = lane_of_piece(i);
    if (lane % ranks() != rank()) return;
    const Rows sum{worker.buffers.layers.front().qkv.data, width};
    const std::span<const float* const> parts =
        exchange_ ? token_exchange_->parts(static_cast<std::size_t>(i), worker.parts)
                  : worker.parts_at(lanes_in_use(memory_.token_gradients), begin * width);
    sum_gradients((end - begin) * width, parts, sum.data);
    llama_project_tokens_backward(
        weights_, worker.load_tokens(begin, end), sum, worker.buffers,
        {&lanes_[lane], lane_plan_.blocks[static_cast<std::size_t>(lane)] + i / lane_plan_.used});
  });
}

std::span<float* const> CpuEngine::lanes_in_use(const std::vector<float*>& parts) const {
  return std::span(parts).first(lane_plan_.used);
}

// Sums the lanes, unit by unit of the optimizer: with ranks, each has its own units' gradient afterwards, and all have
// the squares of all.
void CpuEngine::reduce() {
  if (reduced_) return;
  if (exchange_ && !exchanged_) exchange_->run(team_, memory_.gradients, lane_plan_.used, learning_ranges());
  const std::vector<OptimizerPlan::Unit>& units = optimizer_.units();
  for_each(static_cast<std::int64_t>(units.size()), [&](Worker& worker, std::int64_t i) {
    const auto unit = static_cast<std::size_t>(i);
    if (owner_of_unit(unit) != rank()) return;
    squares_[unit] = 0.0;
    if (!learns(units[unit])) return;
    for (std::size_t r = 0; r < units[unit].runs.size(); ++r) {
      const OptimizerPlan::Run& run = units[unit].runs[r];
      const std::span<const float* const> parts = exchange_
                                                      ? exchange_->parts(first_range_[unit] + r, worker.parts)
                                                      : worker.parts_at(lanes_in_use(memory_.gradients), run.offset);
      squares_[unit] += sum_gradients(run.count, parts, memory_.gradients.front() + run.offset);
    }
  });
  if (exchange_) {
    std::vector<Shard<double>> shards;
    for (std::size_t unit = 0; unit < units.size(); ++unit) shards.push_back({&squares_[unit], 1, owner_of_unit(unit)});
    gather<double>(shards);
  }
  reduced_ = true;
}

void CpuEngine::learn(const Learning& learning) {
  check_learning(learning, config());
  learning_ = learning;
}

void CpuEngine::set_weight_decays(std::span<const double> decays) {
  optimizer_.set_weight_decays(decays);
}

bool CpuEngine::forward_backward(std::span<const WalkView> walks, double denominator, std::span<double> walk_losses,
                                 const GiveUp& give_up) {
  if (lanes_.empty()) throw std::logic_error("this engine was made without parameter groups and cannot train");
  plan_blocks(walks, 1, settings_, blocks_);
  for (GradientLane& lane : lanes_) lane.restart();
  const auto scale = static_cast<float>(1.0 / denominator);
  plan_lanes(blocks_, static_cast<std::int64_t>(lanes_.size()), lane_plan_);
  rank_of_block_.clear();
  for (const LanePlan::Place& place : lane_plan_.of_block) {
    rank_of_block_.push_back(static_cast<int>(place.lane) % ranks());
  }
  const float* token_qkv = project_tokens();
  const bool sends_early = !held_workers_.empty() && !learning_.only_lm_head;
  if (sends_early) {
    if (!pass_and_send({walks, token_qkv, scale, walk_losses, give_up})) return false;
  } else {
    const auto pass = [&](Worker& worker, const Block& block, std::int64_t i) {
      llama_forward(weights_, block, learning_.layers, !learning_.only_lm_head, worker.buffers);
      llama_backward(weights_, block, learning_, scale, worker.buffers, slot_of_block(i));
    };
    if (!for_blocks(walks, token_qkv, walk_losses, give_up, pass)) return false;
    if (token_qkv != nullptr && learns(layout().embed_tokens())) {
      if (exchange_) token_exchange_->run(team_, memory_.token_gradients, lane_plan_.used, token_pieces());
      project_tokens_backward();
    }
  }
  exchanged_ = sends_early;
  reduced_ = false;
  return true;
}

double CpuEngine::gradient_norm() {
  reduce();
  double sum = 0.0;
  for (const double part : squares_) sum += part;
  return std::sqrt(sum);
}

std::vector<float> CpuEngine::gradient() {
  reduce();
  float* const values = memory_.gradients.front();
  if (exchange_) gather<float>(shards_of(values));
  std::vector<float> gradient(values, values + layout().total());
  for (const ParameterInfo& tensor : layout().tensors()) {
    if (!learns(tensor.offset)) std::fill_n(gradient.begin() + tensor.offset, tensor.size, 0.0F);
  }
  return gradient;
}

void CpuEngine::update(std::span<const double> learning_rates, double max_grad_norm) {
  const double norm = gradient_norm();
  updates_ += 1;
  const auto scale = max_grad_norm > 0.0 ? static_cast<float>(std::min(1.0, max_grad_norm / (norm + 1e-6))) : 1.0F;
  const UpdateNumbers numbers{.learning_rates = learning_rates, .gradient_scale = scale, .number = updates_};
  const auto pack = [&](const OptimizerPlan::Unit& unit) {
    if (unit.matrix != nullptr) weights_.pack(*unit.matrix, unit.first_row, unit.last_row);
  };
  const std::vector<OptimizerPlan::Unit>& units = optimizer_.units();
  parallel_for(team_, static_cast<std::int64_t>(units.size()), [&](int member, std::int64_t i) {
    const OptimizerPlan::Unit& unit = units[i];
    if (owner_of_unit(static_cast<std::size_t>(i)) != rank() || !learns(unit)) return;
    for (const OptimizerPlan::Run& run : unit.runs) {
      optimizer_.update(run, numbers, memory_.gradients.front(), weights_.values().data(),
                        memory_.update_scratch[member]);
    }
    if (!exchange_) pack(unit);
  });
  if (exchange_) {
    gather<float>(shards_of(weights_.values().data()));
    parallel_for(team_, static_cast<std::int64_t>(units.size()), [&](int, std::int64_t i) {
      if (learns(units[i])) pack(units[i]);
    });
  }
  const std::vector<OptimizerPlan::Unit>& packings = optimizer_.packings();
  if (packings.empty()) return;
  parallel_for(team_, static_cast<std::int64_t>(packings.size()), [&](int, std::int64_t i) {
    if (learns(packings[i])) pack(packings[i]);
  });
}

bool CpuEngine::evaluate(std::span<const WalkView> walks, std::span<double> walk_losses, const GiveUp& give_up) {
  plan_blocks(walks, 1, settings_, blocks_);
  rank_of_block_.clear();
  for (std::size_t i = 0; i < blocks_.size(); ++i) rank_of_block_.push_back(static_cast<int>(i) % ranks());
  return for_blocks(walks, project_tokens(), walk_losses, give_up,
                    [&](Worker& worker, const Block& block, std::int64_t) {
                      llama_forward(weights_, block, config().num_hidden_layers, false, worker.buffers);
                      llama_losses(weights_, block, worker.buffers);
                    });
}

std::vector<float> CpuEngine::logits(std::span<const WalkView> walks) {
  const std::int64_t vocab = config().vocab_size;
  std::vector<std::int64_t> starts;
  std::int64_t total = 0;
  for (const WalkView walk : walks) {
    starts.push_back(total);
    total += static_cast<std::int64_t>(walk.size());
  }
  std::vector<float> result(static_cast<std::size_t>(total * vocab));
  plan_blocks(walks, 0, settings_, blocks_);
  for_each(static_cast<std::int64_t>(blocks_.size()), [&](Worker& worker, std::int64_t i) {
    const BlockPlan& plan = blocks_[i];
    const auto first = static_cast<std::size_t>(plan.first);
    const Block block = worker.load_whole(walks.subspan(first, static_cast<std::size_t>(plan.last - plan.first)));
    llama_forward(weights_, block, config().num_hidden_layers, false, worker.buffers);
    linear_forward(weights_.lm_head(), block.rows(), worker.buffers.normed,
                   {result.data() + starts[first] * vocab, vocab}, Write::kReplace, worker.buffers.linear_scratch);
  });
  return result;
}

std::unique_ptr<TokenStates> CpuEngine::token_states(std::span<const std::int32_t> ids,
                                                     std::span<const TokenArray> arrays) {
  return std::make_unique<CpuTokenStates>(weights_, team_, memory_.workers, ids, arrays);
}

void CpuEngine::walk_states(std::span<const WalkView> walks, std::span<const WalkPlace> places,
                            std::span<const TokenArray> arrays, std::span<float> out) {
  const std::int64_t width = states_width(arrays);
  plan_blocks(walks, 0, settings_, blocks_);
  const float* const token_qkv = project_tokens();
  const BlockRange own = blocks_of_rank(rank());
  for_each(own.last - own.first, [&](Worker& worker, std::int64_t i) {
    const BlockPlan& plan = blocks_[static_cast<std::size_t>(own.first + i)];
    const auto first = std::ranges::lower_bound(places, plan.first, {}, &WalkPlace::walk);
    const auto last = std::ranges::lower_bound(places, plan.last, {}, &WalkPlace::walk);
    if (first == last) return;
    const auto begin = static_cast<std::size_t>(plan.first);
    Block block = worker.load_whole(walks.subspan(begin, static_cast<std::size_t>(plan.last - plan.first)));
    block.token_qkv = token_qkv;
    const std::vector<std::int64_t> rows = rows_of_places(block, plan.first, {first, last});
    llama_walk_states(weights_, block, rows, arrays, worker.buffers,
                      {out.data() + (first - places.begin()) * width, width});
  });
  if (exchange_) collect_states(places, width, out);
}

}  // namespace strider
