#pragma once
// The surface as the page draws it: the graph, every token's place in space by layer, and the measures of geometry.
#include <cstddef>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "graph/graph.h"
#include "report/page/missing.h"

namespace strider {

struct SurfaceSource {
  std::filesystem::path representations;       // see open_representations
  std::optional<std::filesystem::path> graph;  // see graph_file
  std::size_t most_bytes = 0;                  // of the places of tokens, as base64
  int threads = 1;
};

struct DrawnSurface {
  Graph graph;
  std::filesystem::path graph_file;  // A_{name}_labeled.csv
};

/// The page's data of one run's surface (web/surface.js and web/geometry.js read it):
///   nodes, labels [nodes] int32, degrees [nodes] uint16, edges [edges, 2] uint16, each edge once
///   rows, columns, sheets [nodes] int16: cells of the grid; null where the graph has none
///   angle [nodes] float32: around the surface's axis, radians; null where the graph has no coordinates
///   frames: {"array", "type", "layer", "points" [nodes, 3] int16, "shares"}: 32767 is as far from the centre as the
///   farthest token
///   geometry: what strider measure gives (geometry.json), or null
/// Arrays of numbers are base64. Throws Error where there is no graph or no representations; what else is not there
/// is named in `missing`.
nlohmann::ordered_json surface_json(const SurfaceSource& source, DrawnSurface& surface, Missing& missing);

}  // namespace strider
