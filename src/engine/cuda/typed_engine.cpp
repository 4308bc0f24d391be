#include "engine/cuda/typed_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "base/error.h"
#include "engine/cpu/ops/rope.h"
#include "engine/cuda/ops/sum_gradients.h"

namespace strider::cuda {
namespace {

// Of one engine. Walks of one length have one shape of batch and the rest of an epoch; others have one for each number
// of row steps.
constexpr std::size_t kMostGraphs = 64;

// Rows of a walk that are computed: the last token predicts nothing.
constexpr std::int64_t kDropped = 1;

// The factors of one group in one update (rules/update_rule.h), in the precision and order of the CPU's rules.
void write_factors(const ParameterGroup& group, double learning_rate, std::int64_t number, float* factors) {
  const RuleSettings& rule = group.rule;
  const auto t = static_cast<double>(number);
  if (rule.name == "adamw") {
    factors[kDecay] = static_cast<float>(1.0 - learning_rate * group.weight_decay);
    factors[kOneMinusBeta1] = static_cast<float>(1.0 - rule.beta1);
    factors[kBeta2] = static_cast<float>(rule.beta2);
    factors[kOneMinusBeta2] = static_cast<float>(1.0 - rule.beta2);
    factors[kStepSize] = static_cast<float>(learning_rate / (1.0 - std::pow(rule.beta1, t)));
    factors[kInverseRoot] = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(rule.beta2, t)));
    factors[kEps] = static_cast<float>(rule.eps);
  } else if (rule.name == "muon") {
    factors[kMuonDecay] = static_cast<float>(1.0 - learning_rate * group.weight_decay);
    factors[kMuonLearningRate] = static_cast<float>(learning_rate);
  } else {
    factors[kLearningRate] = static_cast<float>(learning_rate);
    factors[kWeightDecay] = static_cast<float>(group.weight_decay);
    factors[kMomentum] = static_cast<float>(rule.momentum);
  }
}

std::uint64_t inbox_bytes(std::size_t groups, const BatchLimits& limits) {
  return carved_bytes([&](Carver& carver) { Inbox().lay_out(carver, groups, limits); });
}

std::uint64_t outbox_bytes(const BatchLimits& limits) {
  return carved_bytes([&](Carver& carver) { Outbox().lay_out(carver, limits); });
}

template <typename T>
std::uint64_t memory_bytes(const LlamaConfig& config, const EngineSettings& settings, const BatchLimits& limits) {
  return carved_bytes([&](Carver& carver) { EngineMemory<T>().lay_out(carver, config, settings, limits); });
}

// Each token is a walk of its own.
template <typename T>
class TokensAlone : public TokenStates {
 public:
  TokensAlone(TypedEngine<T>& engine, std::span<const std::int32_t> ids) : engine_(engine), ids_(ids) {}

  std::int64_t tokens() const override { return static_cast<std::int64_t>(ids_.size()); }

  void compute(const TokenArray& array, std::int64_t first, std::int64_t count, float* out) override {
    std::vector<WalkView> walks;
    std::vector<WalkPlace> places;
    for (std::int64_t i = 0; i < count; ++i) {
      walks.push_back(ids_.subspan(static_cast<std::size_t>(first + i), 1));
      places.push_back({.walk = i, .position = 0});
    }
    engine_.walk_states(walks, places, std::span(&array, 1), {out, static_cast<std::size_t>(count * array.width)});
  }

 private:
  TypedEngine<T>& engine_;
  std::span<const std::int32_t> ids_;
};

}  // namespace

template <typename T>
TypedEngine<T>::Slot::Slot(std::size_t groups, const BatchLimits& limits)
    : inbox_storage(inbox_bytes(groups, limits)), outbox_storage(outbox_bytes(limits)) {
  Carver in(inbox_storage.data());
  inbox.lay_out(in, groups, limits);
  Carver out(outbox_storage.data());
  outbox.lay_out(out, limits);
}

template <typename T>
TypedEngine<T>::TypedEngine(const LlamaConfig& config, const EngineSettings& settings,
                            std::unique_ptr<MatrixProducts> products, std::int64_t batch_rows)
    : config_(config),
      layout_(config),
      settings_(settings),
      limits_(batch_limits(config, settings, batch_rows)),
      products_(std::move(products)),
      storage_(memory_bytes<T>(config, settings, limits_)),
      learning_(all_learn(config)) {
  Carver device(storage_.data());
  memory_.lay_out(device, config_, settings_, limits_);
  for (std::size_t i = 0; i <= kCallsUnderWay; ++i) {
    slots_.push_back(std::make_unique<Slot>(settings_.groups.size(), limits_));
  }

  std::vector<float> angles(static_cast<std::size_t>(RopeTable::floats(settings.max_length, config.head_dim)));
  const RopeTable rope(settings.max_length, config.head_dim, config.rope_theta, angles.data());
  stream_.copy_to_device(memory_.cosines, rope.cos(0));
  stream_.copy_to_device(memory_.sines, rope.sin(0));
  if (settings_.groups.empty()) {
    stream_.wait();
    return;
  }
  for (const RulePieces& rule : memory_.rules) stream_.copy_to_device(rule.pieces, rule.numbers.data());
  for (const MuonBatch& batch : memory_.muon.batches) stream_.copy_to_device(batch.places, batch.numbers.data());
  for (const OptimizerBuffer& state : memory_.states) {
    stream_.clear(DeviceSpan<float>(state.values, state.about.floats));
  }
  stream_.clear(memory_.gradient);
  stream_.clear(memory_.outbox.norm);
  stream_.wait();
}

// What is under way may still read and write the memory that goes now; of its error nobody is left to be told.
template <typename T>
TypedEngine<T>::~TypedEngine() {
  cudaStreamSynchronize(stream_.get());
  cudaStreamSynchronize(copy_stream_.get());
}

template <typename T>
void TypedEngine<T>::load_parameters(const std::function<void(std::span<float> values)>& fill) {
  std::vector<float> values(static_cast<std::size_t>(layout_.total()));
  fill(values);
  stream_.copy_to_device(memory_.parameters, values.data());
  if constexpr (!std::is_same_v<T, float>) {
    round_to_operands(stream_.get(), memory_.parameters, memory_.operands);
  }
  stream_.wait();
}

template <typename T>
void TypedEngine<T>::copy_parameters(std::span<float> out) const {
  stream_.copy_to_host<float>(out.data(), memory_.parameters);
  stream_.wait();
}

template <typename T>
std::vector<StateBuffer> TypedEngine<T>::optimizer_state() const {
  std::vector<StateBuffer> states;
  for (const OptimizerBuffer& state : memory_.states) states.push_back(state.about);
  return states;
}

template <typename T>
const OptimizerBuffer& TypedEngine<T>::state_named(std::string_view name) const {
  for (const OptimizerBuffer& state : memory_.states) {
    if (state.about.name == name) return state;
  }
  throw Error(fmt::format("the optimizer keeps no state \"{}\"", name));
}

template <typename T>
void TypedEngine<T>::copy_optimizer_state(std::string_view name, std::span<float> out) const {
  const OptimizerBuffer& state = state_named(name);
  stream_.copy_to_host(out.data(), DeviceSpan<const float>(state.values, state.about.floats));
  stream_.wait();
}

template <typename T>
void TypedEngine<T>::set_optimizer_state(std::string_view name, std::span<const float> values) {
  const OptimizerBuffer& state = state_named(name);
  stream_.copy_to_device(DeviceSpan<float>(state.values, state.about.floats), values.data());
  stream_.wait();
}

// A copy on the device takes microseconds, and then the next steps may change what it was made of, while another stream
// takes it to pinned memory.
template <typename T>
std::unique_ptr<StateCopy> TypedEngine<T>::begin_copy(std::span<float> parameters,
                                                      std::span<const std::span<float>> states) {
  class Copy : public StateCopy {
   public:
    Copy(const Event& copied, const float* from, std::vector<std::span<float>> to)
        : copied_(copied), from_(from), to_(std::move(to)) {}
    bool is_there() override { return copied_.is_reached(); }
    void wait() override { copied_.wait(); }
    void take() override {
      const float* from = from_;
      for (const std::span<float> values : to_) {
        std::copy_n(from, values.size(), values.data());
        from += values.size();
      }
    }

   private:
    const Event& copied_;
    const float* from_;
    std::vector<std::span<float>> to_;
  };
  const DeviceSpan<float> snapshot = memory_.snapshot;
  const auto bytes = static_cast<std::uint64_t>(snapshot.size) * sizeof(float);
  if (!snapshot_host_) snapshot_host_.emplace(bytes);
  std::vector<std::span<float>> to = {parameters};
  stream_.copy_on_device<float>(part(snapshot, 0, layout_.total()), memory_.parameters);
  std::int64_t first = layout_.total();
  for (std::size_t i = 0; i < memory_.states.size(); ++i) {
    const OptimizerBuffer& state = memory_.states[i];
    stream_.copy_on_device<float>(part(snapshot, first, state.about.floats), {state.values, state.about.floats});
    first += state.about.floats;
    to.push_back(states[i]);
  }
  stream_.record(snapshot_taken_);
  copy_stream_.wait_for(snapshot_taken_);
  copy_stream_.copy_to_host(snapshot_host_->data(), snapshot.data, bytes);
  copy_stream_.record(snapshot_copied_);
  return std::make_unique<Copy>(snapshot_copied_, reinterpret_cast<const float*>(snapshot_host_->data()),
                                std::move(to));
}

template <typename T>
void TypedEngine<T>::expect_training() const {
  if (settings_.groups.empty()) {
    throw std::logic_error("this engine was made without parameter groups and cannot train");
  }
}

template <typename T>
void TypedEngine<T>::learn(const Learning& learning) {
  check_learning(learning, config_);
  learning_ = learning;
}

template <typename T>
void TypedEngine<T>::set_weight_decays(std::span<const double> decays) {
  for (std::size_t group = 0; group < settings_.groups.size(); ++group) {
    settings_.groups[group].weight_decay = decays[group];
  }
}

// What the host writes before a call.

template <typename T>
auto TypedEngine<T>::write_batches(const CallWalks& walks, const Slot& slot) const -> WrittenCall {
  const DeviceSpan<std::int32_t> room = slot.inbox.numbers;
  if (!walks.held.empty()) {
    HeldCall call = held_.write_call(walks.held, limits_, {room.data, static_cast<std::size_t>(room.size)});
    return {.shapes = std::move(call.shapes), .numbers = call.numbers, .is_held = true};
  }
  WrittenCall call;
  for (const WalkRange& range : cut_into_batches(lengths_of(walks.tokens), kDropped, limits_)) {
    call.shapes.push_back(write_batch(walks.tokens.subspan(range.first, range.last - range.first), kDropped, limits_,
                                      {room.data + call.numbers, static_cast<std::size_t>(limits_.numbers())}));
    call.numbers += limits_.numbers();
  }
  return call;
}

template <typename T>
void TypedEngine<T>::write_step_numbers(std::span<const double> learning_rates, double max_grad_norm,
                                        double denominator, const Slot& slot) const {
  float* const step = slot.inbox.step.data;
  step[kMaxGradNorm] = static_cast<float>(max_grad_norm);
  step[kLossScale] = static_cast<float>(1.0 / denominator);
  for (std::size_t group = 0; group < learning_rates.size(); ++group) {
    write_factors(settings_.groups[group], learning_rates[group], updates_,
                  step + kStepFloats + group * static_cast<std::size_t>(kUpdateFactors));
  }
}

// What is recorded into a graph.

// `numbers`: those of the batch (BatchNumbers).
template <typename T>
Pass<T> TypedEngine<T>::pass_over(BatchShape shape, DeviceSpan<const std::int32_t> numbers, std::int64_t first_loss,
                                  const Learning& learning) const {
  return {.config = config_,
          .layout = layout_,
          .memory = memory_,
          .batch = {limits_, [&](std::int64_t first, std::int64_t count) { return part(numbers, first, count); }},
          .shape = shape,
          .products = *products_,
          .stream = stream_.get(),
          .losses = part(memory_.outbox.losses, first_loss, shape.rows),
          .learning = learning};
}

// Makes the numbers of a batch whose walks the device holds. The backward pass alone reads the order of the rows: it is
// made by a branch of the graph, beside the forward pass, and to be waited for (rows_ordered_).
template <typename T>
void TypedEngine<T>::record_gathering(std::int64_t batch, BatchShape shape, bool orders_rows) const {
  gather_batch(stream_.get(), memory_.held, memory_.inbox.numbers, batch, shape, limits_);
  if (!orders_rows) return;
  stream_.record(batch_gathered_);
  branch_stream_.wait_for(batch_gathered_);
  order_batch(branch_stream_.get(), memory_.held, shape, limits_);
  branch_stream_.record(rows_ordered_);
}

template <typename T>
void TypedEngine<T>::record_batches(const GraphKey& key) const {
  const bool trains = key.work != Work::kEvaluate;
  const bool orders_rows = key.is_held && trains && learns(key.learning, layout_, layout_.embed_tokens());
  if (trains) stream_.clear(memory_.gradient);
  std::int64_t first_loss = 0;
  for (std::size_t i = 0; i < key.shapes.size(); ++i) {
    const BatchShape shape = key.shapes[i];
    const auto batch = static_cast<std::int64_t>(i);
    if (key.is_held) record_gathering(batch, shape, orders_rows);
    const DeviceSpan<std::int32_t> numbers =
        key.is_held ? memory_.held.batch : part(memory_.inbox.numbers, batch * limits_.numbers(), limits_.numbers());
    const Pass<T> pass = pass_over(shape, numbers, first_loss, key.learning);
    first_loss += shape.rows;
    llama_forward(pass);
    llama_losses(pass);
    if (!trains) continue;
    if (orders_rows) stream_.wait_for(rows_ordered_);
    llama_backward<T>(pass, part(memory_.inbox.step, kLossScale, 1));
  }
  if (trains) cuda::gradient_norm(stream_.get(), memory_.gradient, memory_.norm_scratch, memory_.outbox.norm);
}

template <typename T>
void TypedEngine<T>::record_update(const Learning& learning) const {
  const Inbox& inbox = memory_.inbox;
  clip_factor(stream_.get(), memory_.outbox.norm, part(inbox.step, kMaxGradNorm, 1), memory_.clip);
  UpdateBuffers buffers{.pieces = {},
                        .piece_count = 0,
                        .factors = part(inbox.step, kStepFloats, inbox.step.size - kStepFloats),
                        .clip = memory_.clip,
                        .gradient = memory_.gradient,
                        .parameters = memory_.parameters,
                        .rounded = {}};
  if constexpr (!std::is_same_v<T, float>) buffers.rounded = memory_.operands;
  for (const RulePieces& rule : memory_.rules) {
    for (const RowRun& run : learning_runs(rule.numbers, kUpdateNumbers, learning, layout_)) {
      buffers.pieces = part<const std::int64_t>(rule.pieces, run.first * kUpdateNumbers, run.count * kUpdateNumbers);
      buffers.piece_count = run.count;
      if (rule.rule == "adamw") {
        adamw_update(stream_.get(), buffers, rule.states[0], rule.states[1]);
      } else {
        sgd_update(stream_.get(), buffers, rule.states[0]);
      }
    }
  }
  for (const MuonBatch& batch : memory_.muon.batches) {
    for (const RowRun& run : learning_runs(batch.numbers, kMuonNumbers, learning, layout_)) {
      muon_update(*products_, stream_.get(), batch, run, buffers, memory_.muon);
    }
  }
}

template <typename T>
void TypedEngine<T>::record(const GraphKey& key) const {
  if (key.work != Work::kUpdate) record_batches(key);
  if (key.work == Work::kUpdate || key.work == Work::kStep) record_update(key.learning);
}

// Puts one call into the stream: what the host has written, the work, and what comes back; of both no more than this
// call has, since evaluations have many times the batches of a step.
template <typename T>
void TypedEngine<T>::put(WrittenCall call, Work work, Slot& slot) {
  std::int64_t rows = 0;
  for (const BatchShape& shape : call.shapes) rows += shape.rows;
  GraphKey key{std::move(call.shapes), call.is_held, work, work == Work::kEvaluate ? all_learn(config_) : learning_};
  auto graph = graphs_.find(key);
  if (graph == graphs_.end()) {
    if (graphs_.size() == kMostGraphs) {
      stream_.wait();
      graphs_.clear();
    }
    Graph recorded = stream_.capture([&] { record(key); });
    graph = graphs_.emplace(std::move(key), std::move(recorded)).first;
  }
  stream_.copy_to_device(memory_.inbox.step.data, slot.inbox.step.data, slot.inbox.bytes_of(call.numbers));
  stream_.launch(graph->second);
  stream_.copy_to_host(slot.outbox.norm.data, memory_.outbox.norm.data, slot.outbox.bytes_of(rows));
  stream_.record(slot.done);
}

template <typename T>
std::vector<std::int64_t> TypedEngine<T>::lengths_of_call(const CallWalks& walks) const {
  return walks.held.empty() ? lengths_of(walks.tokens) : held_.lengths_of(walks.held);
}

// Of a call that is done.
template <typename T>
void TypedEngine<T>::read_losses(const CallWalks& walks, const Slot& slot, std::span<double> walk_losses) const {
  const std::vector<std::int64_t> lengths = lengths_of_call(walks);
  std::int64_t first_loss = 0;
  for (const WalkRange& range : cut_into_batches(lengths, kDropped, limits_)) {
    const float* loss = slot.outbox.losses.data + first_loss;
    std::int64_t rows = 0;
    for (std::size_t i = range.first; i < range.last; ++i) {
      double sum = 0.0;
      for (std::int64_t t = kDropped; t < lengths[i]; ++t) sum += *loss++;
      walk_losses[i] = sum;
      rows += lengths[i] - kDropped;
    }
    first_loss += filled_rows(rows);
  }
}

template <typename T>
bool TypedEngine<T>::forward_backward(std::span<const WalkView> walks, double denominator,
                                      std::span<double> walk_losses, const GiveUp& give_up) {
  expect_training();
  if (give_up()) return false;
  Slot& slot = slot_of_calls();
  write_step_numbers({}, 0.0, denominator, slot);
  put(write_batches({.tokens = walks}, slot), Work::kGradient, slot);
  slot.done.wait();
  norm_ = *slot.outbox.norm.data;
  read_losses({.tokens = walks}, slot, walk_losses);
  return true;
}

template <typename T>
double TypedEngine<T>::gradient_norm() {
  return norm_;
}

template <typename T>
std::vector<float> TypedEngine<T>::gradient() {
  std::vector<float> values(static_cast<std::size_t>(layout_.total()));
  stream_.copy_to_host<float>(values.data(), memory_.gradient);
  stream_.wait();
  return values;
}

template <typename T>
void TypedEngine<T>::update(std::span<const double> learning_rates, double max_grad_norm) {
  expect_training();
  updates_ += 1;
  Slot& slot = slot_of_calls();
  write_step_numbers(learning_rates, max_grad_norm, 1.0, slot);
  put({}, Work::kUpdate, slot);
  slot.done.wait();
}

// Null where as many calls are under way as may be.
template <typename T>
auto TypedEngine<T>::free_slot() const -> Slot* {
  return under_way_.size() == kCallsUnderWay ? nullptr : slots_[next_slot_].get();
}

template <typename T>
void TypedEngine<T>::put_under_way(const CallWalks& walks, Work work) {
  Slot& slot = *free_slot();
  put(write_batches(walks, slot), work, slot);
  next_slot_ = (next_slot_ + 1) % kCallsUnderWay;
  under_way_.push_back(&slot);
}

// Waits for the call that was queued first.
template <typename T>
auto TypedEngine<T>::first_done() -> const Slot& {
  const Slot& slot = *under_way_.front();
  under_way_.pop_front();
  slot.done.wait();
  return slot;
}

template <typename T>
bool TypedEngine<T>::queue_step(const StepWork& work) {
  expect_training();
  const Slot* const slot = free_slot();
  if (slot == nullptr) return false;
  updates_ += 1;
  write_step_numbers(work.learning_rates, work.max_grad_norm, work.denominator, *slot);
  put_under_way(work.walks, Work::kStep);
  return true;
}

template <typename T>
std::optional<double> TypedEngine<T>::step(const StepWork& work, std::span<double> walk_losses, const GiveUp& give_up) {
  if (under_way_.empty()) {
    if (give_up()) return std::nullopt;
    queue_step(work);
  }
  const Slot& slot = first_done();
  norm_ = *slot.outbox.norm.data;
  read_losses(work.walks, slot, walk_losses);
  return norm_;
}

template <typename T>
void TypedEngine<T>::hold_walks(std::span<const std::int64_t> lengths,
                                const std::function<void(std::int64_t walk, std::span<std::int32_t> out)>& read) {
  held_.load(memory_.held, stream_, lengths, read);
}

template <typename T>
bool TypedEngine<T>::evaluate(std::span<const WalkView> walks, std::span<double> walk_losses, const GiveUp& give_up) {
  return take_evaluation({.tokens = walks}, walk_losses, give_up);
}

template <typename T>
bool TypedEngine<T>::queue_evaluation(const CallWalks& walks) {
  if (free_slot() == nullptr) return false;
  put_under_way(walks, Work::kEvaluate);
  return true;
}

template <typename T>
bool TypedEngine<T>::take_evaluation(const CallWalks& walks, std::span<double> walk_losses, const GiveUp& give_up) {
  if (give_up()) {
    while (!under_way_.empty()) first_done();
    return false;
  }
  if (under_way_.empty()) queue_evaluation(walks);
  read_losses(walks, first_done(), walk_losses);
  return true;
}

// Over a batch in which the last tokens of walks have rows, too. The host must not write another one before the stream
// was waited for.
template <typename T>
Pass<T> TypedEngine<T>::pass_with_all_tokens(std::span<const WalkView> walks) const {
  std::int32_t* const numbers = slot_of_calls().inbox.numbers.data;
  const BatchShape shape = write_batch(walks, 0, limits_, {numbers, static_cast<std::size_t>(limits_.numbers())});
  const DeviceSpan<std::int32_t> place = part(memory_.inbox.numbers, 0, limits_.numbers());
  stream_.copy_to_device(place, numbers);
  return pass_over(shape, place, 0, all_learn(config_));
}

template <typename T>
std::vector<float> TypedEngine<T>::logits(std::span<const WalkView> walks) {
  const std::int64_t vocab = config_.vocab_size;
  const std::int64_t hidden = config_.hidden_size;
  const LossBuffers<T>& loss = memory_.activations.loss;
  std::vector<float> result;
  for (const WalkRange& range : cut_into_batches(lengths_of(walks), 0, limits_)) {
    const std::span<const WalkView> own = walks.subspan(range.first, range.last - range.first);
    const Pass<T> pass = pass_with_all_tokens(own);
    std::size_t rows = 0;
    for (const WalkView walk : own) rows += walk.size();
    llama_forward(pass);
    const std::size_t begin = result.size();
    result.resize(begin + rows * static_cast<std::size_t>(vocab));
    std::vector<float> block;
    for (std::int64_t first = 0; first < vocab; first += loss.columns) {
      const std::int64_t columns = std::min(loss.columns, vocab - first);
      const LinearShape lm_head{hidden, columns};
      const DeviceSpan<float> place = pass.rows(loss.logits, loss.stride);
      linear_forward_float<T>(*products_, stream_.get(), lm_head, pass.shape.rows,
                              pass.rows(memory_.activations.output_normed, hidden),
                              pass.operand(layout_.lm_head() + first * hidden, lm_head), place, loss.stride);
      block.resize(static_cast<std::size_t>(place.size));
      stream_.copy_to_host<float>(block.data(), place);
      stream_.wait();
      for (std::size_t r = 0; r < rows; ++r) {
        std::copy_n(block.data() + r * static_cast<std::size_t>(loss.stride), columns,
                    result.data() + begin + r * static_cast<std::size_t>(vocab) + first);
      }
    }
  }
  return result;
}

template <typename T>
std::unique_ptr<TokenStates> TypedEngine<T>::token_states(std::span<const std::int32_t> ids,
                                                          std::span<const TokenArray> /*arrays*/) {
  return std::make_unique<TokensAlone<T>>(*this, ids);
}

template <typename T>
void TypedEngine<T>::walk_states(std::span<const WalkView> walks, std::span<const WalkPlace> places,
                                 std::span<const TokenArray> arrays, std::span<float> out) {
  if (!settings_.groups.empty()) throw std::logic_error("states are taken by an engine that does not train");
  const auto width = static_cast<std::size_t>(states_width(arrays));
  std::size_t place = 0;
  for (const WalkRange& range : cut_into_batches(lengths_of(walks), 0, limits_)) {
    std::vector<std::int32_t> rows;
    const std::size_t first_place = place;
    std::int64_t start = 0;
    for (std::size_t walk = range.first; walk < range.last; ++walk) {
      for (; place < places.size() && places[place].walk == static_cast<std::int64_t>(walk); ++place) {
        rows.push_back(static_cast<std::int32_t>(start + places[place].position));
      }
      start += static_cast<std::int64_t>(walks[walk].size());
    }
    const Pass<T> pass = pass_with_all_tokens(walks.subspan(range.first, range.last - range.first));
    llama_states(pass, stream_, {rows, arrays, out.subspan(first_place * width, rows.size() * width)});
  }
}

template class TypedEngine<float>;
template class TypedEngine<Bfloat16>;

}  // namespace strider::cuda
