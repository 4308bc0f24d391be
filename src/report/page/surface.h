#pragma once
// The surface as the page draws it: the graph, every token's place in space by layer, and the measures of geometry.
#include <cstddef>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>

#include "graph/graph.h"
#include "report/page/missing.h"

namespace strider {

struct SurfaceSource {
  std::filesystem::path representations;       // see open_representations
  std::optional<std::filesystem::path> graph;  // see graph_file
  std::filesystem::path steps;                 // see snapshots/step_folder.h; may not exist
  std::span<const nlohmann::json> geometry;    // RunLog::geometry
  std::size_t most_bytes = 0;                  // of the places of tokens, as base64
  int threads = 1;
};

struct DrawnSurface {
  Graph graph;
  std::filesystem::path graph_file;  // A_{name}_labeled.csv
};

/// The page's data of one run's surface (web/surface.js and web/geometry.js read it):
///   nodes, labels [nodes] int32, degrees [nodes] uint16, edges [edges, 2] uint16, each edge once
///   names [nodes]: texts; null where tokens are their ids
///   rows, columns, sheets [nodes] int16: cells of the grid; null where the graph has none
///   angle [nodes] float32: around the surface's axis, radians; null where the graph has no coordinates
///   frames: {"array", "type", "layer", "points" [nodes, 3] int16, "shares"}: 32767 is as far from the centre as the
///   farthest token
///   steps: [{"step", "frames"}], ascending: the same of the model on its way; null where there are none
///   geometry_by_step: [{"step", "arrays": {array: {measure: value}}}], ascending; null where there are none
///   geometry: what strider measure gives (geometry.json), or null
/// Arrays of numbers are base64. Throws Error where there is no graph or no representations; what else is not there
/// is named in `missing`.
nlohmann::ordered_json surface_json(const SurfaceSource& source, DrawnSurface& surface, Missing& missing);

}  // namespace strider
