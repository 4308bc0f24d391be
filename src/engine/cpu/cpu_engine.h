#pragma once
// The engine on this machine's processors.
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/carver.h"
#include "base/parallel.h"
#include "base/thread_team.h"
#include "engine/cpu/gradient_lane.h"
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
  float* token_qkv = nullptr;           // [vocab, qkv width]; null where that never pays
  std::vector<OptimizerBuffer> states;
  std::vector<std::byte*> update_scratch;  // one per thread

  void lay_out(Carver& carver, const LlamaConfig& config, const EngineSettings& settings);
};

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
  template <class Work>
  bool for_blocks(std::span<const WalkView> walks, const float* token_qkv, std::span<double> walk_losses,
                  const GiveUp& give_up, const Work& work);
  template <class Work>
  void for_tokens(const Work& work);

  std::span<float> state_named(std::string_view name) const;
  std::span<float* const> lanes_in_use(const std::vector<float*>& parts) const;
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
  std::vector<double> squares_;  // of the gradient, a part for each run of kUpdateFloats
  std::vector<BlockPlan> blocks_;
  std::int64_t lanes_used_ = 0;
  bool reduced_ = false;
};

}  // namespace strider
