// What CpuEngine does with other ranks: docs/blocks_and_lanes.md, "Several processes".
#include <algorithm>
#include <functional>

#include "engine/cpu/cpu_engine.h"
#include "engine/cpu/llama.h"
#include "engine/cpu/token_pieces.h"

namespace strider {
namespace {

std::vector<OwnedRange> pieces_by_rank(std::int64_t vocab, std::int64_t width, std::int64_t used, int ranks) {
  std::vector<OwnedRange> pieces;
  for (std::int64_t begin = 0; begin < vocab; begin += kTokensAtOnce) {
    const std::int64_t tokens = std::min(kTokensAtOnce, vocab - begin);
    const std::int64_t lane = static_cast<std::int64_t>(pieces.size()) % used;
    pieces.push_back({.offset = begin * width, .count = tokens * width, .owner = static_cast<int>(lane % ranks)});
  }
  return pieces;
}

template <typename T>
std::span<T> take_span(Carver& carver, std::int64_t count) {
  T* const values = carver.take<T>(count);
  return {values, values == nullptr ? 0 : static_cast<std::size_t>(count)};
}

}  // namespace

std::vector<OwnedRange> ranges_of_units(const OptimizerPlan& plan, int ranks) {
  std::vector<OwnedRange> ranges;
  for (std::size_t unit = 0; unit < plan.units().size(); ++unit) {
    for (const OptimizerPlan::Run& run : plan.units()[unit].runs) {
      ranges.push_back({.offset = run.offset, .count = run.count, .owner = static_cast<int>(unit) % ranks});
    }
  }
  return ranges;
}

// The most that any step sends and receives, and, where sending takes time, room for the blocks that are held back.
void CpuEngineMemory::lay_out_ranks(Carver& carver, const LlamaConfig& config, const EngineSettings& settings,
                                    std::int64_t token_floats) {
  const ParameterLayout layout(config);
  const int size = settings.ranks->size();
  const int rank = settings.ranks->rank();
  const std::int64_t lanes = lane_count(layout);
  const std::vector<Weights::Matrix> matrices = Weights::list_matrices(config, settings.precision);
  const OptimizerPlan plan(layout, matrices, settings.groups, states);
  exchange = take_span<float>(carver, GradientExchange::floats(size, rank, lanes, ranges_of_units(plan, size)));
  if (token_floats > 0) {
    std::int64_t most = 0;
    for (std::int64_t used = 1; used <= lanes; ++used) {
      const auto pieces = pieces_by_rank(config.vocab_size, token_floats / config.vocab_size, used, size);
      most = std::max(most, GradientExchange::floats(size, rank, used, pieces));
    }
    token_exchange = take_span<float>(carver, most);
  }
  const std::int64_t squares = static_cast<std::int64_t>(plan.units().size() * sizeof(double));
  gathered = take_span<std::byte>(carver, std::max(layout.total() * static_cast<std::int64_t>(sizeof(float)), squares));
  held.clear();
  if (settings.ranks->shares_machine()) return;
  for (std::int64_t lane = rank; lane < lanes; lane += size) {
    held.emplace_back().lay_out_kept(carver, config, block_rows(settings));
  }
}

// Of a buffer in the parameters' layout, what learns, by the units of the optimizer.
std::vector<CpuEngine::Shard<float>> CpuEngine::shards_of(float* flat) const {
  std::vector<Shard<float>> shards;
  for (const OwnedRange& range : unit_ranges_) {
    if (learns(range.offset)) shards.push_back({flat + range.offset, range.count, range.owner});
  }
  return shards;
}

// unit_ranges_, in the same places, with nothing of those that do not learn.
std::vector<OwnedRange> CpuEngine::learning_ranges() const {
  std::vector<OwnedRange> ranges = unit_ranges_;
  for (OwnedRange& range : ranges) {
    if (!learns(range.offset)) range.count = 0;
  }
  return ranges;
}

// Takes all losses to rank 0, which decides whether the call was given up.
bool CpuEngine::collect_losses(std::span<double> walk_losses, bool is_done) {
  Communicator& ranks = *settings_.ranks;
  const auto size = static_cast<std::size_t>(ranks.size());
  std::vector<std::span<const std::byte>> out(size);
  std::vector<std::span<std::byte>> in(size);
  auto flag = static_cast<std::byte>(is_done);
  std::vector<double> message(walk_losses.begin(), walk_losses.end());
  if (ranks.rank() != 0) {
    message.push_back(ranks.signal_here ? ranks.signal_here() : 0);
    out[0] = std::as_bytes(std::span(message));
    in[0] = {&flag, 1};
    ranks.exchange(out, in);
    return flag != std::byte{0};
  }
  std::vector<std::vector<double>> of_rank(size, std::vector<double>(walk_losses.size() + 1));
  for (std::size_t r = 1; r < size; ++r) {
    out[r] = {&flag, 1};
    in[r] = std::as_writable_bytes(std::span(of_rank[r]));
  }
  ranks.exchange(out, in);
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    if (rank_of_block_[i] == 0) continue;
    const std::vector<double>& from = of_rank[static_cast<std::size_t>(rank_of_block_[i])];
    for (std::int64_t walk = blocks_[i].first; walk < blocks_[i].last; ++walk) {
      walk_losses[static_cast<std::size_t>(walk)] = from[static_cast<std::size_t>(walk)];
    }
  }
  for (std::size_t r = 1; r < size; ++r) {
    const int signal = static_cast<int>(of_rank[r].back());
    if (signal != 0 && ranks.on_signal_elsewhere) ranks.on_signal_elsewhere(signal);
  }
  return is_done;
}

// The token gradients' ranges, by the ranks that take them through the rest of the backward pass.
std::vector<OwnedRange> CpuEngine::token_pieces() const {
  return pieces_by_rank(config().vocab_size, weights_.attention().shape().qkv_width(), lane_plan_.used, ranks());
}

// The blocks' forward and backward passes, and all that is sent of their gradients. A weight's gradient is complete in
// a lane only when the lane's last block has left the weight's stage. So the last block of each lane is held back, and
// all of them go through the backward pass together, stage by stage: what is complete after a stage is sent while they
// are in the stages after it. A call that is given up sends as much as any other, since no other rank knows of it yet.
bool CpuEngine::pass_and_send(const Pass& pass) {
  const bool by_token = pass.token_qkv != nullptr && learns(layout().embed_tokens());
  list_own_blocks();
  const std::size_t first_held = hold_last_blocks_back();
  begin_exchanges(by_token);
  const bool is_done = pass_to_head(pass, first_held);
  for (std::int64_t stage = 0; stage < llama_backward_stages(config()); ++stage) {
    if (is_done && stage > 0) backward_held(pass, stage, first_held);
    exchange_->send(team_);
    if (by_token && stage == llama_token_stage(config())) token_exchange_->send(team_);
  }
  if (by_token) {
    token_exchange_->finish();
    if (is_done) project_tokens_backward();
  }
  exchange_->send(team_);
  exchange_->finish();
  return collect_losses(pass.walk_losses, is_done);
}

// Puts the last block of each lane behind all others of own_blocks_, the largest first, and returns where they begin.
std::size_t CpuEngine::hold_last_blocks_back() {
  const auto is_last = [&](std::int64_t i) {
    const LanePlan::Place& place = lane_plan_.of_block[static_cast<std::size_t>(i)];
    return place.number + 1 == lane_plan_.blocks[static_cast<std::size_t>(place.lane)];
  };
  const auto held = std::stable_partition(own_blocks_.begin(), own_blocks_.end(), std::not_fn(is_last));
  std::stable_sort(held, own_blocks_.end(), [&](std::int64_t a, std::int64_t b) {
    return blocks_[static_cast<std::size_t>(a)].rows > blocks_[static_cast<std::size_t>(b)].rows;
  });
  return static_cast<std::size_t>(held - own_blocks_.begin());
}

// A batch for each stage, and one for what is complete only after the tokens.
void CpuEngine::begin_exchanges(bool by_token) {
  std::vector<OwnedRange> ranges = learning_ranges();
  for (OwnedRange& range : ranges) range.batch = llama_last_stage(config(), layout(), by_token, range.offset);
  exchange_->begin(memory_.gradients, lane_plan_.used, ranges, llama_backward_stages(config()) + 1);
  if (by_token) token_exchange_->begin(memory_.token_gradients, lane_plan_.used, token_pieces(), 1);
}

// All of this rank's blocks; those that are held back only up to the head's gradient. False where it was given up.
bool CpuEngine::pass_to_head(const Pass& pass, std::size_t first_held) {
  const auto take = [&](int member, std::int64_t round) {
    const auto place = static_cast<std::size_t>(round);
    const bool is_held = place >= first_held;
    Worker& worker = is_held ? held_workers_[place - first_held] : workers_[static_cast<std::size_t>(member)];
    if (is_held) worker.buffers.borrow(workers_[static_cast<std::size_t>(member)].buffers);
    const std::int64_t i = own_blocks_[place];
    const Block block = load_block(worker, pass.walks, pass.token_qkv, i);
    llama_forward(weights_, block, learning_.layers, true, worker.buffers);
    if (is_held) {
      held_blocks_[place - first_held] = block;
      llama_backward_stage(weights_, block, learning_, pass.scale, 0, worker.buffers, slot_of_block(i));
    } else {
      llama_backward(weights_, block, learning_, pass.scale, worker.buffers, slot_of_block(i));
    }
    worker.sum_losses(losses_of_block(pass.walk_losses, i));
    if (member == 0) settings_.ranks->poll();
  };
  return parallel_for(team_, static_cast<std::int64_t>(own_blocks_.size()), take, pass.give_up);
}

void CpuEngine::backward_held(const Pass& pass, std::int64_t stage, std::size_t first_held) {
  const auto take = [&](int member, std::int64_t held) {
    const auto place = static_cast<std::size_t>(held);
    Worker& worker = held_workers_[place];
    worker.buffers.borrow(workers_[static_cast<std::size_t>(member)].buffers);
    llama_backward_stage(weights_, held_blocks_[place], learning_, pass.scale, stage, worker.buffers,
                         slot_of_block(own_blocks_[first_held + place]));
    if (member == 0) settings_.ranks->poll();
  };
  parallel_for(team_, static_cast<std::int64_t>(own_blocks_.size() - first_held), take);
}

CpuEngine::BlockRange CpuEngine::blocks_of_rank(int of_rank) const {
  const std::int64_t count = std::ssize(blocks_);
  return {count * of_rank / ranks(), count * (of_rank + 1) / ranks()};
}

// Takes the states [places, width] that each rank has of its blocks_of_rank() to rank 0. They lie side by side, since
// the places ascend by walk.
void CpuEngine::collect_states(std::span<const WalkPlace> places, std::int64_t width, std::span<float> states) const {
  const auto places_before = [&](std::int64_t block) -> std::int64_t {
    if (block == std::ssize(blocks_)) return std::ssize(places);
    const std::int64_t walk = blocks_[static_cast<std::size_t>(block)].first;
    return std::ranges::lower_bound(places, walk, {}, &WalkPlace::walk) - places.begin();
  };
  const auto states_of = [&](int of_rank) {
    const BlockRange range = blocks_of_rank(of_rank);
    const std::int64_t first = places_before(range.first);
    const std::int64_t count = places_before(range.last) - first;
    return states.subspan(static_cast<std::size_t>(first * width), static_cast<std::size_t>(count * width));
  };
  std::vector<std::span<const std::byte>> out(static_cast<std::size_t>(ranks()));
  std::vector<std::span<std::byte>> in(out.size());
  if (rank() != 0) {
    out[0] = std::as_bytes(states_of(rank()));
  } else {
    for (int r = 1; r < ranks(); ++r) in[static_cast<std::size_t>(r)] = std::as_writable_bytes(states_of(r));
  }
  settings_.ranks->exchange(out, in);
}

}  // namespace strider
