#pragma once
// strider extract --checkpoints: the representations of every checkpoint of a run, and of the weights that it started
// from, into representations_by_step/ (step_folder.h).
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/notices.h"

namespace strider {

struct CheckpointExtraction {
  std::filesystem::path run;     // with checkpoint-{step} folders, of Strider or of Hugging Face's Trainer
  std::filesystem::path output;  // empty: representations_by_step in the run's folder
  std::vector<std::string> representations = {"after_block"};
  bool overwrite = false;  // make all of them anew
  int threads = 1;
};

struct ExtractedSteps {
  std::filesystem::path folder;
  std::vector<std::int64_t> steps;  // that the folder has now, ascending
  std::int64_t written = 0;         // how many of them are new
  Notices notices;                  // what was left out, and what the filesystem could not do
};

/// Step after step; can be killed and goes on. `on_step` is called after each, with whether it is new. A damaged
/// checkpoint is left out with a notice, and so is the start of a run whose first weights nothing records. Throws
/// Error: no run, no checkpoint, representations by step of another model or of other types, no permission, no space.
ExtractedSteps extract_checkpoints(const CheckpointExtraction& settings,
                                   const std::function<void(std::int64_t step, bool is_new)>& on_step);

}  // namespace strider
