#pragma once
// The Engine on one GPU with matrix products over operands of type T, float or Bfloat16. A call's walks are cut into
// batches; what a call does with batches of some shapes is recorded once as a graph and goes to the device as one
// launch (docs/gpu.md).
#include <array>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "engine/cuda/activations.h"
#include "engine/cuda/cuda_engine.h"
#include "engine/cuda/held_walks.h"
#include "engine/cuda/llama.h"
#include "engine/cuda/runtime.h"
#include "engine/cuda/states.h"

namespace strider::cuda {

/// Steps or evaluations that may be under way at once: while the device computes one the host writes the next.
inline constexpr std::size_t kCallsUnderWay = 2;

template <typename T>
class TypedEngine : public Engine {
 public:
  TypedEngine(const LlamaConfig& config, const EngineSettings& settings, std::unique_ptr<MatrixProducts> products,
              std::int64_t batch_rows);
  ~TypedEngine() override;

  const LlamaConfig& config() const override { return config_; }
  const ParameterLayout& layout() const override { return layout_; }
  void load_parameters(const std::function<void(std::span<float> values)>& fill) override;
  void copy_parameters(std::span<float> out) const override;
  std::vector<StateBuffer> optimizer_state() const override;
  void copy_optimizer_state(std::string_view name, std::span<float> out) const override;
  void set_optimizer_state(std::string_view name, std::span<const float> values) override;
  std::unique_ptr<StateCopy> begin_copy(std::span<float> parameters, std::span<const std::span<float>> states) override;
  std::int64_t updates() const override { return updates_; }
  void set_updates(std::int64_t updates) override { updates_ = updates; }
  void learn(const Learning& learning) override;
  void set_weight_decays(std::span<const double> decays) override;
  bool forward_backward(std::span<const WalkView> walks, double denominator, std::span<double> walk_losses,
                        const GiveUp& give_up) override;
  double gradient_norm() override;
  std::vector<float> gradient() override;
  std::span<const ParameterGroup> groups() const override { return settings_.groups; }
  void update(std::span<const double> learning_rates, double max_grad_norm) override;
  bool runs_beside_host() const override { return true; }
  bool queue_step(const StepWork& work) override;
  std::optional<double> step(const StepWork& work, std::span<double> walk_losses, const GiveUp& give_up) override;
  void hold_walks(std::span<const std::int64_t> lengths,
                  const std::function<void(std::int64_t walk, std::span<std::int32_t> out)>& read) override;
  bool evaluate(std::span<const WalkView> walks, std::span<double> walk_losses, const GiveUp& give_up) override;
  bool queue_evaluation(const CallWalks& walks) override;
  bool take_evaluation(const CallWalks& walks, std::span<double> walk_losses, const GiveUp& give_up) override;
  std::vector<float> logits(std::span<const WalkView> walks) override;
  /// Unlike the CPU's this computes the layers below an array again for each array: on a GPU that takes less than
  /// writing the array does.
  std::unique_ptr<TokenStates> token_states(std::span<const std::int32_t> ids,
                                            std::span<const TokenArray> arrays) override;
  void walk_states(std::span<const WalkView> walks, std::span<const WalkPlace> places,
                   std::span<const TokenArray> arrays, std::span<float> out) override;

 private:
  // What a graph does with the batches of a call.
  enum class Work { kEvaluate, kGradient, kUpdate, kStep };
  struct GraphKey {
    std::vector<BatchShape> shapes;
    bool is_held = false;  // of walks that the device holds
    Work work = Work::kEvaluate;
    Learning learning;
    auto operator<=>(const GraphKey&) const = default;
  };
  // Pinned memory that one call's copies go through.
  struct Slot {
    Slot(std::size_t groups, const BatchLimits& limits);

    PinnedBytes inbox_storage, outbox_storage;
    Inbox inbox;
    Outbox outbox;
    Event done;
  };
  // A call's batches, as they are in the inbox.
  struct WrittenCall {
    std::vector<BatchShape> shapes;
    std::int64_t numbers = 0;
    bool is_held = false;
  };

  WrittenCall write_batches(const CallWalks& walks, const Slot& slot) const;
  void write_step_numbers(std::span<const double> learning_rates, double max_grad_norm, double denominator,
                          const Slot& slot) const;
  void put(WrittenCall call, Work work, Slot& slot);
  Slot* free_slot() const;
  void put_under_way(const CallWalks& walks, Work work);
  const Slot& first_done();
  Slot& slot_of_calls() const { return *slots_.back(); }
  void record(const GraphKey& key) const;
  void record_gathering(std::int64_t batch, BatchShape shape, bool orders_rows) const;
  void record_batches(const GraphKey& key) const;
  void record_update(const Learning& learning) const;
  std::vector<std::int64_t> lengths_of_call(const CallWalks& walks) const;
  void read_losses(const CallWalks& walks, const Slot& slot, std::span<double> walk_losses) const;
  Pass<T> pass_with_all_tokens(std::span<const WalkView> walks) const;
  Pass<T> pass_over(BatchShape shape, DeviceSpan<const std::int32_t> numbers, std::int64_t first_loss,
                    const Learning& learning) const;
  const OptimizerBuffer& state_named(std::string_view name) const;
  void expect_training() const;

  LlamaConfig config_;
  ParameterLayout layout_;
  EngineSettings settings_;
  BatchLimits limits_;
  std::unique_ptr<MatrixProducts> products_;
  EngineMemory<T> memory_;
  DeviceBytes storage_;  // of memory_
  Stream stream_, copy_stream_;
  Event snapshot_taken_, snapshot_copied_;
  Stream branch_stream_;  // while a graph is recorded
  Event batch_gathered_, rows_ordered_;
  std::optional<PinnedBytes> snapshot_host_;  // from the first copy on
  std::vector<std::unique_ptr<Slot>> slots_;  // kCallsUnderWay for calls that are queued, one for all others
  std::size_t next_slot_ = 0;                 // of the former
  std::deque<Slot*> under_way_;               // oldest first
  HeldWalks held_;
  std::map<GraphKey, Graph> graphs_;
  Learning learning_;
  double norm_ = 0.0;
  std::int64_t updates_ = 0;
};

}  // namespace strider::cuda
