#pragma once
// OUTPUT_DIR: what stands there from an earlier sitting, and what may be done with it.
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "data/walk_dataset.h"
#include "train/checkpoint.h"

namespace strider {

/// Everything that shapes the result of a run, by the names of the settings: what a run must have in common with a
/// checkpoint to go on from it. `initial` are the weights it starts with.
nlohmann::json shaping_settings(const TrainingSettings& settings, const LlamaConfig& config, const WalkDataset& dataset,
                                std::span<const float> initial);

struct EarlierRun {
  bool finished = false;                 // its final_model stands
  std::optional<Checkpoint> checkpoint;  // the newest good one
  std::string name;                      // of that checkpoint
  std::vector<std::string> passed_over;  // damaged ones that are newer, with what is wrong
};

/// Looks for a run with the same settings in output_dir. Throws Error when one with other settings stands there (naming
/// those that differ), when all its checkpoints are damaged, or when checkpoints of another program stand there.
EarlierRun find_earlier_run(const TrainingSettings& settings, const ParameterLayout& layout, const StepPlan& plan,
                            const nlohmann::json& shaping);

/// Removes what an earlier run of Strider left in output_dir: its checkpoints, final_model and trainer_state.json.
void remove_earlier_run(const std::filesystem::path& output_dir);

}  // namespace strider
