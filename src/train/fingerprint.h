#pragma once
// The fingerprint of a run: everything that changes its result, by name. Checkpoints and strider_run.json record it;
// a run goes on from a checkpoint only if its fingerprint is the same or differs in what CONTINUE=true may change.
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "data/walk_dataset.h"
#include "model/config.h"
#include "train/settings_table.h"

namespace strider {

/// The settings that a checkpoint records and resume compares, by option.
nlohmann::json recorded_settings(const TrainingSettings& settings,
                                 const TrainingSettingsTable& table = training_settings_table());

/// A JSON object with the settings that the table records, the model configuration ("config.hidden_size" ...),
/// checksums of the walks of both splits ("train_data", "validation_data"), and with INIT_FROM that of `initial`, the
/// weights that the run starts with ("initial_weights"). Reads the whole dataset. The precision is left out as long as
/// it is auto.
nlohmann::json run_fingerprint(const TrainingSettings& settings, const LlamaConfig& config, const WalkDataset& dataset,
                               std::span<const float> initial);

struct FingerprintDifferences {
  std::string text;              // "epochs was 1, now 2; seed was 42, now 7"; empty: none
  bool can_be_continued = true;  // CONTINUE=true goes on with all of them
};

/// How the fingerprint of a run differs from that of an earlier one. A setting that did not exist
/// when the earlier one was made counts as what runs did then, as the table says.
FingerprintDifferences compare_fingerprints(const nlohmann::json& earlier, const nlohmann::json& now,
                                            const TrainingSettingsTable& table = training_settings_table());

}  // namespace strider
