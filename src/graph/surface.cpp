#include "graph/surface.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"

namespace strider {
namespace {

constexpr std::array<SurfaceType, 13> kTypes = {{
    {Surface::kPlane, "plane", "flat, open on all sides"},
    {Surface::kCylinderX, "cylinder_x", "left and right edges glued"},
    {Surface::kCylinderY, "cylinder_y", "top and bottom edges glued"},
    {Surface::kMobiusX, "mobius_x", "Moebius strip: left and right edges glued with a flip"},
    {Surface::kMobiusY, "mobius_y", "Moebius strip: top and bottom edges glued with a flip"},
    {Surface::kTorus, "torus", "both pairs of edges glued"},
    {Surface::kKleinX, "klein_x", "Klein bottle: left and right glued with a flip, top and bottom straight"},
    {Surface::kKleinY, "klein_y", "Klein bottle: top and bottom glued with a flip, left and right straight"},
    {Surface::kProjectivePlane, "proj_plane", "both pairs of edges glued with a flip"},
    {Surface::kSphereTwo, "sphere_two", "two sheets glued along their boundaries"},
    {Surface::kHemisphereNorth, "hemisphere_n", "northern half of a sphere, open"},
    {Surface::kHemisphereSouth, "hemisphere_s", "southern half of a sphere, open"},
    {Surface::kSphere, "sphere", "all boundary cells are one point, the pole"},
}};

enum class Glue { kOpen, kStraight, kFlipped };

struct Glues {
  Glue sides = Glue::kOpen;  // left and right edge
  Glue ends = Glue::kOpen;   // top and bottom edge
};

Glues glues_of(Surface surface) {
  switch (surface) {
    case Surface::kCylinderX:
      return {Glue::kStraight, Glue::kOpen};
    case Surface::kCylinderY:
      return {Glue::kOpen, Glue::kStraight};
    case Surface::kMobiusX:
      return {Glue::kFlipped, Glue::kOpen};
    case Surface::kMobiusY:
      return {Glue::kOpen, Glue::kFlipped};
    case Surface::kTorus:
      return {Glue::kStraight, Glue::kStraight};
    case Surface::kKleinX:
      return {Glue::kFlipped, Glue::kStraight};
    case Surface::kKleinY:
      return {Glue::kStraight, Glue::kFlipped};
    case Surface::kProjectivePlane:
      return {Glue::kFlipped, Glue::kFlipped};
    default:
      return {};
  }
}

struct Cell {
  std::int64_t row = 0;
  std::int64_t column = 0;
};

bool inside(Cell cell, const Grid& grid) {
  return 0 <= cell.row && cell.row < grid.height && 0 <= cell.column && cell.column < grid.width;
}

// The cell that `cell`, one step outside the grid, is identified with; nothing at an open edge. A flip through the
// sides can leave a corner outside above or below, so the ends come second.
std::optional<Cell> glued(Cell cell, const Grid& grid, Glues glues) {
  if (cell.column < 0 || cell.column >= grid.width) {
    if (glues.sides == Glue::kOpen) return std::nullopt;
    cell.column = cell.column < 0 ? grid.width - 1 : 0;
    if (glues.sides == Glue::kFlipped) cell.row = grid.height - 1 - cell.row;
  }
  if (cell.row < 0 || cell.row >= grid.height) {
    if (glues.ends == Glue::kOpen) return std::nullopt;
    cell.row = cell.row < 0 ? grid.height - 1 : 0;
    if (glues.ends == Glue::kFlipped) cell.column = grid.width - 1 - cell.column;
  }
  return cell;
}

// The boundary of a sheet as a ring: along the top row, down the right side, back along the bottom, up the left side.
std::int64_t ring_length(const Grid& grid) {
  return 2 * (grid.height + grid.width) - 4;
}

std::int64_t ring_place(Cell cell, const Grid& grid) {
  if (cell.row == 0) return cell.column;
  if (cell.column == grid.width - 1 && cell.row < grid.height - 1) return grid.width + cell.row - 1;
  if (cell.row == grid.height - 1) return grid.width + (grid.height - 2) + (grid.width - 1 - cell.column);
  return 2 * grid.width + (grid.height - 2) + (grid.height - 2 - cell.row);
}

Cell ring_cell(std::int64_t place, const Grid& grid) {
  if (place < grid.width) return {0, place};
  place -= grid.width;
  if (place < grid.height - 2) return {1 + place, grid.width - 1};
  place -= grid.height - 2;
  if (place < grid.width) return {grid.height - 1, grid.width - 1 - place};
  place -= grid.width;
  return {grid.height - 2 - place, 0};
}

// Edges in both directions, sorted and each once when they become a graph.
class Edges {
 public:
  explicit Edges(std::size_t nodes) : rows_(nodes) {}

  void add(std::int64_t from, std::int64_t to) {
    if (from == to) return;
    rows_[from].push_back(static_cast<std::int32_t>(to));
    rows_[to].push_back(static_cast<std::int32_t>(from));
  }

  Graph graph(std::vector<std::int32_t> labels) {
    Graph graph;
    graph.labels = std::move(labels);
    graph.offsets.push_back(0);
    for (std::vector<std::int32_t>& row : rows_) {
      std::sort(row.begin(), row.end());
      row.erase(std::unique(row.begin(), row.end()), row.end());
      graph.neighbours.insert(graph.neighbours.end(), row.begin(), row.end());
      graph.offsets.push_back(graph.neighbours.size());
    }
    return graph;
  }

 private:
  std::vector<std::vector<std::int32_t>> rows_;
};

template <class Visit>
void for_neighbours(Cell cell, const Grid& grid, const Visit& visit) {
  for (std::int64_t down = -1; down <= 1; ++down) {
    for (std::int64_t right = -1; right <= 1; ++right) {
      const bool straight = (down == 0) != (right == 0);
      const bool diagonal = down != 0 && right != 0;
      if (straight || (diagonal && grid.neigh == 8)) visit(Cell{cell.row + down, cell.column + right});
    }
  }
}

template <class Visit>
void for_cells(const Grid& grid, std::int64_t margin, const Visit& visit) {
  for (std::int64_t row = margin; row < grid.height - margin; ++row) {
    for (std::int64_t column = margin; column < grid.width - margin; ++column) visit(Cell{row, column});
  }
}

std::vector<std::int32_t> count_up(std::size_t count) {
  std::vector<std::int32_t> labels(count);
  for (std::size_t i = 0; i < count; ++i) labels[i] = static_cast<std::int32_t>(i);
  return labels;
}

SurfaceGraph make_glued(const Grid& grid, std::string_view layer) {
  const Glues glues = glues_of(grid.surface);
  const auto count = static_cast<std::size_t>(grid.height * grid.width);
  SurfaceGraph result;
  Edges edges(count);
  for_cells(grid, 0, [&](Cell cell) {
    result.nodes.push_back({cell.row, cell.column, layer});
    for_neighbours(cell, grid, [&](Cell next) {
      const std::optional<Cell> to = glued(next, grid, glues);
      if (to) edges.add(cell.row * grid.width + cell.column, to->row * grid.width + to->column);
    });
  });
  result.graph = edges.graph(count_up(count));
  return result;
}

// A step out of a sheet lands on the other one: on the boundary cell that mirrors, along the ring, the one it left
// from.
SurfaceGraph make_two_sheets(const Grid& grid) {
  const std::int64_t sheet = grid.height * grid.width;
  SurfaceGraph result;
  Edges edges(static_cast<std::size_t>(2 * sheet));
  for (std::int64_t layer = 0; layer < 2; ++layer) {
    for_cells(grid, 0, [&](Cell cell) {
      result.nodes.push_back({cell.row, cell.column, layer == 0 ? "A" : "B"});
      const std::int64_t from = layer * sheet + cell.row * grid.width + cell.column;
      for_neighbours(cell, grid, [&](Cell next) {
        if (inside(next, grid)) {
          edges.add(from, layer * sheet + next.row * grid.width + next.column);
          return;
        }
        const Cell edge{std::clamp<std::int64_t>(next.row, 0, grid.height - 1),
                        std::clamp<std::int64_t>(next.column, 0, grid.width - 1)};
        const std::int64_t ring = ring_length(grid);
        const Cell mirrored = ring_cell((ring - ring_place(edge, grid)) % ring, grid);
        edges.add(from, (1 - layer) * sheet + mirrored.row * grid.width + mirrored.column);
      });
    });
  }
  result.graph = edges.graph(count_up(static_cast<std::size_t>(2 * sheet)));
  return result;
}

SurfaceGraph make_pole_sphere(const Grid& grid) {
  const std::int64_t inner_width = grid.width - 2;
  const std::int64_t pole = (grid.height - 2) * inner_width;
  const auto is_inner = [&](Cell cell) {
    return 0 < cell.row && cell.row < grid.height - 1 && 0 < cell.column && cell.column < grid.width - 1;
  };
  const auto node_of = [&](Cell cell) {
    return is_inner(cell) ? (cell.row - 1) * inner_width + cell.column - 1 : pole;
  };
  SurfaceGraph result;
  std::vector<std::int32_t> labels;
  Edges edges(static_cast<std::size_t>(pole + 1));
  for_cells(grid, 1, [&](Cell cell) {
    result.nodes.push_back({cell.row, cell.column, "int"});
    labels.push_back(static_cast<std::int32_t>(cell.row * grid.width + cell.column));
    for_neighbours(cell, grid, [&](Cell next) { edges.add(node_of(cell), node_of(next)); });
  });
  result.nodes.push_back({-1, -1, "S"});
  labels.push_back(labels.back() + 1);
  result.graph = edges.graph(std::move(labels));
  return result;
}

[[noreturn]] void fail_unknown(std::string_view name) {
  std::string names;
  for (const SurfaceType& type : kTypes) names += fmt::format("{}{}", names.empty() ? "" : ", ", type.name);
  throw Error(fmt::format("unknown topology '{}'", name),
              {.file = {}, .place = {}, .advice = fmt::format("Use one of these, or all: {}.", names)});
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::int64_t node_count(const Grid& grid) {
  if (grid.surface == Surface::kSphereTwo) return 2 * grid.height * grid.width;
  if (grid.surface == Surface::kSphere) return (grid.height - 2) * (grid.width - 2) + 1;
  return grid.height * grid.width;
}

}  // namespace

std::span<const SurfaceType> surface_types() {
  return kTypes;
}

const SurfaceType& surface_type(Surface surface) {
  return kTypes[static_cast<std::size_t>(surface)];
}

std::vector<Surface> parse_surfaces(std::string_view names) {
  std::vector<Surface> surfaces;
  if (trimmed(names) == "all") {
    for (const SurfaceType& type : kTypes) surfaces.push_back(type.surface);
    return surfaces;
  }
  while (true) {
    const std::size_t comma = names.find(',');
    const std::string_view name = trimmed(names.substr(0, comma));
    const auto* const type =
        std::find_if(kTypes.begin(), kTypes.end(), [&](const SurfaceType& t) { return t.name == name; });
    if (type == kTypes.end()) fail_unknown(name);
    if (std::find(surfaces.begin(), surfaces.end(), type->surface) == surfaces.end()) surfaces.push_back(type->surface);
    if (comma == std::string_view::npos) return surfaces;
    names.remove_prefix(comma + 1);
  }
}

std::string grid_name(const Grid& grid) {
  return fmt::format("{}_{}x{}", surface_type(grid.surface).name, grid.height, grid.width);
}

void check_grid(const Grid& grid) {
  const std::string_view name = surface_type(grid.surface).name;
  if (grid.neigh != 4 && grid.neigh != 8) {
    throw Error(fmt::format("a cell has 4 or 8 neighbours, not {}", grid.neigh),
                {.file = {}, .place = {}, .advice = "Set NEIGH to 4 or 8."});
  }
  const std::int64_t least = grid.surface == Surface::kSphere ? 3 : 2;
  if (grid.height < least || grid.width < least) {
    throw Error(fmt::format("a grid of {} x {} cells makes no {}", grid.height, grid.width, name),
                {.file = {}, .place = {}, .advice = fmt::format("Set H and W to {} or more.", least)});
  }
  if (std::max(grid.height, grid.width) > kMostNodes || node_count(grid) > kMostNodes) {
    throw Error(fmt::format("a {} of {} x {} cells has more than {} nodes", name, grid.height, grid.width, kMostNodes),
                {.file = {}, .place = {}, .advice = "Set H and W lower: a graph's files hold nodes x nodes entries."});
  }
}

std::string grid_warning(const Grid& grid) {
  const Glues glues = glues_of(grid.surface);
  const bool glued_whole = grid.surface == Surface::kSphere || grid.surface == Surface::kSphereTwo;
  const std::int64_t for_glued = grid.surface == Surface::kSphere ? 4 : 3;
  const std::int64_t least_height = glued_whole || glues.ends != Glue::kOpen ? for_glued : 2;
  const std::int64_t least_width = glued_whole || glues.sides != Glue::kOpen ? for_glued : 2;
  if (grid.height >= least_height && grid.width >= least_width) return {};
  return fmt::format("a grid of {} x {} cells is too small for its graph to be a {}: neighbours fall together.",
                     grid.height, grid.width, surface_type(grid.surface).name);
}

SurfaceGraph make_surface_graph(const Grid& grid) {
  check_grid(grid);
  switch (grid.surface) {
    case Surface::kSphereTwo:
      return make_two_sheets(grid);
    case Surface::kSphere:
      return make_pole_sphere(grid);
    case Surface::kHemisphereNorth:
    case Surface::kHemisphereSouth:
      return make_glued(grid, surface_type(grid.surface).name);
    default:
      return make_glued(grid, "single");
  }
}

}  // namespace strider
