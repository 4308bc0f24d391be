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
  }
  return "";
}

const char* name_of(LossDenominator denominator) {
  return denominator == LossDenominator::kLabels ? "labels" : "predictions";
}

void check_settings(const TrainingSettings& s) {
  check_ranges(s);
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
