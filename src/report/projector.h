#pragma once
// Representations for TensorBoard's page Projector: points in space that can be turned, searched by name and projected
// anew. Into a log folder go
//   projector_config.pbtxt       which tensors there are: the text form of tensorboard.ProjectorConfig
//                                (tensorboard/plugins/projector/projector_config.proto)
//   projector/{array}.tsv        a line a token, its numbers with tabs between
//   projector/metadata.tsv       a line a token: its text; with row, column where the graph has a grid
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/notices.h"

namespace strider {

struct ProjectorSettings {
  std::filesystem::path representations;       // see open_representations; token_metadata.json names the tokens
  std::filesystem::path log_folder;            // made where it is missing
  std::optional<std::filesystem::path> graph;  // folder or A_{name}_labeled.csv; nothing: looked up near the
                                               // representations, and done without where there is none
};

struct WrittenProjector {
  std::vector<std::filesystem::path> files;
  std::uint64_t bytes = 0;
  Notices notices;
};

/// Each file appears whole, the configuration last. The array after the last block comes first, which the page shows
/// when it opens. Throws Error: no representations, a projector_config.pbtxt that is not Strider's, no permission, no
/// space.
WrittenProjector write_projector(const ProjectorSettings& settings);

}  // namespace strider
