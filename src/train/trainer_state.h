#pragma once
// What a run remembers between steps and reports: the fields of transformers' trainer_state.json, and beside them
// the sums that the next log entry needs, which trainer_state.json rounds away.
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "train/schedule.h"

namespace strider {

/// One entry of log_history: its numbers by name, in the order in which transformers gives them.
struct LogEntry {
  std::vector<std::pair<std::string, double>> values;
  std::int64_t step = 0;
};

/// The saved checkpoint with the lowest evaluation loss.
struct BestCheckpoint {
  std::string name;  // of its folder
  double loss = 0.0, loss_per_prediction = 0.0;
};

struct TrainerState {
  std::int64_t global_step = 0;
  double epoch = 0.0;
  std::vector<LogEntry> log_history;
  std::optional<double> best_metric;  // lowest evaluation loss
  std::int64_t best_global_step = 0;
  std::optional<BestCheckpoint> best_checkpoint;
  double total_flos = 0.0;

  // Since the last log entry, in float32 as torch adds them up, and over the whole run.
  float loss_since_log = 0.0F;
  double loss_total = 0.0;
  std::int64_t last_logged_step = 0;
  // The loss per predicted token of each step since the last log entry, added up; not known until the next entry after
  // a resume from a checkpoint of an earlier version.
  std::optional<double> prediction_loss_since_log = 0.0;
  std::optional<std::int64_t> tokens = 0;  // seen since the first step; not known as above
  double seconds = 0.0;                    // trained so far, over all sittings
  // The vector instructions of the processor that made the last step; empty in checkpoints of earlier versions.
  std::string vectors;
  // The evaluation of global_step was given up for a stop: a resumed run makes it before its next step.
  bool evaluation_pending = false;
  // The step that MAX_MINUTES is expected to last to, where the schedule then ends; 0: that of the plan.
  std::int64_t planned_steps = 0;
  // The setting that ended the run at global_step, before its last planned step ("TARGET_LOSS"); empty: none did.
  std::string ended_by;
  // With AVERAGE_SHARE: after how many steps the weights were added to the mean so far.
  std::int64_t averaged_steps = 0;
};

/// The step that the run ends at, as far as is known: that of the plan, or the one that MAX_MINUTES lasts to.
std::int64_t last_step(const TrainerState& state, const StepPlan& plan);

/// Whether nothing is left to do: the last step is done, or a setting ended the run before.
bool is_at_end(const TrainerState& state, const StepPlan& plan);

/// trainer_state.json as transformers 4.57.1 writes it (sorted keys, two spaces, a newline at the end).
std::string trainer_state_json(const TrainerState& state, const TrainingSettings& settings, const StepPlan& plan);

/// The parts of a state that trainer_state.json does not keep exactly.
nlohmann::json exact_state(const TrainerState& state);

/// A state from a trainer_state.json and what exact_state gave, which was in `exact_file`. Throws Error.
TrainerState read_state(const std::filesystem::path& trainer_state_file, const nlohmann::json& exact,
                        const std::filesystem::path& exact_file);

}  // namespace strider
