#pragma once
// The files of a graph that was imported, in the folder where strider walks finds them. With a name such as
// karate_1x34:
//   graph_{name}.npz             the graph with its weights, for scipy.sparse.load_npz (graph/sparse_file.h)
//   vocab_{name}.json            {name: id}, where nodes have names other than 0 to n-1
//   graph_info_{name}.json       what it was made from, and the names of these files
//   A_{name}_labeled.csv, A_{name}.npy, distance_matrix_{name}.npy
//                                as graph/graph_folder.h has them, without weights; not of graphs with more nodes than
//                                kMostNodesAsMatrix
#include <filesystem>
#include <string>
#include <vector>

#include "graph_import/graph_import.h"

namespace strider {

inline constexpr std::size_t kMostNodesAsMatrix = 4000;

struct WrittenImport {
  std::vector<std::filesystem::path> files;
  bool as_matrix = false;  // whether the last three were written
  Notices notices;
};

std::filesystem::path graph_names_file(const std::filesystem::path& folder, const std::string& name);

/// Each file appears whole, graph_{name}.npz last. Files of an earlier graph of that name that this one does not have
/// are removed before.
WrittenImport write_imported_graph(const std::filesystem::path& folder, const std::string& name,
                                   const std::filesystem::path& from, const ImportedGraph& imported);

/// The names of a graph's nodes; empty where they have none. Throws Error where there are not as many as nodes.
std::vector<std::string> read_graph_names(const std::filesystem::path& folder, const std::string& name,
                                          std::size_t nodes);

}  // namespace strider
