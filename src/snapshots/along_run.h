#pragma once
// Listeners that look into the model while it trains: RunListener::on_model brings them its weights.
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "events/run_events.h"

namespace strider {

/// REPRESENTATION_STEPS: representations of every token in {output_dir}/representations_by_step/ (step_folder.h). A run
/// that begins anew removes the folder, one that goes on what is later than its checkpoint. `types` are names of
/// representations.
std::unique_ptr<RunListener> make_representations_along_run(std::filesystem::path output_dir,
                                                            std::vector<std::string> types, int threads);

/// GEOMETRY_STEPS: the measures of strider measure for the embeddings, what is after each block, and what is after the
/// final norm, passed on as RunListener::on_geometry to `listener`, which outlives it. The graph is that in the folder
/// or file `graph`; where nothing is given it is looked up near `output_dir` (geometry/representations.h). check()
/// reads it, and throws Error where there is none that can be measured; on_model where a node is no token of the model.
std::unique_ptr<RunListener> make_geometry_along_run(std::filesystem::path output_dir,
                                                     std::optional<std::filesystem::path> graph, int threads,
                                                     RunListener& listener);

}  // namespace strider
