#pragma once
// checkpoint-{step}/ folders: what transformers writes (config.json, model.safetensors, tokenizer, trainer_state.json),
// and beside it what going on bit for bit needs: optimizer.safetensors (the optimizer's state buffers) and
// strider_state.json; with AVERAGE_SHARE, as soon as there is something to average, also weight_sums.npy (float64, all
// parameters in the layout's order: WeightAverage's sums).
// strider_state.json has
//   version   1
//   settings  everything that shapes the result, by name
//   state     the exact sums of the run (trainer_state.h)
//   files     each other file's size and CRC-32
//   crc32     of this object without this field, as compact JSON with sorted keys
// A folder appears whole or not at all.
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "base/notices.h"
#include "engine/optimizer.h"
#include "model/companions.h"
#include "model/parameters.h"
#include "train/trainer_state.h"

namespace strider {

struct CheckpointPlace {
  std::filesystem::path folder;
  std::int64_t step = 0;
};

/// The folders in `output_dir` whose names begin with "checkpoint-", in no order, whoever wrote them; none where there
/// is no such folder. Throws Error when it cannot be listed.
std::vector<std::filesystem::path> checkpoint_folders(const std::filesystem::path& output_dir);

/// Those of them whose names end in a step, oldest first.
std::vector<CheckpointPlace> checkpoints_by_step(const std::filesystem::path& output_dir);

/// Strider's own checkpoints in `output_dir`, oldest first. Folders of that name without strider_state.json are not
/// among them.
std::vector<CheckpointPlace> list_checkpoints(const std::filesystem::path& output_dir);

std::string checkpoint_name(std::int64_t step);

/// A buffer of optimizer state, under the name that the engine gives it.
struct NamedState {
  std::string name;
  std::vector<float> values;
};

struct Checkpoint {
  TrainerState state;
  std::vector<float> parameters;
  std::vector<NamedState> optimizer;
  std::vector<double> weight_sums = {};  // of state.averaged_steps steps; empty where these are 0
};

/// What all checkpoints of a run share. `fingerprint` is what a later run is compared with.
struct CheckpointOrigin {
  const TrainingSettings& settings;
  const LlamaConfig& config;
  const ParameterLayout& layout;
  const StepPlan& plan;
  const nlohmann::json& fingerprint;
  const ModelCompanions& companions;
};

/// Into settings.output_dir. Returns when it is on the disk, with what the filesystem could not do for it.
Notices write_checkpoint(const CheckpointOrigin& origin, const Checkpoint& checkpoint);

/// The settings that a checkpoint was made with. Throws Error when strider_state.json is damaged.
nlohmann::json checkpoint_settings(const std::filesystem::path& folder);

/// Checks every file of a checkpoint against its size and checksum. Throws Error that names the first bad one.
void check_checkpoint(const std::filesystem::path& folder);

/// Reads a checkpoint with the state buffers `expected` and checks every file against its size and checksum. Throws
/// Error that names the first bad one, or the buffer that is missing or has another size, weight_sums included.
Checkpoint read_checkpoint(const std::filesystem::path& folder, const ParameterLayout& layout,
                           std::span<const StateBuffer> expected);

/// How many checkpoints stay, and which ones the settings ask for: those at multiples of save_steps and at max_steps.
/// Others were asked for by a signal.
struct RotationRule {
  std::int64_t limit = 0;  // 0: all stay
  std::int64_t save_steps = 1;
  std::int64_t max_steps = 0;
};

RotationRule rotation_rule(const TrainingSettings& settings, const StepPlan& plan);

/// Which of Strider's own checkpoints, at `steps` (ascending), go after the one at step `newest` was written: those
/// that a signal asked for, then the oldest until `limit` are left; never the newest nor `best` (0: none). What is
/// later than `newest` is damaged, was passed over, and stays.
std::vector<std::int64_t> checkpoints_to_remove(const std::vector<std::int64_t>& steps, std::int64_t newest,
                                                std::int64_t best, const RotationRule& rule);

/// Removes those, and what is left of those that could not be removed before (a reader holds a file of one, say). What
/// cannot be removed now is in what is returned; it stays, and the next call tries again.
Notices rotate_checkpoints(const std::filesystem::path& output_dir, const TrainerState& state,
                           const RotationRule& rule);

}  // namespace strider
