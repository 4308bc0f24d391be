#pragma once
// The cells of a grid that a graph's nodes are, from nodes_{name}.csv: rowcol_index,node_id,i,j,layer, where the layer
// is a name ("single", or which half of a sphere).
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace strider {

/// [nodes] each; a sheet is a layer's number in the order in which they come.
struct Cells {
  std::vector<std::int16_t> rows, columns, sheets;
};

/// "torus_30x40" of A_torus_30x40_labeled.csv or graph_torus_30x40.npz; empty for a file of another name.
std::string graph_name(const std::filesystem::path& file);

/// Nothing where the file does not give a cell for each node.
std::optional<Cells> read_cells(const std::filesystem::path& file, const Graph& graph);

}  // namespace strider
