#pragma once
// checkpoint-{step}/ folders: what transformers writes (config.json, model.safetensors, tokenizer, trainer_state.json),
// and beside it what going on bit for bit needs: optimizer.safetensors (AdamW's moments) and strider_state.json:
//   version   1
//   settings  everything that shapes the result, by name
//   state     the exact sums of the run (trainer_state.h)
//   files     each other file's size and CRC-32
// A folder appears whole or not at all.
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "train/engine.h"
#include "train/trainer_state.h"

namespace strider {

struct CheckpointPlace {
  std::filesystem::path folder;
  std::int64_t step = 0;
};

/// Strider's own checkpoints in `output_dir`, oldest first. Folders of that name without strider_state.json are not
/// among them.
std::vector<CheckpointPlace> list_checkpoints(const std::filesystem::path& output_dir);

std::string checkpoint_name(std::int64_t step);

/// `shaping` is the settings object that a later run is compared with.
void write_checkpoint(const std::filesystem::path& output_dir, const Engine& engine, const TrainerState& state,
                      const TrainingSettings& settings, const StepPlan& plan, const nlohmann::json& shaping);

struct Checkpoint {
  TrainerState state;
  std::vector<float> parameters, first_moments, second_moments;
};

/// The settings that a checkpoint was made with. Throws Error when strider_state.json is damaged.
nlohmann::json checkpoint_settings(const std::filesystem::path& folder);

/// Reads a checkpoint and checks every file against its size and checksum. Throws Error that names the first bad one.
Checkpoint read_checkpoint(const std::filesystem::path& folder, const ParameterLayout& layout);

/// Removes the oldest of Strider's own checkpoints until `limit` are left (0: all stay), never the newest nor `best`.
void rotate_checkpoints(const std::filesystem::path& output_dir, std::int64_t limit, const std::string& best);

}  // namespace strider
