#pragma once
// What a run starts from, checked before any work: its configuration, its weights, and that its settings go together.
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/walk_dataset.h"
#include "model/config.h"
#include "model/parameters.h"
#include "train/schedule.h"
#include "train/settings.h"

namespace strider {

/// The model configuration, with the vocabulary of the dataset, of CONFIG or of INIT_FROM, whichever is the largest.
/// Throws Error when there is none, when it is bad, or when the model of INIT_FROM computes otherwise (naming the first
/// field that differs).
LlamaConfig read_start_config(const TrainingSettings& settings, std::int64_t vocab_size);

/// Throws Error where FIRST_LAYERS, FIRST_STEPS or HEAD_STEPS ask for parts of a run that this model cannot have.
void check_parts(const TrainingSettings& settings, const LlamaConfig& config);

/// Drawn from the seed, or those of INIT_FROM.
std::vector<float> initial_weights(const TrainingSettings& settings, const LlamaConfig& config,
                                   const ParameterLayout& layout);

/// Where one of SAVE_STEPS and EVAL_STEPS was set alone, and would not be a multiple of the other's default, the other
/// follows it, and `notice` gets a line that says so.
TrainingSettings with_resolved_steps(TrainingSettings settings, const std::function<void(const std::string&)>& notice);

/// Throws Error when no training walk has a token to predict.
void check_predictions(const WalkDataset& dataset, const TrainingSettings& settings);

/// A validation split whose walks are all one token long has no loss: it is taken out of the dataset, and `notice` gets
/// a line that says so.
WalkDataset without_empty_validation(WalkDataset dataset, const std::function<void(const std::string&)>& notice);

/// What the user may not have meant, a line each: a schedule that never reaches its peak, steps that never come, walks
/// that have nothing to predict.
std::vector<std::string> plan_warnings(const TrainingSettings& settings, const WalkDataset& dataset,
                                       const StepPlan& plan);

/// With a validation split SAVE_STEPS is a multiple of EVAL_STEPS, as transformers asks of load_best_model_at_end.
void check_save_steps(const TrainingSettings& settings, const WalkDataset& dataset);

/// RESUME=never, and output_dir has an interrupted run.
[[noreturn]] void refuse_to_resume(const std::filesystem::path& output_dir, const std::string& checkpoint);

}  // namespace strider
