#include "report/page/surface.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "base/exists.h"
#include "geometry/measure.h"
#include "geometry/representations.h"
#include "graph/cells.h"
#include "graph/sparse_file.h"
#include "io/json.h"
#include "io/npy.h"
#include "report/page/base64.h"
#include "report/page/frames.h"
#include "report/page/steps.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::size_t kMostDrawnNodes = 65'535;  // whose indices are uint16

template <typename T>
Json array_json(const std::vector<T>& values) {
  return base64_of<T>(values);
}

Json edges_json(const Graph& graph) {
  std::vector<std::uint16_t> ends;
  for (std::size_t node = 0; node < graph.size(); ++node) {
    for (const std::int32_t to : graph.neighbours_of(node)) {
      const auto other = static_cast<std::size_t>(to);
      const auto back = graph.neighbours_of(other);
      // Each edge once, and no edge from a node to itself.
      const bool is_told = other < node && std::ranges::binary_search(back, static_cast<std::int32_t>(node));
      if (other == node || is_told) continue;
      ends.push_back(static_cast<std::uint16_t>(node));
      ends.push_back(static_cast<std::uint16_t>(other));
    }
  }
  return array_json(ends);
}

Json names_json(const Representations& representations, const Graph& graph) {
  Json names = Json::array();
  bool differ = false;
  for (std::size_t node = 0; node < graph.size(); ++node) {
    const std::string& text = representations.text_of_row[static_cast<std::size_t>(representations.row_of_node[node])];
    differ = differ || text != std::to_string(graph.labels[node]);
    names.push_back(text);
  }
  return differ ? names : Json();
}

void add_cells(const fs::path& graph_file, const Graph& graph, Json& data, Missing& missing) {
  const std::string name = graph_name(graph_file);
  const fs::path file = graph_file.parent_path() / fmt::format("nodes_{}.csv", name);
  std::optional<Cells> cells;
  if (!name.empty() && path_exists(file)) {
    cells = read_cells(file, graph);
    if (!cells) missing.add(fmt::format("Rows and columns: {} does not give a cell for each node.", file.string()));
  } else {
    missing.add(
        fmt::format("Rows and columns: there is no nodes_{{name}}.csv beside {}; the flat view has the nodes in "
                    "the order of their ids.",
                    graph_file.string()));
  }
  data["rows"] = cells ? array_json(cells->rows) : Json();
  data["columns"] = cells ? array_json(cells->columns) : Json();
  data["sheets"] = cells ? array_json(cells->sheets) : Json();
}

void add_angle(const fs::path& graph_file, const Graph& graph, Json& data, Missing& missing) {
  data["angle"] = nullptr;
  const fs::path file = graph_file.parent_path() / fmt::format("coords_{}.npy", graph_name(graph_file));
  if (!path_exists(file)) return;
  try {
    const NpyArray<double> array = read_npy<double>(file);
    if (array.shape.size() != 2 || array.shape[0] != static_cast<std::int64_t>(graph.size()) || array.shape[1] < 2) {
      throw Error(fmt::format("Coordinates of shape [{}] for {} nodes", fmt::join(array.shape, ", "), graph.size()),
                  {.file = file.string(), .place = {}, .advice = {}});
    }
    const auto width = static_cast<std::size_t>(array.shape[1]);
    std::vector<float> angle(graph.size());
    for (std::size_t i = 0; i < graph.size(); ++i) {
      angle[i] = static_cast<float>(std::atan2(array.values[i * width + 1], array.values[i * width]));
      if (!std::isfinite(angle[i])) angle[i] = 0.0F;
    }
    data["angle"] = array_json(angle);
  } catch (const Error& error) {
    missing.add("The angle of nodes", error);
  }
}

// Whether a geometry.json is of these arrays and this graph.
bool is_of(const nlohmann::json& geometry, const Representations& representations, const Graph& graph) {
  if (!geometry.is_object() || geometry.value("nodes", 0) != std::ssize(graph.labels)) return false;
  const nlohmann::json layers = geometry.value("layers", nlohmann::json());
  if (!layers.is_array() || layers.size() != representations.arrays.size()) return false;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const LayerArray& array = representations.arrays[i];
    if (!layers[i].is_object() || layers[i].value("array", "") != array.name ||
        layers[i].value("crc32", "") != fmt::format("{:08x}", array.crc32)) {
      return false;
    }
  }
  return true;
}

Json geometry_of(const SurfaceSource& source, const Representations& representations, const Graph& graph,
                 Missing& missing) {
  const fs::path file = representations.file.parent_path() / "geometry.json";
  if (path_exists(file)) {
    try {
      const nlohmann::json there = read_json(file);
      if (is_of(there, representations, graph)) return Json::parse(there.dump());
    } catch (const Error&) {                      // damaged, so it is stale: measured again below
    } catch (const nlohmann::json::exception&) {  // not what strider measure writes: the same
    }
  }
  if (graph.size() > kMostNodesToMeasure) {
    missing.add(
        fmt::format("Geometry by layer: {} nodes take a while to measure. strider measure {} does it, and the "
                    "next report shows it.",
                    graph.size(), representations.file.parent_path().string()));
    return nullptr;
  }
  try {
    MeasureSettings settings;
    settings.representations = source.representations;
    settings.graph = source.graph;
    settings.threads = source.threads;
    return Json::parse(geometry_json(measure_geometry(settings)));
  } catch (const Error& error) {
    missing.add("Geometry by layer", error);
    return nullptr;
  }
}

// Without the places of files, which are of no use in a page that goes elsewhere.
Json shown_geometry(Json geometry) {
  if (!geometry.is_object()) return nullptr;
  for (const char* field : {"representations", "graph", "coordinates", "laplacian_eigenvalues"}) geometry.erase(field);
  for (Json& layer : geometry["layers"]) {
    layer.erase("crc32");
    for (auto& [name, value] : layer.items()) {
      if (value.is_number_float()) value = std::round(value.get<double>() * 1e6) / 1e6;
    }
  }
  return geometry;
}

}  // namespace

Json surface_json(const SurfaceSource& source, DrawnSurface& surface, Missing& missing) {
  const fs::path arrays_file = representations_file(source.representations);
  surface.graph_file = graph_file(source.graph, arrays_file);
  surface.graph = read_graph(surface.graph_file);
  const Graph& graph = surface.graph;
  if (graph.size() > kMostDrawnNodes || graph.size() < 2) {
    throw Error(fmt::format("A graph of {} nodes is not drawn", graph.size()),
                {.file = surface.graph_file.string(), .place = {}, .advice = {}});
  }
  Notices notices;
  const Representations representations = open_representations(source.representations, {}, graph, notices);
  for (const std::string& text : notices.texts()) missing.add(text);

  std::vector<std::uint16_t> degrees;
  for (std::size_t node = 0; node < graph.size(); ++node) {
    degrees.push_back(static_cast<std::uint16_t>(graph.neighbours_of(node).size()));
  }
  Json data = {{"nodes", graph.size()},
               {"labels", array_json(graph.labels)},
               {"degrees", array_json(degrees)},
               {"edges", edges_json(graph)}};
  data["names"] = names_json(representations, graph);
  add_cells(surface.graph_file, graph, data, missing);
  add_angle(surface.graph_file, graph, data, missing);
  // Where there are steps, they get what the last one's frames leave, and at the least the half.
  const bool has_steps = path_exists(source.steps);
  const std::size_t most_bytes = has_steps ? source.most_bytes / 2 : source.most_bytes;
  const auto arrays = arrays_that_fit(representations.arrays, graph.size(), most_bytes, missing);
  PlacesByArray places;
  data["frames"] = frames_json(representations, arrays, graph.size(), places, missing);
  const std::size_t left = source.most_bytes - std::min(source.most_bytes, frame_bytes(graph.size()) * arrays.size());
  const StepsSource steps{
      .folder = source.steps, .geometry = source.geometry, .most_bytes = left, .threads = source.threads};
  add_steps(steps, surface, places, data, missing);
  data["geometry"] = shown_geometry(geometry_of(source, representations, graph, missing));
  return data;
}

}  // namespace strider
