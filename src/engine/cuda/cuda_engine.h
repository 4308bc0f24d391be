#pragma once
// The Engine on one GPU. A call's walks are cut into batches; what a batch of some shape needs is recorded once as a
// graph and goes to the device as one launch. docs/gpu.md explains it.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/cuda/activations.h"
#include "engine/cuda/llama.h"
#include "engine/cuda/products.h"
#include "engine/cuda/runtime.h"
#include "engine/engine.h"

namespace strider::cuda {

/// Rows of a batch at most, but for a walk that is longer: what keeps a GPU busy without taking all of its memory.
inline constexpr std::int64_t kBatchRows = 8192;

class CudaEngine : public Engine {
 public:
  /// Throws Error when the device's memory is not enough, for what the kernels cannot do (head_dim above kMostHeadDim,
  /// precision other than float32, an optimizer that is not there), or when CUDA fails.
  CudaEngine(const LlamaConfig& config, const EngineSettings& settings, std::unique_ptr<MatrixProducts> products,
             std::int64_t batch_rows = kBatchRows);

  const LlamaConfig& config() const override { return config_; }
  const ParameterLayout& layout() const override { return layout_; }
  void load_parameters(const std::function<void(std::span<float> values)>& fill) override;
  void copy_parameters(std::span<float> out) const override;
  std::vector<StateBuffer> optimizer_state() const override;
  void copy_optimizer_state(std::string_view name, std::span<float> out) const override;
  void set_optimizer_state(std::string_view name, std::span<const float> values) override;
  std::int64_t updates() const override { return updates_; }
  void set_updates(std::int64_t updates) override { updates_ = updates; }
  bool forward_backward(std::span<const WalkView> walks, double denominator, std::span<double> walk_losses,
                        const GiveUp& give_up) override;
  double gradient_norm() override;
  std::vector<float> gradient() override;
  std::span<const ParameterGroup> groups() const override { return settings_.groups; }
  void update(std::span<const double> learning_rates, double max_grad_norm) override;
  bool evaluate(std::span<const WalkView> walks, std::span<double> walk_losses, const GiveUp& give_up) override;
  std::vector<float> logits(std::span<const WalkView> walks) override;
  /// Not there yet; throws Error.
  std::unique_ptr<TokenStates> token_states(std::span<const std::int32_t> ids,
                                            std::span<const TokenArray> arrays) override;
  void walk_states(std::span<const WalkView> walks, std::span<const WalkPlace> places,
                   std::span<const TokenArray> arrays, std::span<float> out) override;

 private:
  // What a graph does with a batch.
  enum class Work { kEvaluate, kTrain, kTrainFirst, kTrainLast, kTrainOnly };
  struct GraphKey {
    BatchShape shape;
    Work work = Work::kEvaluate;
    auto operator<=>(const GraphKey&) const = default;
  };

  bool run_batches(std::span<const WalkView> walks, std::span<double> walk_losses, const GiveUp& give_up, bool trains);
  void run_batch(std::span<const WalkView> walks, std::span<double> walk_losses, Work work);
  Pass pass_over(BatchShape shape) const;
  void record_batch(BatchShape shape, Work work) const;
  void record_update() const;
  void write_step_numbers(std::span<const double> learning_rates, double max_grad_norm) const;
  const OptimizerBuffer& state_named(std::string_view name) const;
  void expect_training() const;

  // What the host writes before a graph is launched, and what it finds afterwards.
  struct HostNumbers {
    std::int32_t* batch = nullptr;
    float* loss_scale = nullptr;
    float* step = nullptr;
    float* losses = nullptr;
    double* norm = nullptr;
    void lay_out(Carver& carver, const EngineSettings& settings, const BatchLimits& limits);
  };

  LlamaConfig config_;
  ParameterLayout layout_;
  EngineSettings settings_;
  BatchLimits limits_;
  std::unique_ptr<MatrixProducts> products_;
  EngineMemory memory_;
  DeviceBytes storage_;  // of memory_
  HostNumbers host_;
  PinnedBytes host_storage_;  // of host_
  Stream stream_;
  std::map<GraphKey, Graph> graphs_;
  Graph update_graph_;
  bool has_update_graph_ = false;
  std::int64_t updates_ = 0;
};

/// What of a run such an engine cannot do; none where it can do all of it.
std::optional<std::string> cuda_engine_obstacle(const LlamaConfig& config, const EngineSettings& settings);

/// Bytes of the device's memory that such an engine takes.
std::uint64_t cuda_engine_memory_bytes(const LlamaConfig& config, const EngineSettings& settings,
                                       std::int64_t batch_rows = kBatchRows);

}  // namespace strider::cuda
