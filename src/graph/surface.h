#pragma once
// Surfaces made from a grid of cells by gluing its edges, and their graphs, as LLM-Topo's stage 01a makes them.
// Cell (i, j) of an H x W grid is row i, column j. What leaves the grid to the side comes back in on the other side:
// straight (in the same row) or flipped (in row H - 1 - i); what leaves above or below likewise.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace strider {

enum class Surface {
  kPlane,
  kCylinderX,
  kCylinderY,
  kMobiusX,
  kMobiusY,
  kTorus,
  kKleinX,
  kKleinY,
  kProjectivePlane,
  kSphereTwo,
  kHemisphereNorth,
  kHemisphereSouth,
  kSphere,
};

struct SurfaceType {
  Surface surface;
  std::string_view name;     // "torus"
  std::string_view meaning;  // for a person
};

/// All of them, in the order of the enumeration.
std::span<const SurfaceType> surface_types();
const SurfaceType& surface_type(Surface surface);

/// One name, names with commas between, or "all". Throws Error that lists the names.
std::vector<Surface> parse_surfaces(std::string_view names);

struct Grid {
  Surface surface = Surface::kTorus;
  std::int64_t height = 30;
  std::int64_t width = 40;
  int neigh = 8;  // 4: the cells above, below, left and right; 8: the diagonal ones too
};

/// "{surface}_{height}x{width}": the name in all files of a grid.
std::string grid_name(const Grid& grid);

/// The files of a graph hold nodes x nodes entries three times over.
inline constexpr std::int64_t kMostNodes = 40'000;

/// Throws Error: neigh other than 4 or 8, fewer than 2 rows or columns (3 for the sphere, whose outer cells are one
/// point), or more than kMostNodes nodes.
void check_grid(const Grid& grid);

/// A sentence when the grid is so small that its graph is none of the surface (opposite neighbours fall together); else
/// empty.
std::string grid_warning(const Grid& grid);

struct SurfaceNode {
  std::int64_t row = 0;     // of its cell; -1 for the pole of the sphere
  std::int64_t column = 0;  // "
  std::string_view layer;   // "single", "A" and "B" (the two sheets of sphere_two), "int" and "S" (sphere) ...
};

struct SurfaceGraph {
  Graph graph;
  std::vector<SurfaceNode> nodes;  // in the order of graph.labels
};

/// The label of a cell is row * width + column; those of sphere_two's second sheet go on from there; the pole of the
/// sphere has the next id after its last cell. Every edge goes both ways, none from a node to itself. Throws Error as
/// check_grid.
SurfaceGraph make_surface_graph(const Grid& grid);

}  // namespace strider
