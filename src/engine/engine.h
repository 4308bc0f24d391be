#pragma once
// The machine that does a training step: forward, backward, gradient norm, update. It owns parameters, gradients,
// optimizer state and every buffer of a step; it knows nothing of files, schedules or logs. There is one implementation
// per kind of machine (engine/cpu/); whoever uses an Engine sees formulas and shapes, never how the work is shared out.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "communicator/communicator.h"
#include "engine/learning.h"
#include "engine/optimizer.h"
#include "engine/precision.h"
#include "engine/token_states.h"
#include "engine/walk_states.h"
#include "model/config.h"
#include "model/parameters.h"

namespace strider {

/// One walk: its token ids, at least one, cut to max_length by the caller.
using WalkView = std::span<const std::int32_t>;

/// The walks of a call: themselves or, in an engine that holds walks (Engine::hold_walks), their numbers.
struct CallWalks {
  std::span<const WalkView> tokens = {};
  std::span<const std::int64_t> held = {};

  std::size_t size() const { return tokens.size() + held.size(); }
};

/// Asked between pieces of a long call, from several threads at once; true: give the call up.
using GiveUp = std::function<bool()>;

struct EngineSettings {
  int threads = 1;
  std::int64_t max_length = 128;    // longest walk that will come
  std::int64_t walks_per_step = 1;  // most walks that will come in one call
  Precision precision = Precision::kFloat32;
  std::vector<ParameterGroup> groups = {};  // who updates what; empty: an engine that cannot train
  Communicator* ranks = nullptr;  // those that share each step with this process (engine/ranks/); null: it is alone
  std::int64_t held_tokens = 0;   // of all walks that hold_walks() will be given; 0: it will not be called
};

/// A copy of parameters and optimizer state, as they were at Engine::begin_copy(), on its way to the caller's memory.
class StateCopy {
 public:
  StateCopy() = default;
  virtual ~StateCopy() = default;
  StateCopy(const StateCopy&) = delete;
  StateCopy& operator=(const StateCopy&) = delete;

  /// Whether take() would not wait for the device. Does not wait.
  virtual bool is_there() { return true; }
  /// Waits until it is.
  virtual void wait() {}
  /// After that, from any thread: writes to the caller's memory.
  virtual void take() {}
};

/// What a step is made of, as forward_backward and update take it.
struct StepWork {
  CallWalks walks;
  double denominator = 1.0;
  std::span<const double> learning_rates;  // one for each group
  double max_grad_norm = 0.0;
};

class Engine {
 public:
  Engine() = default;
  virtual ~Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  virtual const LlamaConfig& config() const = 0;
  virtual const ParameterLayout& layout() const = 0;

  /// Calls fill(values), which writes all parameters, [layout().total()] in the layout's order.
  virtual void load_parameters(const std::function<void(std::span<float> values)>& fill) = 0;
  void set_parameters(std::span<const float> values);
  /// out [layout().total()].
  virtual void copy_parameters(std::span<float> out) const = 0;
  std::vector<float> parameters() const;

  /// The optimizer's state buffers, in a fixed order, and how many updates were made.
  virtual std::vector<StateBuffer> optimizer_state() const = 0;
  /// out and values have the buffer's floats; throws Error for a name that is not among them.
  virtual void copy_optimizer_state(std::string_view name, std::span<float> out) const = 0;
  virtual void set_optimizer_state(std::string_view name, std::span<const float> values) = 0;
  /// Copies the parameters and every buffer of optimizer_state(), in its order, which are those of now whatever steps
  /// come meanwhile. One copy at a time, which this engine outlives.
  virtual std::unique_ptr<StateCopy> begin_copy(std::span<float> parameters, std::span<const std::span<float>> states);

  virtual std::int64_t updates() const = 0;
  virtual void set_updates(std::int64_t updates) = 0;

  /// What learns from now on (at first everything): forward_backward, the norm and update leave out the rest. evaluate
  /// and all others that only compute always take the whole model. See check_learning() for what is refused.
  virtual void learn(const Learning& learning) = 0;
  /// One for each group, in their order, from the next update on; at first those of the groups.
  virtual void set_weight_decays(std::span<const double> decays) = 0;

  /// Forward and backward over all walks of a step. walk_losses[i] becomes the sum of the cross-entropies of walk i
  /// (nats, over its length - 1 predicted tokens); the gradient of (sum of all of them) / denominator is kept inside.
  /// The same bits for any number of threads. False where it was given up: then losses and gradient are worth nothing,
  /// parameters and optimizer state are what they were. Throws std::logic_error in an engine without groups.
  virtual bool forward_backward(std::span<const WalkView> walks, double denominator, std::span<double> walk_losses,
                                const GiveUp& give_up) = 0;
  void forward_backward(std::span<const WalkView> walks, double denominator, std::span<double> walk_losses);

  /// L2 norm of the gradient of the last forward_backward, over all parameters.
  virtual double gradient_norm() = 0;
  /// The gradient of the last forward_backward, in the parameters' layout.
  virtual std::vector<float> gradient() = 0;

  /// EngineSettings::groups.
  virtual std::span<const ParameterGroup> groups() const = 0;
  /// One update by each group's rule with the last gradient, scaled by min(1, max_grad_norm / (norm + 1e-6)) (no
  /// scaling when max_grad_norm is 0). One learning rate for each group, in their order. Call once for each
  /// forward_backward.
  virtual void update(std::span<const double> learning_rates, double max_grad_norm) = 0;
  /// With the same learning rate for all groups.
  void update(double learning_rate, double max_grad_norm);

  /// A whole step: forward_backward, gradient_norm and, unless a loss or the norm is not finite, update. Returns the
  /// norm; none where it was given up.
  virtual std::optional<double> step(const StepWork& work, std::span<double> walk_losses, const GiveUp& give_up);
  /// Whether queue_step() does something: such an engine computes while the host does other work.
  virtual bool runs_beside_host() const { return false; }
  /// Begins the step that step() will be asked for after those that are queued already, and returns. False where no
  /// more can be queued. Until step() was called for all of them only queue_step() and step() may be.
  virtual bool queue_step(const StepWork& /*work*/) { return false; }

  /// Once, in an engine whose settings have held_tokens: keeps walks beside the model, so that step() and
  /// take_evaluation() can be asked for them by number. Walk i has lengths[i] tokens, which read(i, out) writes.
  virtual void hold_walks(std::span<const std::int64_t> lengths,
                          const std::function<void(std::int64_t walk, std::span<std::int32_t> out)>& read);

  /// Forward only: walk_losses[i] as above. False where it was given up.
  virtual bool evaluate(std::span<const WalkView> walks, std::span<double> walk_losses, const GiveUp& give_up) = 0;
  void evaluate(std::span<const WalkView> walks, std::span<double> walk_losses);
  /// Begins an evaluation, as queue_step() begins a step. Until take_evaluation() was called for all of them only these
  /// two may be.
  virtual bool queue_evaluation(const CallWalks& /*walks*/) { return false; }
  /// As evaluate(), with the walks of the evaluation that was queued first, where one was. Where it is given up, so are
  /// all that are queued.
  virtual bool take_evaluation(const CallWalks& walks, std::span<double> walk_losses, const GiveUp& give_up);

  /// Forward only over one batch: logits [sum of lengths, vocab_size], row by row. For tests and inspection.
  virtual std::vector<float> logits(std::span<const WalkView> walks) = 0;

  /// States of tokens that are alone; `ids` and this engine outlive the result. See token_states.h.
  virtual std::unique_ptr<TokenStates> token_states(std::span<const std::int32_t> ids,
                                                    std::span<const TokenArray> arrays) = 0;

  /// Forward only: states at `places`, which are distinct and ascend by walk and position. out
  /// [places, states_width(arrays)]: row p has the vectors of places[p] side by side, in the order of `arrays`, which
  /// is that of list_token_arrays or a part of it. The same bits for any number of threads, and an array has the same
  /// whatever others are asked for.
  virtual void walk_states(std::span<const WalkView> walks, std::span<const WalkPlace> places,
                           std::span<const TokenArray> arrays, std::span<float> out) = 0;
};

/// Takes all memory of a step. Throws Error when it cannot be had, for a rule that does not exist, or for a tensor that
/// its rule cannot update.
std::unique_ptr<Engine> make_engine(const LlamaConfig& config, const EngineSettings& settings);

/// Bytes that make_engine takes.
std::uint64_t engine_memory_bytes(const LlamaConfig& config, const EngineSettings& settings);
/// Bytes of the device's memory that a token takes which an engine holds: two where the vocabulary allows it.
std::int64_t held_token_bytes(std::int64_t vocab);
/// Bytes that Engine::token_states takes beside them.
std::uint64_t token_states_memory_bytes(const LlamaConfig& config, std::int64_t tokens,
                                        std::span<const TokenArray> arrays);

/// The rules that RuleSettings::name can name.
std::vector<std::string_view> update_rule_names();
/// The state buffers that an engine with these groups will have. Throws Error for a rule that does not exist.
std::vector<StateBuffer> optimizer_state_of(const ParameterLayout& layout, std::span<const ParameterGroup> groups);

/// Floating-point operations of training on one walk of `length` tokens (forward and backward), by the field's
/// formula: length * (6 non_embedding + 6 hidden vocab + 6 layers length hidden). Of the 6 the forward pass has 2, and
/// what is left alone needs no other two (its weights' gradients), or no other four (the rest of its backward pass).
double training_flops(const LlamaConfig& config, std::int64_t length, const Learning& learning);

}  // namespace strider
