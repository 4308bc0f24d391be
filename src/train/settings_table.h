#pragma once
// The table of a training run's settings. A new setting is a field of TrainingSettings and a row here; it then is an
// option of `strider train`, in its help, checked, and recorded in checkpoints. The numbered script 02a and the README
// have a line for it, which a test compares with the help.
#include <vector>

#include "base/setting.h"
#include "train/settings.h"

namespace strider {

using TrainingSetting = Setting<TrainingSettings>;
using TrainingSettingsTable = std::vector<TrainingSetting>;

const TrainingSettingsTable& training_settings_table();

/// Throws Error that names the first setting that is out of its range, by option and variable, and what is allowed.
void check_ranges(const TrainingSettings& settings, const TrainingSettingsTable& table = training_settings_table());

}  // namespace strider
