#pragma once
// graph_{name}.npz: a graph as scipy.sparse.load_npz reads it, a matrix in compressed sparse rows with the weight of
// the edge from i to j in row i and column j: arrays indices, indptr, format ("csr"), shape and data, as scipy 1.0 and
// later write them. Node i has the label i.
#include <filesystem>
#include <string>

#include "graph/graph.h"

namespace strider {

std::filesystem::path sparse_graph_file(const std::filesystem::path& folder, const std::string& name);

/// The file appears whole. Weights are float64; int8 ones where the graph has none.
void write_sparse_graph(const std::filesystem::path& file, const Graph& graph);

struct ReadMatrix {
  Graph graph;
  std::size_t repeated = 0;  // entries of the same row and column, which are added
};

/// Formats csr, csc and coo. Entries of 0 are no edges; where all weights are the same the graph has none. Throws
/// Error: not such an archive, a matrix that is not square, a place outside of it, a negative weight or one that is not
/// finite, no node.
ReadMatrix read_sparse_graph(const std::filesystem::path& file);

/// A square matrix in a .npy file, of any type of number; the same errors.
ReadMatrix read_dense_graph(const std::filesystem::path& file);

/// The graph of a name in its folder: graph_{name}.npz where it exists, else A_{name}_labeled.csv. Throws Error as the
/// readers of both, and where both are there with other edges: then which is meant is not known.
Graph read_named_graph(const std::filesystem::path& folder, const std::string& name);
/// Either of them (graph_folder.h).
Graph read_graph(const std::filesystem::path& file);

}  // namespace strider
