#pragma once
// What a run starts from, checked before any work: its configuration, its weights, and that its settings go together.
#include <filesystem>
#include <string>
#include <vector>

#include "data/walk_dataset.h"
#include "model/config.h"
#include "model/parameters.h"
#include "train/settings.h"

namespace strider {

/// The model configuration, with the vocabulary of the dataset. Throws Error when there is none, when it is bad, or
/// when the model of INIT_FROM computes otherwise (naming the first field that differs).
LlamaConfig read_start_config(const TrainingSettings& settings, std::int64_t vocab_size);

/// Drawn from the seed, or those of INIT_FROM.
std::vector<float> initial_weights(const TrainingSettings& settings, const LlamaConfig& config,
                                   const ParameterLayout& layout);

/// With a validation split SAVE_STEPS is a multiple of EVAL_STEPS, as transformers asks of load_best_model_at_end.
void check_save_steps(const TrainingSettings& settings, const WalkDataset& dataset);

/// RESUME=never, and an interrupted run stands in output_dir.
[[noreturn]] void refuse_to_resume(const std::filesystem::path& output_dir, const std::string& checkpoint);

}  // namespace strider
