// strider graph: surfaces become graphs in files.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "cli/setting_options.h"
#include "graph/graph_facts.h"
#include "graph/graph_folder.h"
#include "graph/surface.h"
#include "graph_import/imported_folder.h"

namespace strider::cli {
namespace {

struct GraphSettings {
  Grid grid;
  std::string topology;
  std::string output_dir = "graph";  // "{name}" in it is replaced by the name of each graph
  std::filesystem::path from;        // a graph of the user's own; empty: a surface
  std::optional<bool> directed;      // whether its edges go one way; nothing: as the file says
};

std::filesystem::path folder_of(const GraphSettings& settings, const std::string& name) {
  constexpr std::string_view kName = "{name}";
  std::string folder = settings.output_dir;
  for (std::size_t at = folder.find(kName); at != std::string::npos; at = folder.find(kName, at)) {
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

// From which it shows when a column of times, say, was taken for the weights.
std::string weights_text(const Graph& graph) {
  if (!graph.is_weighted()) return {};
  const auto [least, most] = std::ranges::minmax_element(graph.weights);
  return fmt::format(", with weights from {:.12g} to {:.12g}", *least, *most);
}

// The graph of a file, under the name that the three options make.
void run_import(GraphSettings settings, bool as_json) {
  for (const SurfaceType& type : surface_types()) {
    if (settings.topology != type.name) continue;
    throw Error(
        fmt::format("{} is the name of a surface, and GRAPH_FROM (--from) names a graph of your own", type.name),
        {.file = {}, .place = {}, .advice = "Choose another TOPOLOGY (--topology) for it."});
  }
  // What 01a reads as several surfaces is no name either.
  if (settings.topology.empty() || settings.topology == "all" ||
      settings.topology.find_first_of("/,") != std::string::npos) {
    throw Error(fmt::format("\"{}\" is no name for a graph", settings.topology),
                {.file = {}, .place = {}, .advice = "TOPOLOGY (--topology) becomes part of the names of files."});
  }
  std::FILE* const out = as_json ? nullptr : stdout;
  const std::string name = fmt::format("{}_{}x{}", settings.topology, settings.grid.height, settings.grid.width);
  say(out, "[*] Reading {}\n", settings.from.string());
  show_now(out);
  const ImportedGraph imported = import_graph({.from = settings.from, .directed = settings.directed});
  const GraphFacts facts = graph_facts(imported.graph);
  say(out, "    Kind: {}, {}{}\n", imported.kind, imported.directed ? "edges go one way" : "edges go both ways",
      weights_text(imported.graph));
  say(out, "    {}\n", graph_size_text(imported.graph, facts));
  if (imported.repeated > 0) {
    say(out, "    {} edges came before{}\n", imported.repeated,
        imported.graph.is_weighted() ? "; their weights are added" : "");
  }
  if (!imported.names.empty()) {
    say(out, "    Names: from \"{}\" to \"{}\"; vocab_{}.json says which id each has\n", imported.names.front(),
        imported.names.back(), name);
  }
  Notices notices = imported.notices;
  for (const std::string& text : graph_notices(facts)) notices.add(text);
  const WrittenImport written = write_imported_graph(folder_of(settings, name), name, settings.from, imported);
  for (const std::filesystem::path& file : written.files) say(out, "    Saved: {}\n", file.string());
  if (!written.as_matrix) {
    say(out, "    Not saved: matrices as large as the square of more than {} nodes\n", kMostNodesAsMatrix);
  }
  notices.add(written.notices);
  if (!as_json) {
    print_notices(notices);
    return;
  }
  nlohmann::ordered_json files = nlohmann::ordered_json::array();
  for (const std::filesystem::path& file : written.files) files.push_back(file.string());
  const nlohmann::ordered_json graph = {{"name", name},
                                        {"from", settings.from.string()},
                                        {"kind", imported.kind},
                                        {"nodes", imported.graph.size()},
                                        {"edges", facts.edges},
                                        {"directed", imported.directed},
                                        {"weighted", imported.graph.is_weighted()},
                                        {"named", !imported.names.empty()},
                                        {"repeated_edges", imported.repeated},
                                        {"files", files}};
  say("{}\n", nlohmann::ordered_json{{"graphs", {graph}}, {"notices", notices.texts()}}.dump(2));
}

void run_graph(const GraphSettings& settings, bool as_json) {
  if (!settings.from.empty()) {
    run_import(settings, as_json);
    return;
  }
  if (settings.directed) {
    throw Error("DIRECTED (--directed) is of a graph of your own, and no GRAPH_FROM (--from) names one",
                {.file = {}, .place = {}, .advice = "Leave it out: the edges of a surface go both ways."});
  }
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
    graphs.push_back(make_graph(out, folder_of(settings, grid_name(grid)), grid, notices));
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
  help += "With --from, topology, H and W only name the graph.\n\n";
  help +=
      "Example: strider graph --from karate.txt --topology karate --H 1 --W 34 --output_dir "
      "results/karate_1x34/graph\n";
  help += "         strider graph --H 30 --W 40 --topology torus --output_dir results/torus_30x40/graph\n";
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
      Row("from", "GRAPH_FROM", path(&GraphSettings::from), any_value(),
          "A graph of your own instead: an edge list (text or CSV, with weights or not), Matrix Market, GraphML, "
          ".npy or .npz of scipy.sparse; text also compressed with gzip or zstd; nodes may have names"),
      Row("directed", "DIRECTED",
          choice(&GraphSettings::directed,
                 std::vector<std::pair<std::string, std::optional<bool>>>{
                     {"auto", std::nullopt}, {"true", true}, {"false", false}}),
          any_value(),
          "Whether the edges of GRAPH_FROM go one way; auto: as the file says, those of an edge list both ways"),
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
