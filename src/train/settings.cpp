#include "train/settings.h"

#include <fmt/format.h>

#include "base/error.h"
#include "train/settings_table.h"

namespace strider {

const char* name_of(LrScheduler scheduler) {
  switch (scheduler) {
    case LrScheduler::kLinear:
      return "linear";
    case LrScheduler::kCosine:
      return "cosine";
    case LrScheduler::kConstant:
      return "constant";
    case LrScheduler::kWarmupStableDecay:
      return "warmup_stable_decay";
  }
  return "";
}

const char* name_of(LossDenominator denominator) {
  return denominator == LossDenominator::kLabels ? "labels" : "predictions";
}

const char* name_of(Orthogonalization method) {
  return method == Orthogonalization::kPolarExpress ? "polar-express" : "newton-schulz";
}

const char* name_of(OutputProjections start) {
  return start == OutputProjections::kZero ? "zero" : "torch";
}

const char* name_of(Recipe recipe) {
  switch (recipe) {
    case Recipe::kReference:
      return "reference";
    case Recipe::kFast:
      return "fast";
    case Recipe::kLowestLoss:
      return "lowest-loss";
  }
  return "";
}

void check_settings(const TrainingSettings& s) {
  check_ranges(s);
  if (s.init_from && s.output_projections == OutputProjections::kZero) {
    throw Error(
        "--output_projections (OUTPUT_PROJECTIONS) is zero, and --init_from (INIT_FROM) names a model",
        {.file = {}, .place = {}, .advice = "That model's weights stay as they are: leave one of the two out."});
  }
  if (s.continue_run && (s.overwrite || !s.resume)) {
    throw Error(
        fmt::format("--continue (CONTINUE) is true, and {}",
                    s.overwrite ? "--overwrite (OVERWRITE) is true" : "--resume (RESUME) is never"),
        {.file = {},
         .place = {},
         .advice = "CONTINUE goes on with the run in the output folder, the other one begins anew: choose one."});
  }
}

}  // namespace strider
