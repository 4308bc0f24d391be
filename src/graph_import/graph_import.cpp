#include "graph_import/graph_import.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <numeric>

#include "base/error.h"
#include "base/exists.h"
#include "data/text_lines.h"
#include "graph/graph_facts.h"
#include "graph/sparse_file.h"
#include "graph_import/readers.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

enum class Kind { kEdgeList, kMatrixMarket, kGraphml, kDense, kSparse };

Kind kind_of(const fs::path& file) {
  TextLines lines(file, "graph");  // throws where there is no such file
  {
    std::ifstream stream(file, std::ios::binary);
    std::string start(6, '\0');
    stream.read(start.data(), static_cast<std::streamsize>(start.size()));
    start.resize(static_cast<std::size_t>(stream.gcount()));
    if (start == "\x93NUMPY") return Kind::kDense;
    if (start.starts_with("PK\x03\x04")) return Kind::kSparse;
  }
  if (lines.is_parquet()) {
    throw Error("This is a Parquet file, of which no graph is read",
                {.file = file.string(), .place = {}, .advice = "Write the edges as CSV, a line an edge."});
  }
  std::string_view line;
  while (lines.next(&line)) {
    const std::size_t first = line.find_first_not_of(" \t");
    if (first == std::string_view::npos) continue;
    line.remove_prefix(first);
    if (lower_case(line.substr(0, 14)) == "%%matrixmarket") return Kind::kMatrixMarket;
    if (line.starts_with("<")) return Kind::kGraphml;
    break;
  }
  return Kind::kEdgeList;
}

// Renumbers the edges from places in the order in which names came to ids, and returns the names in their order.
std::vector<std::string> number_nodes(NamedEdges& read, const fs::path& file) {
  if (read.names.empty()) return {};
  TokenIds ids;
  ids.reserve(read.names.size());
  for (const std::string& name : read.names) ids.emplace(name, 0);
  std::vector<std::string> names = number_names(ids, file);
  std::vector<std::int32_t> id_of_place;
  id_of_place.reserve(read.names.size());
  for (const std::string& name : read.names) id_of_place.push_back(ids.find(name)->second);
  for (Edge& edge : read.edges) {
    edge.from = id_of_place[static_cast<std::size_t>(edge.from)];
    edge.to = id_of_place[static_cast<std::size_t>(edge.to)];
  }
  if (are_ids(names)) return {};
  try {
    vocabulary_json(names);  // which is what they go into: before any of them is shown
  } catch (const Error& error) {
    throw Error(error.message(), {.file = file.string(), .place = {}, .advice = error.details().advice});
  }
  return names;
}

ImportedGraph of_named(NamedEdges read, const std::string& kind, const GraphImport& settings) {
  ImportedGraph imported;
  imported.kind = kind;
  imported.notices = read.notices;
  imported.names = number_nodes(read, settings.from);
  imported.directed = settings.directed.value_or(read.is_directed);
  GraphOfEdges made = graph_of_edges(read.nodes, std::move(read.edges), !imported.directed, read.is_weighted);
  check_weight_sums(made.graph, settings.from);
  imported.graph = std::move(made.graph);
  imported.repeated = made.repeated;
  if (made.equal_weights) imported.notices.add("All weights are the same, so the graph has none.");
  return imported;
}

ImportedGraph of_matrix(ReadMatrix read, const std::string& kind, const GraphImport& settings) {
  ImportedGraph imported;
  imported.kind = kind;
  imported.graph = std::move(read.graph);
  imported.repeated = read.repeated;
  imported.directed = !graph_facts(imported.graph).is_symmetric;
  if (!settings.directed.value_or(true) && imported.directed) {
    throw Error(
        "The matrix has entries whose way back is missing, and DIRECTED=false (--directed) asks for edges that go both "
        "ways",
        {.file = settings.from.string(), .place = {}, .advice = "Leave DIRECTED out; or write a symmetric matrix."});
  }
  return imported;
}

ImportedGraph read_any(const GraphImport& settings) {
  switch (kind_of(settings.from)) {
    case Kind::kMatrixMarket:
      return of_named(read_matrix_market(settings.from), "Matrix Market", settings);
    case Kind::kGraphml:
      return of_named(read_graphml(settings.from), "GraphML", settings);
    case Kind::kDense:
      return of_matrix(read_dense_graph(settings.from), "numpy matrix", settings);
    case Kind::kSparse:
      return of_matrix(read_sparse_graph(settings.from), "scipy matrix", settings);
    case Kind::kEdgeList:
      break;
  }
  return of_named(read_edge_list(settings.from), "edge list", settings);
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& letter : result) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return result;
}

std::int32_t NamePlaces::place_of(std::string_view name) {
  const auto found = places_.find(name);
  if (found != places_.end()) return found->second;
  if (names_.size() == kMostTokenNames) throw Error("there are more names than ids");
  const auto place = static_cast<std::int32_t>(names_.size());
  places_.emplace(name, place);
  names_.emplace_back(name);
  return place;
}

ImportedGraph import_graph(const GraphImport& settings) {
  ImportedGraph imported = read_any(settings);
  if (imported.graph.neighbours.empty()) {
    throw Error("there is no edge in it",
                {.file = settings.from.string(), .place = {}, .advice = "A walk needs edges to follow."});
  }
  const auto has_space = [](const std::string& name) { return name.find_first_of(" \t\r\n\v\f") != std::string::npos; };
  if (const auto spaced = std::ranges::find_if(imported.names, has_space); spaced != imported.names.end()) {
    imported.notices.add(fmt::format(
        "The name \"{}\" has white space in it, where a tokenizer ends a token: texts of walks cannot be read back.",
        *spaced));
  }
  return imported;
}

}  // namespace strider
