#pragma once
// The files of a graph, by the names, columns and types of LLM-Topo's stage 01a. With {name} = "torus_30x40":
//   A_{name}_labeled.csv        adjacency matrix; labels in the first row and the first column
//   A_{name}.npy                the same without labels, int8 [nodes, nodes]
//   nodes_{name}.csv            rowcol_index,node_id,i,j,layer
//   coords_{name}.csv, .npy     points in space, float64 [nodes, 3]
//   distance_matrix_{name}.npy  edges on the shortest path, float64 [nodes, nodes]; NaN where there is none
//   graph_info_{name}.json      what was made, and the names of these files
// Row r of every file is one node. Its label, which is its token id in walks, is r but on the sphere, where all
// boundary cells are one node: there graph_info has the list token_id, in which entry r is the token of row r.
#include <filesystem>
#include <string>
#include <vector>

#include "base/notices.h"
#include "graph/graph.h"
#include "graph/surface.h"

namespace strider {

/// Above this many nodes (a distance matrix of 1 GB) distances are not written, and graph_info says null.
inline constexpr std::size_t kMostNodesWithDistances = 11'000;

struct WrittenGraph {
  std::size_t nodes = 0;
  std::size_t edges = 0;
  bool distances = false;                    // whether they were written
  bool gaps = false;                         // whether row r is another token than r somewhere
  std::vector<std::filesystem::path> files;  // in the order above
  Notices notices;                           // what the filesystem could not do for them
};

/// Makes the graph of a grid and writes all of its files into `folder`; each appears whole, A_{name}_labeled.csv last.
/// Memory grows with the number of nodes, not with its square. Throws Error as check_grid and AtomicFile.
WrittenGraph write_graph_folder(const std::filesystem::path& folder, const Grid& grid);

/// A_{name}.npy, distance_matrix_{name}.npy and, last, A_{name}_labeled.csv, 0 and 1, of any graph: files as large as
/// the square of its nodes. Returns them in the order above, with what the filesystem could not do.
WrittenGraph write_adjacency_files(const std::filesystem::path& folder, const std::string& name, const Graph& graph);

/// Where read_labeled_adjacency finds the graph of that name.
std::filesystem::path labeled_adjacency_file(const std::filesystem::path& folder, const std::string& name);

/// Reads any adjacency matrix with labels: a first line with an empty cell and the labels, then a line for each node
/// with its label and a 0 or 1 for each node. Labels are token ids: integers from 0 to 2^31 - 2, each once, the same
/// from top to bottom as from left to right. Edges may go one way and from a node to itself. Throws Error that names
/// line and column (cells are counted from 1): no such file, a line of another number of cells, or what is none of
/// this.
Graph read_labeled_adjacency(const std::filesystem::path& file);

}  // namespace strider
