#pragma once
// The arithmetic of one optimizer step over whole walks: forward, backward, gradient norm, update. It owns parameters,
// gradients, moments and every buffer of a step; it knows nothing of files, schedules or logs.
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/config.h"
#include "model/parameters.h"
#include "ops/precision.h"

namespace strider {

/// One walk: its token ids, at least one, cut to max_length by the caller.
using WalkView = std::span<const std::int32_t>;

struct EngineSettings {
  int threads = 1;
  std::int64_t max_length = 128;    // longest walk that will come
  std::int64_t walks_per_step = 1;  // most walks that will come in one call
  Precision precision = Precision::kFloat32;
};

struct AdamWSettings {  // torch.optim.AdamW
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;
};

class Engine {
 public:
  /// Takes all memory of a step. Throws Error when it cannot be had.
  Engine(const LlamaConfig& config, const EngineSettings& settings);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Bytes that the constructor will take.
  static std::uint64_t memory_bytes(const LlamaConfig& config, const EngineSettings& settings);
  /// Floating-point operations of training on one walk of `length` tokens (forward and backward), by the field's
  /// formula: length * (6 non_embedding + 6 hidden vocab + 6 layers length hidden).
  static double training_flops(const LlamaConfig& config, std::int64_t length);

  const LlamaConfig& config() const;
  const ParameterLayout& layout() const;

  std::span<const float> parameters() const;
  /// Replaces all parameters (layout().total() floats).
  void set_parameters(std::span<const float> values);

  /// AdamW's state: first and second moments in the parameters' layout and the number of updates made.
  std::span<const float> first_moments() const;
  std::span<const float> second_moments() const;
  std::int64_t updates() const;
  void set_optimizer_state(std::span<const float> first, std::span<const float> second, std::int64_t updates);

  /// Forward and backward over all walks of a step. walk_losses[i] becomes the sum of the cross-entropies of walk i
  /// (nats, over its length - 1 predicted tokens); the gradient of (sum of all of them) / denominator is kept inside.
  /// The same bits for any number of threads.
  void forward_backward(std::span<const WalkView> walks, double denominator, std::span<double> walk_losses);

  /// L2 norm of the gradient of the last forward_backward, over all parameters.
  double gradient_norm();
  /// The gradient of the last forward_backward, in the parameters' layout.
  std::span<const float> gradient();

  /// One AdamW update with the last gradient, scaled by min(1, max_grad_norm / (norm + 1e-6)) (no scaling when
  /// max_grad_norm is 0). Call once for each forward_backward, after gradient_norm().
  void update(double learning_rate, double max_grad_norm, const AdamWSettings& settings);

  /// Forward only: walk_losses[i] as above.
  void evaluate(std::span<const WalkView> walks, std::span<double> walk_losses);

  /// Forward only over one batch: logits [sum of lengths, vocab_size], row by row. For tests and inspection.
  std::vector<float> logits(std::span<const WalkView> walks);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace strider
