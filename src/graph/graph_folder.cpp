#include "graph/graph_folder.h"

#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>

#include "graph/coordinates.h"
#include "graph/distances.h"
#include "io/atomic_file.h"
#include "io/npy.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

// Calls write(node, row) with the row of the adjacency matrix of each node.
template <class Write>
void for_rows(const Graph& graph, const Write& write) {
  std::vector<std::int8_t> row(graph.size());
  for (std::size_t node = 0; node < graph.size(); ++node) {
    for (const std::int32_t next : graph.neighbours_of(node)) row[next] = 1;
    write(node, row);
    for (const std::int32_t next : graph.neighbours_of(node)) row[next] = 0;
  }
}

void write_labeled_adjacency(const fs::path& path, const Graph& graph) {
  AtomicFile file(path);
  std::string line;
  for (const std::int32_t label : graph.labels) line += fmt::format(",{}", label);
  file.write(line + "\n");
  for_rows(graph, [&](std::size_t node, const std::vector<std::int8_t>& row) {
    line = fmt::format("{}", graph.labels[node]);
    for (const std::int8_t edge : row) {
      line += ',';
      line += edge != 0 ? '1' : '0';
    }
    line += '\n';
    file.write(line);
  });
  file.commit();
}

void write_adjacency(const fs::path& path, const Graph& graph) {
  const auto nodes = static_cast<std::int64_t>(graph.size());
  NpyWriter<std::int8_t> file(path, {nodes, nodes});
  for_rows(graph, [&](std::size_t, const std::vector<std::int8_t>& row) { file.write(row); });
  file.commit();
}

// The reference's row of the pole lacks its id, so that pandas reads "S" as a column j; ours has all five columns.
void write_nodes(const fs::path& path, const SurfaceGraph& surface) {
  AtomicFile file(path);
  file.write("rowcol_index,node_id,i,j,layer\n");
  for (std::size_t i = 0; i < surface.nodes.size(); ++i) {
    const SurfaceNode& node = surface.nodes[i];
    file.write(fmt::format("{},{},{},{},{}\n", i, surface.graph.labels[i], node.row, node.column, node.layer));
  }
  file.commit();
}

void write_coordinates(const fs::path& csv, const fs::path& npy, const std::vector<Point>& points) {
  AtomicFile text(csv);
  NpyWriter<double> values(npy, {static_cast<std::int64_t>(points.size()), 3});
  for (const Point& point : points) {
    text.write(fmt::format("{:.18e},{:.18e},{:.18e}\n", point[0], point[1], point[2]));
    values.write(point);
  }
  text.commit();
  values.commit();
}

void write_distances(const fs::path& path, const Graph& graph) {
  const auto nodes = static_cast<std::int64_t>(graph.size());
  NpyWriter<double> file(path, {nodes, nodes});
  ShortestPaths paths(graph);
  std::vector<double> row(graph.size());
  for (std::size_t node = 0; node < graph.size(); ++node) {
    paths.from(node, row);
    file.write(row);
  }
  file.commit();
}

bool has_gaps(const Graph& graph) {
  for (std::size_t i = 0; i < graph.size(); ++i) {
    if (static_cast<std::size_t>(graph.labels[i]) != i) return true;
  }
  return false;
}

std::string graph_info(const Grid& grid, const WrittenGraph& written, const Graph& graph) {
  const std::string name = grid_name(grid);
  nlohmann::ordered_json info;
  info["topology"] = surface_type(grid.surface).name;
  info["H"] = grid.height;
  info["W"] = grid.width;
  info["neigh"] = grid.neigh;
  info["num_nodes"] = written.nodes;
  info["num_edges"] = written.edges;
  info["avg_degree"] = static_cast<double>(graph.neighbours.size()) / static_cast<double>(graph.size());
  // What LLM-Topo's file does not have: on surfaces whose ids leave gaps, which token a row is.
  if (has_gaps(graph)) info["token_id"] = graph.labels;
  nlohmann::ordered_json& files = info["files"];
  files["adjacency_matrix_labeled"] = fmt::format("A_{}_labeled.csv", name);
  files["adjacency_matrix_npy"] = fmt::format("A_{}.npy", name);
  files["nodes"] = fmt::format("nodes_{}.csv", name);
  files["coords_csv"] = fmt::format("coords_{}.csv", name);
  files["coords_npy"] = fmt::format("coords_{}.npy", name);
  files["distance_matrix"] = nullptr;
  if (written.distances) files["distance_matrix"] = fmt::format("distance_matrix_{}.npy", name);
  return info.dump(2);
}

}  // namespace

fs::path labeled_adjacency_file(const fs::path& folder, const std::string& name) {
  return folder / fmt::format("A_{}_labeled.csv", name);
}

WrittenGraph write_adjacency_files(const fs::path& folder, const std::string& name, const Graph& graph) {
  const fs::path labeled = labeled_adjacency_file(folder, name);
  const fs::path adjacency = folder / fmt::format("A_{}.npy", name);
  const fs::path distances = folder / fmt::format("distance_matrix_{}.npy", name);
  WrittenGraph written{graph.size(), graph.edges(), true, has_gaps(graph), {labeled, adjacency, distances}, {}};
  write_adjacency(adjacency, graph);
  write_distances(distances, graph);
  write_labeled_adjacency(labeled, graph);
  return written;
}

WrittenGraph write_graph_folder(const fs::path& folder, const Grid& grid) {
  const SurfaceGraph surface = make_surface_graph(grid);
  const Graph& graph = surface.graph;
  const std::string name = grid_name(grid);
  const fs::path labeled = labeled_adjacency_file(folder, name);
  const fs::path adjacency = folder / fmt::format("A_{}.npy", name);
  const fs::path nodes = folder / fmt::format("nodes_{}.csv", name);
  const fs::path coordinates_csv = folder / fmt::format("coords_{}.csv", name);
  const fs::path coordinates_npy = folder / fmt::format("coords_{}.npy", name);
  const fs::path distances = folder / fmt::format("distance_matrix_{}.npy", name);
  const fs::path info = folder / fmt::format("graph_info_{}.json", name);

  WrittenGraph written{graph.size(), graph.edges(), graph.size() <= kMostNodesWithDistances, has_gaps(graph), {}, {}};
  written.files = {labeled, adjacency, nodes, coordinates_csv, coordinates_npy};
  if (written.distances) written.files.push_back(distances);
  written.files.push_back(info);

  write_adjacency(adjacency, graph);
  write_nodes(nodes, surface);
  write_coordinates(coordinates_csv, coordinates_npy, surface_coordinates(grid));
  if (written.distances) write_distances(distances, graph);
  written.notices = write_file_atomically(info, graph_info(grid, written, graph));
  write_labeled_adjacency(labeled, graph);
  return written;
}

}  // namespace strider
