#pragma once
// What a run writes beside the weights of every checkpoint and of final_model, decided once at its start.
#include <string>
#include <vector>

#include "data/walk_dataset.h"
#include "model/companions.h"
#include "model/config.h"
#include "train/settings.h"

namespace strider {

struct RunCompanions {
  ModelCompanions files;
  std::vector<std::string> notices;  // a line each: ids that nothing trains, a tokenizer that does not fit
};

/// Reads the training walks once, as long as they are trained on. An id that the model of INIT_FROM has seen counts as
/// seen; where that model does not say what it has seen, nothing is said of any.
RunCompanions companions_of_run(const TrainingSettings& settings, const WalkDataset& dataset,
                                const LlamaConfig& config);

}  // namespace strider
