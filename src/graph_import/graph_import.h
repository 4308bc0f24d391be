#pragma once
// Graphs in the kinds of files that people have:
//   edge list      a line an edge: two names, and a weight or not, with white space, commas or semicolons between; with
//   a
//                  header or not (source, target, weight; from, to; ...), which may have other columns too; lines that
//                  begin with # or % are comments (SNAP, KONECT)
//   Matrix Market  coordinate matrices of real, integer or pattern entries, general or symmetric
//                  (math.nist.gov/MatrixMarket/formats.html)
//   GraphML        nodes and edges (graphml.graphdrawing.org), weights in the key whose attr.name is "weight"
//   matrices       .npy of numpy, .npz of scipy.sparse (graph/sparse_file.h): weights of the edges from row to column
// Text also compressed with gzip or zstd. The kind is found out from the file's first bytes and its name.
//
// Names of nodes are numbered as tokens are (data/token_names.h). Edges that come several times are one; their weights
// add up. A graph whose weights are all the same has none.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/notices.h"
#include "graph/graph.h"

namespace strider {

struct GraphImport {
  std::filesystem::path from;
  // Whether edges go one way. Nothing: as the file says; edge lists, which do not, go both ways.
  std::optional<bool> directed;
};

struct ImportedGraph {
  Graph graph;                     // node i has the label i
  std::string kind;                // "edge list", "Matrix Market", ...
  std::vector<std::string> names;  // of each node; empty: they are 0 to n-1
  bool directed = false;
  std::size_t repeated = 0;  // edges that came before
  Notices notices;
};

/// Throws Error with file, line and what was read: no such file, a line that is no edge, a weight that is not above 0,
/// two names that are the same number, no edge at all.
ImportedGraph import_graph(const GraphImport& settings);

}  // namespace strider
