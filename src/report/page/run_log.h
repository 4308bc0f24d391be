#pragma once
// The curves of a run: from metrics.jsonl, or where that is missing from trainer_state.json of the run or of its newest
// checkpoint, which knows neither tokens nor seconds.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "report/page/missing.h"
#include "report/page/series.h"

namespace strider {

struct RunLog {
  Series loss, evaluation;  // nats per predicted token, where that is known
  Series learning_rate, gradient_norm;
  std::vector<nlohmann::json> geometry;  // the lines of that event, by step, ascending
  nlohmann::json run, end;               // the lines of metrics.jsonl of these events; null where there is none
  std::filesystem::path file;
};

/// What cannot be read (no log at all, damaged lines) is named in `missing`; `seconds` are those of training steps,
/// without evaluations and pauses.
RunLog read_run_log(const std::filesystem::path& run, const std::filesystem::path& log_folder, Missing& missing);

/// checkpoint-{step} folders of a run by step, ascending.
std::vector<std::pair<std::int64_t, std::filesystem::path>> checkpoints_of(const std::filesystem::path& run);

}  // namespace strider
