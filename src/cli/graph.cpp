// strider graph: surfaces become graphs in files.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
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

// `out` is null where JSON is printed.
nlohmann::ordered_json make_graph(std::FILE* out, const std::filesystem::path& folder, const Grid& grid,
                                  Notices& notices) {
  say(out, "[*] Generating graph: {} (H={}, W={}, neigh={})\n", surface_type(grid.surface).name, grid.height,
      grid.width, grid.neigh);
  const std::string warning = grid_warning(grid);
  if (!warning.empty()) say(out, "    Warning: {}\n", warning);
  show_now(out);
  const WrittenGraph written = write_graph_folder(folder, grid);
  say(out, "    Nodes: {}, Edges: {}\n", written.nodes, written.edges);
  nlohmann::ordered_json files = nlohmann::ordered_json::array();
  for (const std::filesystem::path& file : written.files) {
    say(out, "    Saved: {}\n", file.string());
    files.push_back(file.string());
  }
  if (written.gaps) {
    say(out, "    Token ids leave gaps: row r of every file is the token token_id[r] of graph_info_{}.json\n",
        grid_name(grid));
  }
  if (!written.distances) {
    say(out, "    Not saved: the distance matrix, since there are more than {} nodes ({:.1f} GB)\n",
        kMostNodesWithDistances, 8e-9 * static_cast<double>(written.nodes) * static_cast<double>(written.nodes));
  }
  say(out, "\n");
  notices.add(written.notices);
  nlohmann::ordered_json facts = {{"name", grid_name(grid)}, {"surface", surface_type(grid.surface).name},
                                  {"rows", grid.height},     {"columns", grid.width},
                                  {"neigh", grid.neigh},     {"nodes", written.nodes},
                                  {"edges", written.edges},  {"ids_have_gaps", written.gaps},
                                  {"files", files}};
  if (!warning.empty()) facts["warning"] = warning;
  return facts;
}

void run_graph(const GraphSettings& settings, bool as_json) {
  const std::vector<Surface> surfaces = parse_surfaces(settings.topology);
  Grid grid = settings.grid;
  std::string names;
  for (const Surface surface : surfaces) {  // all are checked before the first is made
    grid.surface = surface;
    check_grid(grid);
    names += fmt::format("{}{}", names.empty() ? "" : ", ", surface_type(surface).name);
  }
  std::FILE* const out = as_json ? nullptr : stdout;
  say(out, "Generating graphs for {} topolog{}: {}\n", surfaces.size(), surfaces.size() == 1 ? "y" : "ies", names);
  say(out, "Output directory: {}\n\n", settings.output_dir);
  Notices notices;
  nlohmann::ordered_json graphs = nlohmann::ordered_json::array();
  for (const Surface surface : surfaces) {
    grid.surface = surface;
    graphs.push_back(make_graph(out, folder_of(settings, grid), grid, notices));
  }
  if (as_json) {
    say("{}\n", nlohmann::ordered_json{{"graphs", graphs}, {"notices", notices.texts()}}.dump(2));
    return;
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
      Row("output_dir", "GRAPH_DIR", folder(&GraphSettings::output_dir), any_value(),
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
  auto as_json = std::make_shared<bool>(false);
  command->add_flag("--json", *as_json, "Print what was made as JSON, and nothing else");
  command->callback([settings, as_json] { run_graph(*settings, *as_json); });
}

}  // namespace strider::cli
