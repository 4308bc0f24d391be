#pragma once
// The engine on this machine's processors.
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/carver.h"
#include "base/parallel.h"
#include "base/thread_team.h"
#include "engine/cpu/gradient_exchange.h"
#include "engine/cpu/gradient_lane.h"
#include "engine/cpu/lane_plan.h"
#include "engine/cpu/optimizer_state.h"
#include "engine/cpu/weights.h"
#include "engine/cpu/worker.h"
#include "engine/engine.h"

namespace strider {

/// Everything that an engine allocates.
struct CpuEngineMemory {
  WeightsMemory weights;
  std::vector<BlockBuffers> workers;    // one per thread
  std::vector<float*> gradients;        // one per lane; none without parameter groups, as the rest below
  std::vector<float*> token_gradients;  // one per lane: [vocab, qkv width], or null
  std::vector<BlockBuffers> held;       // one per lane of this rank, where ranks share no machine
  float* token_qkv = nullptr;           // [vocab, qkv width]; null where that never pays
  std::vector<OptimizerBuffer> states;
  std::vector<std::byte*> update_scratch;  // one per thread
  // With ranks: what they send and receive of the gradient and of the token gradients, and all of what each has.
  std::span<float> exchange, token_exchange;
  std::span<std::byte> gathered;

  void lay_out(Carver& carver, const LlamaConfig& config, const EngineSettings& settings);

 private:
  void lay_out_lanes(Carver& carver, const ParameterLayout& layout, const EngineSettings& settings,
                     std::int64_t token_floats);
  void lay_out_ranks(Carver& carver, const LlamaConfig& config, const EngineSettings& settings,
                     std::int64_t token_floats);
};

/// What the optimizer's units update, run by run; unit u is owned by rank u mod `ranks`.
std::vector<OwnedRange> ranges_of_units(const OptimizerPlan& plan, int ranks);

/// More lanes let more threads run without waiting for each other; each costs a copy of the gradients.
std::int64_t lane_count(const ParameterLayout& layout);

class CpuEngine : public Engine {
 public:
  CpuEngine(const LlamaConfig& config, const EngineSettings& settings);

  const LlamaConfig& config() const override { return weights_.config(); }
  const ParameterLayout& layout() const override { return weights_.layout(); }

  void load_parameters(const std::function<void(std::span<float> values)>& fill) override;
  void copy_parameters(std::span<float> out) const override;

  std::vector<StateBuffer> optimizer_state() const override;
  void copy_optimizer_state(std::string_view name, std::span<float> out) const override;
  void set_optimizer_state(std::string_view name, std::span<const float> values) override;
  std::int64_t updates() const override { return updates_; }
  void set_updates(std::int64_t updates) override { updates_ = updates; }

  void learn(const Learning& learning) override;
  void set_weight_decays(std::span<const double> decays) override;
  using Engine::evaluate;
  using Engine::forward_backward;
  bool forward_backward(std::span<const WalkView> walks, double denominator, std::span<double> walk_losses,
                        const GiveUp& give_up) override;
  double gradient_norm() override;
  std::vector<float> gradient() override;
  std::span<const ParameterGroup> groups() const override { return settings_.groups; }
  using Engine::update;
  void update(std::span<const double> learning_rates, double max_grad_norm) override;
  bool evaluate(std::span<const WalkView> walks, std::span<double> walk_losses, const GiveUp& give_up) override;
  std::vector<float> logits(std::span<const WalkView> walks) override;
  std::unique_ptr<TokenStates> token_states(std::span<const std::int32_t> ids,
                                            std::span<const TokenArray> arrays) override;
  void walk_states(std::span<const WalkView> walks, std::span<const WalkPlace> places,
                   std::span<const TokenArray> arrays, std::span<float> out) override;

 private:
  // Calls work(worker, i) for each i below count, on all threads.
  template <class Work>
  void for_each(std::int64_t count, const Work& work) {
    parallel_for(team_, count, [&](int member, std::int64_t i) { work(workers_[member], i); });
  }
  // A run of values, and the rank that has made them last.
  template <typename T>
  struct Shard {
    T* values = nullptr;
    std::int64_t count = 0;
    int owner = 0;
  };

  int rank() const { return exchange_ ? settings_.ranks->rank() : 0; }
  int ranks() const { return exchange_ ? settings_.ranks->size() : 1; }
  int owner_of_unit(std::size_t unit) const { return static_cast<int>(unit) % ranks(); }
  bool learns(std::int64_t offset) const { return strider::learns(learning_, layout(), offset); }
  bool learns(const OptimizerPlan::Unit& unit) const;
  std::vector<OwnedRange> learning_ranges() const;
  // A step's walks, and what comes of them.
  struct Pass {
    std::span<const WalkView> walks;
    const float* token_qkv;  // null where q, k, v of the first layer are not computed per token
    float scale;
    std::span<double> walk_losses;
    const GiveUp& give_up;
  };

  template <typename T>
  void gather(std::span<const Shard<T>> shards) const;
  std::vector<Shard<float>> shards_of(float* flat) const;
  bool collect_losses(std::span<double> walk_losses, bool is_done);
  // Planned blocks [first, last) that are a rank's where blocks that follow each other have to be.
  struct BlockRange {
    std::int64_t first = 0, last = 0;
  };
  BlockRange blocks_of_rank(int of_rank) const;
  void collect_states(std::span<const WalkPlace> places, std::int64_t width, std::span<float> states) const;
  std::vector<OwnedRange> token_pieces() const;

  // Where ranks share no machine (cpu_engine_ranks.cpp).
  bool pass_and_send(const Pass& pass);
  std::size_t hold_last_blocks_back();
  void begin_exchanges(bool by_token);
  bool pass_to_head(const Pass& pass, std::size_t first_held);
  void backward_held(const Pass& pass, std::int64_t stage, std::size_t first_held);

  void list_own_blocks();
  Block load_block(Worker& worker, std::span<const WalkView> walks, const float* token_qkv, std::int64_t i) const;
  std::span<double> losses_of_block(std::span<double> walk_losses, std::int64_t i) const;
  LaneSlot slot_of_block(std::int64_t i);
  template <class Work>
  bool for_blocks(std::span<const WalkView> walks, const float* token_qkv, std::span<double> walk_losses,
                  const GiveUp& give_up, const Work& work);
  template <class Work>
  void for_tokens(const Work& work);

  std::span<float> state_named(std::string_view name) const;
  std::span<float* const> lanes_in_use(const std::vector<float*>& parts) const;
  std::int64_t lane_of_piece(std::int64_t piece) const { return piece % lane_plan_.used; }
  const float* project_tokens();
  void project_tokens_backward();
  void reduce();

  EngineSettings settings_;
  CpuEngineMemory memory_;
  AlignedBuffer<std::byte> storage_;  // of memory_
  Weights weights_;
  ThreadTeam team_;
  std::deque<Worker> workers_;
  std::deque<GradientLane> lanes_;
  OptimizerPlan optimizer_;
  std::int64_t updates_ = 0;
  std::optional<GradientExchange> exchange_, token_exchange_;  // where ranks share the steps
  std::vector<OwnedRange> unit_ranges_;                        // of the optimizer's units, run by run; with ranks only
  std::vector<std::size_t> first_range_;                       // of each unit, in unit_ranges_
  std::vector<double> squares_;                                // of the gradient, of each unit of the optimizer
  std::vector<BlockPlan> blocks_;
  std::vector<int> rank_of_block_;
  std::vector<std::int64_t> own_blocks_;  // indices of this rank's, in the order in which they begin
  std::deque<Worker> held_workers_;       // of own_blocks_ from the first that is held back
  std::vector<Block> held_blocks_;        // in them
  LanePlan lane_plan_;
  bool exchanged_ = false;  // the gradient of the last step, while it was computed
  bool reduced_ = false;
  Learning learning_;
};

}  // namespace strider
