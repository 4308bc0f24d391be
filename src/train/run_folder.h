#pragma once
// OUTPUT_DIR: what is there from an earlier sitting, and what may be done with it. Strider's own in it are
// checkpoint-{step}/ folders with a strider_state.json, final_model/, trainer_state.json (the whole log) and
// strider_run.json, which is written last and says that the run is finished:
//   version   2
//   settings  the run's fingerprint (train/fingerprint.h)
//   result    steps, seconds, the best checkpoint's name, and the evaluation losses of final_model; where that is the
//             mean of AVERAGE_SHARE also of how many steps it is, and the best checkpoint's own losses
//   crc32     as in a checkpoint's strider_state.json; version 1 had none, and is read still
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/walk_dataset.h"
#include "train/checkpoint.h"

namespace strider {

/// An evaluation loss, in the run's own denominator and per predicted token.
struct EvaluationLoss {
  double loss = 0.0, loss_per_prediction = 0.0;
};

struct FinishedRun {
  std::int64_t steps = 0;
  double seconds = 0.0;                           // trained, over all sittings
  std::optional<BestCheckpoint> best = {};        // whose weights final_model has; none: those of the last step
  std::int64_t averaged_steps = 0;                // above 0: final_model has the mean after so many steps instead
  std::optional<EvaluationLoss> final_loss = {};  // of final_model; none without a validation split
};

struct EarlierRun {
  std::optional<FinishedRun> finished;
  std::optional<Checkpoint> checkpoint;  // the newest good one of a run that is not finished, or is to be continued
  std::string name;                      // of that checkpoint
  std::vector<std::string> passed_over;  // damaged ones that are newer, with what is wrong, and what follows from that
  std::optional<Error> obstacle;         // why what is there is neither: other settings, or damaged
  std::string continued;                 // the settings that a continued run changes; empty: none
  std::int64_t schedule_start = 0;       // StepPlan::schedule_start of what goes on
};

/// What an earlier run in output_dir computes with, if there is one: PRECISION=auto goes on with it.
std::optional<Precision> precision_of_earlier_run(const std::filesystem::path& output_dir);

/// Looks for a run with the same settings in output_dir, or, with `continue_run`, for one that differs in its schedule
/// alone (epochs, steps, learning rate, weight decay, clipping, how often it evaluates and saves). There is an obstacle
/// when the run has other settings (those that differ are named), when its strider_run.json is damaged, when all its
/// checkpoints or the best one are damaged (or the best one is gone, unless newer ones that are passed over may have
/// replaced it). Throws Error when checkpoints or a final_model are another program's.
EarlierRun find_earlier_run(const std::filesystem::path& output_dir, const ParameterLayout& layout,
                            std::span<const StateBuffer> optimizer_state, const nlohmann::json& fingerprint,
                            bool continue_run);

/// Throws Error when checkpoints or a final_model in output_dir are another program's.
void refuse_foreign_folders(const std::filesystem::path& output_dir);

/// Removes what an earlier run of Strider left in output_dir. Throws Error as above where it is another program's,
/// or when something cannot be moved from its place; what only could not be removed then is in what is returned.
/// While it is at it, a file `.strider.overwriting` is there, so that a later run can end what a kill interrupted.
Notices remove_earlier_run(const std::filesystem::path& output_dir);

/// Whether a removal was interrupted, which left a part of an earlier run that no one may go on from.
bool removal_was_interrupted(const std::filesystem::path& output_dir);

/// Before final_model is written: what said that an earlier one was finished would vouch for a half-finished end.
Notices forget_finished_run(const std::filesystem::path& output_dir);

Notices write_finished_run(const std::filesystem::path& output_dir, const FinishedRun& run,
                           const nlohmann::json& fingerprint);

}  // namespace strider
