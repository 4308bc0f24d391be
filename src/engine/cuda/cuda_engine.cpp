#include "engine/cuda/cuda_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "base/error.h"
#include "engine/cpu/ops/rope.h"
#include "engine/cuda/ops/attention.h"
#include "engine/cuda/ops/sum_gradients.h"

namespace strider::cuda {
namespace {

// Of one engine. Walks of one length have one shape of batch and the rest of an epoch; others have one for each number
// of row steps.
constexpr std::size_t kMostGraphs = 64;

LlamaConfig checked(const LlamaConfig& config, const EngineSettings& settings) {
  if (const auto obstacle = cuda_engine_obstacle(config, settings)) {
    throw Error(*obstacle, {.file = {}, .place = {}, .advice = "DEVICE=cpu can do this."});
  }
  return config;
}

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
  } else {
    factors[kLearningRate] = static_cast<float>(learning_rate);
    factors[kWeightDecay] = static_cast<float>(group.weight_decay);
    factors[kMomentum] = static_cast<float>(rule.momentum);
  }
}

std::int64_t step_number_floats(const EngineSettings& settings) {
  return 1 + static_cast<std::int64_t>(settings.groups.size()) * kUpdateFactors;
}

// Rows of a walk that are computed: the last token predicts nothing.
constexpr std::int64_t kDropped = 1;

}  // namespace

void CudaEngine::HostNumbers::lay_out(Carver& carver, const EngineSettings& settings, const BatchLimits& limits) {
  batch = carver.take<std::int32_t>(limits.numbers());
  loss_scale = carver.take<float>(1);
  step = carver.take<float>(step_number_floats(settings));
  losses = carver.take<float>(limits.rows);
  norm = carver.take<double>(1);
}

CudaEngine::CudaEngine(const LlamaConfig& config, const EngineSettings& settings,
                       std::unique_ptr<MatrixProducts> products, std::int64_t batch_rows)
    : config_(checked(config, settings)),
      layout_(config),
      settings_(settings),
      limits_(batch_limits(config, settings, batch_rows)),
      products_(std::move(products)),
      storage_(cuda_engine_memory_bytes(config, settings, batch_rows)),
      host_storage_(carved_bytes([&](Carver& carver) { HostNumbers().lay_out(carver, settings, limits_); })) {
  Carver device(storage_.data());
  memory_.lay_out(device, config_, settings_, limits_);
  Carver host(host_storage_.data());
  host_.lay_out(host, settings_, limits_);

  std::vector<float> angles(static_cast<std::size_t>(RopeTable::floats(settings.max_length, config.head_dim)));
  const RopeTable rope(settings.max_length, config.head_dim, config.rope_theta, angles.data());
  stream_.copy_to_device(memory_.cosines, rope.cos(0));
  stream_.copy_to_device(memory_.sines, rope.sin(0));
  if (settings_.groups.empty()) {
    stream_.wait();
    return;
  }
  for (const RulePieces& rule : memory_.rules) stream_.copy_to_device(rule.pieces, rule.numbers.data());
  for (const OptimizerBuffer& state : memory_.states) {
    stream_.clear(DeviceSpan<float>(state.values, state.about.floats));
  }
  stream_.clear(memory_.gradient);
  stream_.clear(memory_.norm);
  stream_.wait();
}

void CudaEngine::load_parameters(const std::function<void(std::span<float> values)>& fill) {
  std::vector<float> values(static_cast<std::size_t>(layout_.total()));
  fill(values);
  stream_.copy_to_device(memory_.parameters, values.data());
  stream_.wait();
}

void CudaEngine::copy_parameters(std::span<float> out) const {
  stream_.copy_to_host<float>(out.data(), memory_.parameters);
  stream_.wait();
}

std::vector<StateBuffer> CudaEngine::optimizer_state() const {
  std::vector<StateBuffer> states;
  for (const OptimizerBuffer& state : memory_.states) states.push_back(state.about);
  return states;
}

const OptimizerBuffer& CudaEngine::state_named(std::string_view name) const {
  for (const OptimizerBuffer& state : memory_.states) {
    if (state.about.name == name) return state;
  }
  throw Error(fmt::format("the optimizer keeps no state \"{}\"", name));
}

void CudaEngine::copy_optimizer_state(std::string_view name, std::span<float> out) const {
  const OptimizerBuffer& state = state_named(name);
  stream_.copy_to_host(out.data(), DeviceSpan<const float>(state.values, state.about.floats));
  stream_.wait();
}

void CudaEngine::set_optimizer_state(std::string_view name, std::span<const float> values) {
  const OptimizerBuffer& state = state_named(name);
  stream_.copy_to_device(DeviceSpan<float>(state.values, state.about.floats), values.data());
  stream_.wait();
}

void CudaEngine::expect_training() const {
  if (settings_.groups.empty()) {
    throw std::logic_error("this engine was made without parameter groups and cannot train");
  }
}

Pass CudaEngine::pass_over(BatchShape shape) const {
  const DeviceSpan<const std::int32_t> numbers = memory_.numbers;
  return {.config = config_,
          .layout = layout_,
          .memory = memory_,
          .batch = {limits_, [&](std::int64_t first, std::int64_t count) { return part(numbers, first, count); }},
          .shape = shape,
          .products = *products_,
          .stream = stream_.get()};
}

void CudaEngine::record_batch(BatchShape shape, Work work) const {
  const Pass pass = pass_over(shape);
  stream_.copy_to_device(memory_.numbers, host_.batch);
  llama_forward(pass);
  llama_losses(pass);
  stream_.copy_to_host<float>(host_.losses, pass.rows(memory_.activations.losses, 1));
  if (work == Work::kEvaluate) return;
  stream_.copy_to_device(memory_.loss_scale, host_.loss_scale);
  if (work == Work::kTrainFirst || work == Work::kTrainOnly) stream_.clear(memory_.gradient);
  llama_backward(pass);
  if (work == Work::kTrainLast || work == Work::kTrainOnly) {
    cuda::gradient_norm(stream_.get(), memory_.gradient, memory_.norm_scratch, memory_.norm);
    stream_.copy_to_host<double>(host_.norm, memory_.norm);
  }
}

// Takes some walks through the model and waits for their losses.
void CudaEngine::run_batch(std::span<const WalkView> walks, std::span<double> walk_losses, Work work) {
  const BatchShape shape =
      write_batch(walks, kDropped, limits_, {host_.batch, static_cast<std::size_t>(limits_.numbers())});
  const GraphKey key{shape, work};
  auto graph = graphs_.find(key);
  if (graph == graphs_.end()) {
    if (graphs_.size() == kMostGraphs) graphs_.clear();
    graph = graphs_.emplace(key, stream_.capture([&] { record_batch(shape, work); })).first;
  }
  stream_.launch(graph->second);
  stream_.wait();
  const float* loss = host_.losses;
  for (std::size_t i = 0; i < walks.size(); ++i) {
    double sum = 0.0;
    for (std::size_t t = kDropped; t < walks[i].size(); ++t) sum += *loss++;
    walk_losses[i] = sum;
  }
}

// False where it was given up between two batches.
bool CudaEngine::run_batches(std::span<const WalkView> walks, std::span<double> walk_losses, const GiveUp& give_up,
                             bool trains) {
  const std::vector<WalkRange> batches = cut_into_batches(walks, kDropped, limits_);
  for (std::size_t i = 0; i < batches.size(); ++i) {
    if (give_up()) return false;
    const bool is_first = i == 0;
    const bool is_last = i + 1 == batches.size();
    Work work = Work::kEvaluate;
    if (trains) {
      work = is_first && is_last ? Work::kTrainOnly
             : is_first          ? Work::kTrainFirst
             : is_last           ? Work::kTrainLast
                                 : Work::kTrain;
    }
    const std::size_t count = batches[i].last - batches[i].first;
    run_batch(walks.subspan(batches[i].first, count), walk_losses.subspan(batches[i].first, count), work);
  }
  return true;
}

bool CudaEngine::forward_backward(std::span<const WalkView> walks, double denominator, std::span<double> walk_losses,
                                  const GiveUp& give_up) {
  expect_training();
  *host_.loss_scale = static_cast<float>(1.0 / denominator);
  return run_batches(walks, walk_losses, give_up, true);
}

double CudaEngine::gradient_norm() {
  return *host_.norm;
}

std::vector<float> CudaEngine::gradient() {
  std::vector<float> values(static_cast<std::size_t>(layout_.total()));
  stream_.copy_to_host<float>(values.data(), memory_.gradient);
  stream_.wait();
  return values;
}

void CudaEngine::write_step_numbers(std::span<const double> learning_rates, double max_grad_norm) const {
  host_.step[0] = static_cast<float>(max_grad_norm);
  for (std::size_t group = 0; group < settings_.groups.size(); ++group) {
    write_factors(settings_.groups[group], learning_rates[group], updates_,
                  host_.step + 1 + group * static_cast<std::size_t>(kUpdateFactors));
  }
}

void CudaEngine::record_update() const {
  stream_.copy_to_device(memory_.step_numbers, host_.step);
  clip_factor(stream_.get(), memory_.norm, part(memory_.step_numbers, 0, 1), memory_.clip);
  for (const RulePieces& rule : memory_.rules) {
    const UpdateBuffers buffers{.pieces = rule.pieces,
                                .piece_count = rule.pieces.size / kUpdateNumbers,
                                .factors = part(memory_.step_numbers, 1, memory_.step_numbers.size - 1),
                                .clip = memory_.clip,
                                .gradient = memory_.gradient,
                                .parameters = memory_.parameters};
    if (rule.rule == "adamw") {
      adamw_update(stream_.get(), buffers, rule.states[0], rule.states[1]);
    } else {
      sgd_update(stream_.get(), buffers, rule.states[0]);
    }
  }
}

void CudaEngine::update(std::span<const double> learning_rates, double max_grad_norm) {
  expect_training();
  updates_ += 1;
  write_step_numbers(learning_rates, max_grad_norm);
  if (!has_update_graph_) {
    update_graph_ = stream_.capture([&] { record_update(); });
    has_update_graph_ = true;
  }
  stream_.launch(update_graph_);
  // The host writes the next step's numbers where this graph reads.
  stream_.wait();
}

bool CudaEngine::evaluate(std::span<const WalkView> walks, std::span<double> walk_losses, const GiveUp& give_up) {
  return run_batches(walks, walk_losses, give_up, false);
}

std::vector<float> CudaEngine::logits(std::span<const WalkView> walks) {
  const std::int64_t vocab = config_.vocab_size;
  const std::int64_t hidden = config_.hidden_size;
  std::vector<float> result;
  for (const WalkRange& range : cut_into_batches(walks, 0, limits_)) {
    const std::span<const WalkView> own = walks.subspan(range.first, range.last - range.first);
    const Pass pass =
        pass_over(write_batch(own, 0, limits_, {host_.batch, static_cast<std::size_t>(limits_.numbers())}));
    std::size_t rows = 0;
    for (const WalkView walk : own) rows += walk.size();
    stream_.copy_to_device(memory_.numbers, host_.batch);
    llama_forward(pass);
    const std::size_t begin = result.size();
    result.resize(begin + rows * static_cast<std::size_t>(vocab));
    std::vector<float> block;
    for (std::int64_t first = 0; first < vocab; first += memory_.activations.loss.columns) {
      const std::int64_t columns = std::min(memory_.activations.loss.columns, vocab - first);
      const LinearShape shape{hidden, columns};
      const DeviceSpan<float> place = pass.rows(memory_.activations.loss.logits, columns);
      linear_forward(*products_, stream_.get(), shape, pass.shape.rows,
                     pass.rows(memory_.activations.output_normed, hidden),
                     pass.weight(layout_.lm_head() + first * hidden, shape), place);
      block.resize(static_cast<std::size_t>(place.size));
      stream_.copy_to_host<float>(block.data(), place);
      stream_.wait();
      for (std::size_t r = 0; r < rows; ++r) {
        std::copy_n(block.data() + r * static_cast<std::size_t>(columns), columns,
                    result.data() + begin + r * static_cast<std::size_t>(vocab) + first);
      }
    }
  }
  return result;
}

std::unique_ptr<TokenStates> CudaEngine::token_states(std::span<const std::int32_t>, std::span<const TokenArray>) {
  throw Error("the GPU engine does not extract representations",
              {.file = {}, .place = {}, .advice = "Use DEVICE=cpu."});
}

void CudaEngine::walk_states(std::span<const WalkView>, std::span<const WalkPlace>, std::span<const TokenArray>,
                             std::span<float>) {
  throw Error("the GPU engine does not extract representations",
              {.file = {}, .place = {}, .advice = "Use DEVICE=cpu."});
}

std::optional<std::string> cuda_engine_obstacle(const LlamaConfig& config, const EngineSettings& settings) {
  if (config.head_dim > kMostHeadDim) {
    return fmt::format("the GPU engine has attention for a head_dim of up to {}, and the model has {}", kMostHeadDim,
                       config.head_dim);
  }
  if (settings.precision != Precision::kFloat32) {
    return fmt::format("the GPU engine computes in float32 alone, and PRECISION is {}", name_of(settings.precision));
  }
  for (const ParameterGroup& group : settings.groups) {
    if (group.rule.name != "adamw" && group.rule.name != "sgd") {
      return fmt::format("the GPU engine has no optimizer {}", group.rule.name);
    }
  }
  return std::nullopt;
}

std::uint64_t cuda_engine_memory_bytes(const LlamaConfig& config, const EngineSettings& settings,
                                       std::int64_t batch_rows) {
  const BatchLimits limits = batch_limits(config, settings, batch_rows);
  return carved_bytes([&](Carver& carver) { EngineMemory().lay_out(carver, config, settings, limits); });
}

}  // namespace strider::cuda
