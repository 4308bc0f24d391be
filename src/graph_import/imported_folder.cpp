#include "graph_import/imported_folder.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/exists.h"
#include "data/token_names.h"
#include "graph/graph_facts.h"
#include "graph/graph_folder.h"
#include "graph/sparse_file.h"
#include "io/atomic_file.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

std::string info_json(const std::string& name, const fs::path& from, const ImportedGraph& imported,
                      const std::vector<fs::path>& files) {
  const GraphFacts facts = graph_facts(imported.graph);
  nlohmann::ordered_json info = {{"name", name},
                                 {"from", from.filename().string()},
                                 {"kind", imported.kind},
                                 {"num_nodes", imported.graph.size()},
                                 {"num_edges", facts.edges},
                                 {"directed", imported.directed},
                                 {"weighted", imported.graph.is_weighted()},
                                 {"named", !imported.names.empty()}};
  info["files"] = nlohmann::ordered_json::array();
  for (const fs::path& file : files) info["files"].push_back(file.filename().string());
  return info.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

fs::path graph_names_file(const fs::path& folder, const std::string& name) {
  return folder / fmt::format("vocab_{}.json", name);
}

WrittenImport write_imported_graph(const fs::path& folder, const std::string& name, const fs::path& from,
                                   const ImportedGraph& imported) {
  const fs::path sparse = sparse_graph_file(folder, name);
  const fs::path names = graph_names_file(folder, name);
  const fs::path info = folder / fmt::format("graph_info_{}.json", name);
  WrittenImport written;
  const std::string vocabulary = imported.names.empty() ? std::string() : vocabulary_json(imported.names);
  for (const fs::path& file :
       {sparse, names, labeled_adjacency_file(folder, name), folder / fmt::format("A_{}.npy", name),
        folder / fmt::format("distance_matrix_{}.npy", name)}) {
    written.notices.add(remove_atomically(file));
  }
  if (imported.graph.size() <= kMostNodesAsMatrix) {
    written.as_matrix = true;
    const WrittenGraph matrix = write_adjacency_files(folder, name, imported.graph);
    written.files = matrix.files;
    written.notices.add(matrix.notices);
  }
  if (!vocabulary.empty()) {
    written.notices.add(write_file_atomically(names, vocabulary));
    written.files.push_back(names);
  }
  written.files.push_back(info);
  written.files.push_back(sparse);
  written.notices.add(write_file_atomically(info, info_json(name, from, imported, written.files)));
  write_sparse_graph(sparse, imported.graph);
  return written;
}

std::vector<std::string> read_graph_names(const fs::path& folder, const std::string& name, std::size_t nodes) {
  const fs::path file = graph_names_file(folder, name);
  if (!path_exists(file)) return {};
  std::vector<std::string> names = read_vocabulary_names(file);
  if (names.size() == nodes) return names;
  throw Error(fmt::format("It names {} nodes, and the graph has {}", names.size(), nodes),
              {.file = file.string(), .place = {}, .advice = "Make the graph again (strider graph --from)."});
}

}  // namespace strider
