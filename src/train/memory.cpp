#include "train/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "optimize/parameter_groups.h"
#include "train/evaluation.h"
#include "train/schedule.h"
#include "train/settings_table.h"
#include "train/weight_average.h"

namespace strider {
namespace {

// The program, its libraries and their heaps (36 MB were seen), and the kernels that libxsmm makes for every shape that
// comes up (up to 19 MB, where walks have all kinds of lengths).
constexpr std::uint64_t kProgramBytes = 64'000'000;

// What would fit, with as little given up as possible: first what changes no result, such as threads.
std::optional<std::string> smaller_settings(TrainingSettings settings, const LlamaConfig& config,
                                            const WalkDataset& dataset, std::uint64_t available, Communicator* ranks) {
  const auto fits = [&] { return training_memory_bytes(settings, config, dataset, ranks) <= available; };
  std::vector<TrainingSetting> savers;
  for (const TrainingSetting& setting : training_settings_table()) {
    if (setting.facts().memory_saving != MemorySaving::kNone) savers.push_back(setting);
  }
  std::stable_partition(savers.begin(), savers.end(),
                        [](const auto& s) { return s.facts().on_resume == OnResume::kMayDiffer; });
  std::string smaller;
  for (const TrainingSetting& setting : savers) {
    while (!fits() && setting.reduce(settings)) {
    }
    smaller += fmt::format("{}{}={}", smaller.empty() ? "" : " and ", setting.facts().variable,
                           std::get<std::int64_t>(setting.value(settings)));
    if (fits()) return fmt::format("It fits with {}.", smaller);
  }
  return std::nullopt;
}

std::vector<ParameterGroup> parameter_groups(const TrainingSettings& settings, const ParameterLayout& layout) {
  const RuleSettings rule{.name = settings.optimizer,
                          .beta1 = settings.adam_beta1,
                          .beta2 = settings.adam_beta2,
                          .eps = settings.adam_epsilon,
                          .momentum = settings.momentum,
                          .orthogonalization = settings.orthogonalize,
                          .orthogonalization_steps = settings.orthogonalize_steps};
  std::vector<ParameterGroup> groups = trainer_groups(layout, rule, settings.weight_decay);
  const std::array<double, kTensorKinds> weight_decays = group_weight_decays_at(settings, 0);
  for (std::size_t kind = 0; kind < kTensorKinds; ++kind) {
    ParameterGroup& group = groups[kind];
    group.rule.beta1 = settings.group_adam_beta1[kind].value_or(group.rule.beta1);
    group.rule.beta2 = settings.group_adam_beta2[kind].value_or(group.rule.beta2);
    group.rule.eps = settings.group_adam_epsilon[kind].value_or(group.rule.eps);
    group.weight_decay = weight_decays[kind];
  }
  return groups;
}

}  // namespace

std::int64_t most_walks_of_a_step(const TrainingSettings& settings, const WalkSplit& split) {
  return std::min(split.size(), settings.batch_size * settings.gradient_accumulation_steps);
}

EngineSettings engine_settings(const TrainingSettings& settings, const LlamaConfig& config, const WalkDataset& dataset,
                               Communicator* ranks) {
  std::int64_t most = most_walks_of_a_step(settings, dataset.train);
  if (dataset.validation) most = std::max(most, Evaluator::walks_at_once(*dataset.validation, settings));
  return {.threads = settings.threads,
          .max_length = settings.max_length,
          .walks_per_step = most,
          .precision = settings.precision.value_or(Precision::kFloat32),
          .groups = parameter_groups(settings, ParameterLayout(config)),
          .ranks = ranks};
}

std::uint64_t training_memory_bytes(const TrainingSettings& settings, const LlamaConfig& config,
                                    const WalkDataset& dataset, Communicator* ranks) {
  EngineSettings engine = engine_settings(settings, config, dataset, ranks);
  const ParameterLayout layout(config);
  const auto ids = static_cast<std::uint64_t>(engine.walks_per_step * settings.max_length) * sizeof(std::int32_t);
  const auto order = static_cast<std::uint64_t>(dataset.train.size()) * sizeof(std::int64_t);
  std::uint64_t copies = static_cast<std::uint64_t>(layout.total()) * sizeof(float);
  for (const StateBuffer& state : optimizer_state_of(layout, engine.groups)) {
    copies += static_cast<std::uint64_t>(state.floats) * sizeof(float);
  }
  if (settings.average_share > 0.0) {  // WeightAverage, and its sums in the copy of the checkpoint
    copies += WeightAverage::memory_bytes(layout.total()) + static_cast<std::uint64_t>(layout.total()) * sizeof(double);
  }
  if (settings.histogram_steps > 0) {  // of weights and gradient
    copies += 2 * static_cast<std::uint64_t>(layout.total()) * sizeof(float);
  }
  // A copy of the weights, an engine that takes the states of tokens, and all arrays of one type.
  if (settings.representation_steps > 0 || settings.geometry_steps > 0) {
    const std::vector<TokenArray> arrays = list_token_arrays(config, std::vector{Representation::kAfterBlock});
    const EngineSettings reader{.threads = settings.threads, .max_length = 1, .walks_per_step = 1};
    copies += static_cast<std::uint64_t>(layout.total() + config.vocab_size * states_width(arrays)) * sizeof(float) +
              engine_memory_bytes(config, reader) + token_states_memory_bytes(config, config.vocab_size, arrays);
  }
  std::uint64_t most = engine_memory_bytes(config, engine);
  if (!settings.precision) {
    engine.precision = Precision::kBfloat16;
    most = std::max(most, engine_memory_bytes(config, engine));
  }
  return most + 2 * ids + order + copies + kProgramBytes;
}

void check_training_memory(const TrainingSettings& settings, const LlamaConfig& config, const WalkDataset& dataset,
                           std::uint64_t available, Communicator* ranks) {
  const std::uint64_t needed = training_memory_bytes(settings, config, dataset, ranks);
  if (needed <= available) return;
  const std::string otherwise =
      "Use a smaller model or a smaller BATCH_SIZE (with GRAD_ACCUM to keep the step), or a machine with more memory.";
  throw Error(fmt::format("the run needs {} MB of memory, {} MB can be had", needed >> 20, available >> 20),
              {.file = {},
               .place = {},
               .advice = smaller_settings(settings, config, dataset, available, ranks).value_or(otherwise)});
}

}  // namespace strider
