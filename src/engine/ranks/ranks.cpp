#include "engine/ranks/ranks.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "engine/cpu/cpu_engine.h"

namespace strider {
namespace {

enum class Call : std::int32_t {
  kDismiss,
  kMake,
  kDestroy,
  kSetParameters,
  kForwardBackward,
  kNorm,
  kGradient,
  kUpdate,
  kEvaluate,
  kWalkStates,
  kLearn,
  kSetWeightDecays,
  kCopyState,
  kSetState,
  kSetUpdates,
};

// What a call has with it, as bytes. Ranks run the same program on the same kind of machine.
class Message {
 public:
  explicit Message(Call call) { put(call); }

  template <typename T>
  Message& put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    return put_bytes(std::as_bytes(std::span(&value, 1)));
  }
  template <typename T>
  Message& put_all(std::span<const T> values) {
    put(values.size());
    return put_bytes(std::as_bytes(values));
  }
  Message& put_text(std::string_view text) { return put_all(std::span(text)); }

  void send(Communicator& ranks) {
    auto size = static_cast<std::uint64_t>(bytes_.size());
    broadcast_value(ranks, size, 0);
    ranks.broadcast(bytes_, 0);
  }

 private:
  Message& put_bytes(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  std::vector<std::byte> bytes_;
};

class Received {
 public:
  explicit Received(Communicator& ranks) {
    std::uint64_t size = 0;
    broadcast_value(ranks, size, 0);
    bytes_.resize(size);
    ranks.broadcast(bytes_, 0);
  }

  template <typename T>
  T take() {
    T value{};
    std::memcpy(&value, take_bytes(sizeof(T)), sizeof(T));
    return value;
  }
  template <typename T>
  std::vector<T> take_all() {
    std::vector<T> values(take<std::size_t>());
    if (!values.empty()) std::memcpy(values.data(), take_bytes(values.size() * sizeof(T)), values.size() * sizeof(T));
    return values;
  }
  std::string take_text() {
    const std::vector<char> text = take_all<char>();
    return {text.begin(), text.end()};
  }

 private:
  const std::byte* take_bytes(std::size_t count) {
    if (count > bytes_.size() - at_) throw Error("a message of another rank is too short");
    at_ += count;
    return bytes_.data() + at_ - count;
  }
  std::vector<std::byte> bytes_;
  std::size_t at_ = 0;
};

// The fields of a configuration, which is not trivially copyable only for what it may come to hold.
static_assert(std::is_trivially_copyable_v<LlamaConfig>);

void put_settings(Message& message, const EngineSettings& settings) {
  message.put(settings.max_length).put(settings.walks_per_step).put(settings.precision).put(settings.groups.size());
  for (const ParameterGroup& group : settings.groups) {
    const RuleSettings& rule = group.rule;
    message.put_text(rule.name).put(rule.beta1).put(rule.beta2).put(rule.eps).put(rule.momentum);
    message.put(rule.orthogonalization).put(rule.orthogonalization_steps);
    message.put(group.weight_decay).put_all(std::span<const std::size_t>(group.tensors));
  }
}

EngineSettings take_settings(Received& message) {
  EngineSettings settings;
  settings.max_length = message.take<std::int64_t>();
  settings.walks_per_step = message.take<std::int64_t>();
  settings.precision = message.take<Precision>();
  settings.groups.resize(message.take<std::size_t>());
  for (ParameterGroup& group : settings.groups) {
    RuleSettings& rule = group.rule;
    rule.name = message.take_text();
    rule.beta1 = message.take<double>();
    rule.beta2 = message.take<double>();
    rule.eps = message.take<double>();
    rule.momentum = message.take<double>();
    rule.orthogonalization = message.take<Orthogonalization>();
    rule.orthogonalization_steps = message.take<std::int64_t>();
    group.weight_decay = message.take<double>();
    group.tensors = message.take_all<std::size_t>();
  }
  return settings;
}

void put_walks(Message& message, std::span<const WalkView> walks) {
  message.put(walks.size());
  for (const WalkView walk : walks) message.put_all(walk);
}

std::vector<std::vector<std::int32_t>> take_walks(Received& message) {
  std::vector<std::vector<std::int32_t>> walks(message.take<std::size_t>());
  for (std::vector<std::int32_t>& walk : walks) walk = message.take_all<std::int32_t>();
  return walks;
}

void put_places(Message& message, std::span<const WalkPlace> places, std::span<const TokenArray> arrays) {
  message.put_all(places).put(arrays.size());
  for (const TokenArray& array : arrays) {
    message.put_text(array.name).put(array.what).put(array.layer).put(array.width);
  }
}

std::vector<TokenArray> take_arrays(Received& message) {
  std::vector<TokenArray> arrays(message.take<std::size_t>());
  for (TokenArray& array : arrays) {
    array.name = message.take_text();
    array.what = message.take<Representation>();
    array.layer = message.take<std::int64_t>();
    array.width = message.take<std::int64_t>();
  }
  return arrays;
}

class LeadingEngine : public Engine {
 public:
  LeadingEngine(const LlamaConfig& config, const EngineSettings& settings)
      : ranks_(*settings.ranks), learning_(all_learn(config)) {
    Message message(Call::kMake);
    message.put(config);
    put_settings(message, settings);
    message.send(ranks_);
    own_.emplace(config, settings);
  }
  ~LeadingEngine() override { Message(Call::kDestroy).send(ranks_); }

  const LlamaConfig& config() const override { return own_->config(); }
  const ParameterLayout& layout() const override { return own_->layout(); }
  std::span<const ParameterGroup> groups() const override { return own_->groups(); }

  void load_parameters(const std::function<void(std::span<float> values)>& fill) override {
    own_->load_parameters(fill);
    const std::vector<float> values = own_->parameters();
    Message(Call::kSetParameters).put_all(std::span(values)).send(ranks_);
  }
  void copy_parameters(std::span<float> out) const override { own_->copy_parameters(out); }

  std::vector<StateBuffer> optimizer_state() const override { return own_->optimizer_state(); }
  void copy_optimizer_state(std::string_view name, std::span<float> out) const override {
    Message(Call::kCopyState).put_text(name).put(out.size()).send(ranks_);
    own_->copy_optimizer_state(name, out);
  }
  void set_optimizer_state(std::string_view name, std::span<const float> values) override {
    Message(Call::kSetState).put_text(name).put_all(values).send(ranks_);
    own_->set_optimizer_state(name, values);
  }
  std::int64_t updates() const override { return own_->updates(); }
  void set_updates(std::int64_t updates) override {
    Message(Call::kSetUpdates).put(updates).send(ranks_);
    own_->set_updates(updates);
  }

  void learn(const Learning& learning) override {
    if (learning == learning_) return;
    own_->learn(learning);
    Message(Call::kLearn).put(learning).send(ranks_);
    learning_ = learning;
  }
  void set_weight_decays(std::span<const double> decays) override {
    if (std::ranges::equal(decays, weight_decays_)) return;
    Message(Call::kSetWeightDecays).put_all(decays).send(ranks_);
    own_->set_weight_decays(decays);
    weight_decays_.assign(decays.begin(), decays.end());
  }
  using Engine::evaluate;
  using Engine::forward_backward;
  using Engine::update;
  bool forward_backward(std::span<const WalkView> walks, double denominator, std::span<double> walk_losses,
                        const GiveUp& give_up) override {
    Message message(Call::kForwardBackward);
    message.put(denominator);
    put_walks(message, walks);
    message.send(ranks_);
    return own_->forward_backward(walks, denominator, walk_losses, give_up);
  }
  double gradient_norm() override {
    Message(Call::kNorm).send(ranks_);
    return own_->gradient_norm();
  }
  std::vector<float> gradient() override {
    Message(Call::kGradient).send(ranks_);
    return own_->gradient();
  }
  void update(std::span<const double> learning_rates, double max_grad_norm) override {
    Message(Call::kUpdate).put_all(learning_rates).put(max_grad_norm).send(ranks_);
    own_->update(learning_rates, max_grad_norm);
  }
  bool evaluate(std::span<const WalkView> walks, std::span<double> walk_losses, const GiveUp& give_up) override {
    Message message(Call::kEvaluate);
    put_walks(message, walks);
    message.send(ranks_);
    return own_->evaluate(walks, walk_losses, give_up);
  }

  void walk_states(std::span<const WalkView> walks, std::span<const WalkPlace> places,
                   std::span<const TokenArray> arrays, std::span<float> out) override {
    Message message(Call::kWalkStates);
    put_walks(message, walks);
    put_places(message, places, arrays);
    message.send(ranks_);
    own_->walk_states(walks, places, arrays, out);
  }

  // These are rank 0's alone.
  std::vector<float> logits(std::span<const WalkView> walks) override { return own_->logits(walks); }
  std::unique_ptr<TokenStates> token_states(std::span<const std::int32_t> ids,
                                            std::span<const TokenArray> arrays) override {
    return own_->token_states(ids, arrays);
  }

 private:
  Communicator& ranks_;
  std::optional<CpuEngine> own_;
  // What the other ranks were told.
  Learning learning_;
  std::vector<double> weight_decays_;
};

void serve(CpuEngine& engine, Call call, Received& message) {
  const auto never = [] { return false; };
  switch (call) {
    case Call::kSetParameters:
      engine.set_parameters(message.take_all<float>());
      break;
    case Call::kForwardBackward: {
      const auto denominator = message.take<double>();
      const auto walks = take_walks(message);
      std::vector<double> losses(walks.size());
      engine.forward_backward(std::vector<WalkView>(walks.begin(), walks.end()), denominator, losses, never);
      break;
    }
    case Call::kSetWeightDecays:
      engine.set_weight_decays(message.take_all<double>());
      break;
    case Call::kLearn:
      engine.learn(message.take<Learning>());
      break;
    case Call::kNorm:
      engine.gradient_norm();
      break;
    case Call::kGradient:
      engine.gradient();
      break;
    case Call::kUpdate: {
      const auto rates = message.take_all<double>();
      engine.update(rates, message.take<double>());
      break;
    }
    case Call::kEvaluate: {
      const auto walks = take_walks(message);
      std::vector<double> losses(walks.size());
      engine.evaluate(std::vector<WalkView>(walks.begin(), walks.end()), losses, never);
      break;
    }
    case Call::kWalkStates: {
      const auto walks = take_walks(message);
      const auto places = message.take_all<WalkPlace>();
      const auto arrays = take_arrays(message);
      std::vector<float> states(places.size() * static_cast<std::size_t>(states_width(arrays)));
      engine.walk_states(std::vector<WalkView>(walks.begin(), walks.end()), places, arrays, states);
      break;
    }
    case Call::kCopyState: {
      const std::string name = message.take_text();
      std::vector<float> values(message.take<std::size_t>());
      engine.copy_optimizer_state(name, values);
      break;
    }
    case Call::kSetState: {
      const std::string name = message.take_text();
      engine.set_optimizer_state(name, message.take_all<float>());
      break;
    }
    case Call::kSetUpdates:
      engine.set_updates(message.take<std::int64_t>());
      break;
    default:
      throw Error("a message of another rank has an unknown call");
  }
}

}  // namespace

std::unique_ptr<Engine> make_leading_engine(const LlamaConfig& config, const EngineSettings& settings) {
  return std::make_unique<LeadingEngine>(config, settings);
}

void serve_ranks(Communicator& ranks, int threads) {
  std::optional<CpuEngine> engine;
  for (;;) {
    Received message(ranks);
    const auto call = message.take<Call>();
    if (call == Call::kDismiss) return;
    if (call == Call::kDestroy) {
      engine.reset();
    } else if (call == Call::kMake) {
      const auto config = message.take<LlamaConfig>();
      EngineSettings settings = take_settings(message);
      settings.threads = threads;
      settings.ranks = &ranks;
      engine.emplace(config, settings);
    } else {
      serve(engine.value(), call, message);
    }
  }
}

void dismiss_ranks(Communicator& ranks) {
  if (ranks.size() > 1) Message(Call::kDismiss).send(ranks);
}

}  // namespace strider
