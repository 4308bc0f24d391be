// strider graph: surfaces become graphs in files.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/say.h"
#include "cli/setting_options.h"
#include "graph/graph_folder.h"
#include "graph/surface.h"

namespace strider::cli {
namespace {

struct GraphSettings {
  Grid grid;
  std::string topology;
  std::string output_dir = "graph";  // "{name}" in it is replaced by the name of each graph
};

std::filesystem::path folder_of(const GraphSettings& settings, const Grid& grid) {
  constexpr std::string_view kName = "{name}";
  std::string folder = settings.output_dir;
  for (std::size_t at = folder.find(kName); at != std::string::npos; at = folder.find(kName, at)) {
    const std::string name = grid_name(grid);
    folder.replace(at, kName.size(), name);
    at += name.size();
  }
  return folder;
}

Notices make_graph(const std::filesystem::path& folder, const Grid& grid) {
  say("[*] Generating graph: {} (H={}, W={}, neigh={})\n", surface_type(grid.surface).name, grid.height, grid.width,
      grid.neigh);
  const std::string warning = grid_warning(grid);
  if (!warning.empty()) say("    Warning: {}\n", warning);
  std::fflush(stdout);
  const WrittenGraph written = write_graph_folder(folder, grid);
  say("    Nodes: {}, Edges: {}\n", written.nodes, written.edges);
  for (const std::filesystem::path& file : written.files) say("    Saved: {}\n", file.string());
  if (written.gaps) {
    say("    Token ids leave gaps: row r of every file is the token token_id[r] of graph_info_{}.json\n",
        grid_name(grid));
  }
  if (!written.distances) {
    say("    Not saved: the distance matrix, since there are more than {} nodes ({:.1f} GB)\n", kMostNodesWithDistances,
        8e-9 * static_cast<double>(written.nodes) * static_cast<double>(written.nodes));
  }
  say("\n");
  return written.notices;
}

void run_graph(const GraphSettings& settings) {
  const std::vector<Surface> surfaces = parse_surfaces(settings.topology);
  Grid grid = settings.grid;
  std::string names;
  for (const Surface surface : surfaces) {  // all are checked before the first is made
    grid.surface = surface;
    check_grid(grid);
    names += fmt::format("{}{}", names.empty() ? "" : ", ", surface_type(surface).name);
  }
  say("Generating graphs for {} topolog{}: {}\n", surfaces.size(), surfaces.size() == 1 ? "y" : "ies", names);
  say("Output directory: {}\n\n", settings.output_dir);
  Notices notices;
  for (const Surface surface : surfaces) {
    grid.surface = surface;
    notices.add(make_graph(folder_of(settings, grid), grid));
  }
  print_notices(notices);
  say("All graphs generated. See: {}\n", std::filesystem::absolute(settings.output_dir).lexically_normal().string());
}

std::string surfaces_help() {
  std::string help = "Surfaces, glued from a grid of H rows and W columns:\n";
  for (const SurfaceType& type : surface_types()) help += fmt::format("  {:<14}{}\n", type.name, type.meaning);
  help +=
      "\nNode ids are row * W + column; they are the tokens of walks. The pole of the sphere has the next id "
      "after\nits last cell, and its boundary cells none.\n\n";
  help += "Example: strider graph --H 30 --W 40 --topology torus --output_dir results/torus_30x40/graph\n";
  return help;
}

std::vector<Setting<Grid>> grid_table() {
  using namespace settings;
  using Row = Setting<Grid>;
  return {
      Row("H", "H", number(&Grid::height), any_value(), "Rows of the grid").required(),
      Row("W", "W", number(&Grid::width), any_value(), "Columns of the grid").required(),
      Row("neigh", "NEIGH", number(&Grid::neigh), any_value(), "Neighbours of a cell: 4, or 8 with the diagonal ones"),
  };
}

std::vector<Setting<GraphSettings>> place_table() {
  using namespace settings;
  using Row = Setting<GraphSettings>;
  return {
      Row("topology", "TOPOLOGY", text(&GraphSettings::topology), any_value(),
          "Surface: a name, names with commas between, or all (see below)")
          .required(),
      Row("output_dir", "GRAPH_DIR", text(&GraphSettings::output_dir), any_value(),
          "Folder for the graph's files; {name} in it is replaced by the name of each graph, such as torus_30x40"),
  };
}

}  // namespace

void add_graph_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("graph", "Make the graph of a surface: edges, coordinates, distances");
  auto settings = std::make_shared<GraphSettings>();
  add_settings(*command, grid_table(), settings->grid);
  add_settings(*command, place_table(), *settings);
  command->footer(surfaces_help());
  command->callback([settings] { run_graph(*settings); });
}

}  // namespace strider::cli
