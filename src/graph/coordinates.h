#pragma once
// Where the nodes of a surface lie in space: the parametrizations that LLM-Topo's stage 01a draws its surfaces with.
#include <array>
#include <vector>

#include "graph/surface.h"

namespace strider {

using Point = std::array<double, 3>;

/// One point for each node of make_surface_graph(grid), in its order. `grid` is one that check_grid lets through.
std::vector<Point> surface_coordinates(const Grid& grid);

}  // namespace strider
