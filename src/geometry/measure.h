#pragma once
// strider measure: how much of a graph's geometry is in representations of its nodes, layer by layer.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/notices.h"
#include "geometry/layer_measures.h"
#include "geometry/representations.h"

namespace strider {

struct GraphGeometry;
class PairMeasures;

/// Makes what computes over all pairs of nodes, for layers of up to `width` values a node.
using MakePairMeasures =
    std::function<std::unique_ptr<PairMeasures>(const GraphGeometry& graph, std::size_t width, std::size_t nearest)>;

struct MeasureSettings {
  std::filesystem::path representations;        // see open_representations
  std::optional<std::filesystem::path> graph;   // see graph_file
  std::optional<std::filesystem::path> output;  // for the JSON; nothing: geometry.json beside the representations
  std::vector<std::string> arrays;              // names or types; empty: all
  int nearest = 8;                              // nodes by cosine
  int threads = 1;
  MakePairMeasures pairs = {};  // empty: cpu_pair_measures
};

struct MeasuredLayer {
  LayerArray array;
  LayerMeasures measures;
};

struct GeometryReport {
  std::filesystem::path representations;             // .npz
  std::filesystem::path graph;                       // A_{name}_labeled.csv
  std::optional<std::filesystem::path> coordinates;  // coords_{name}.npy, where it exists
  std::filesystem::path output;                      // where the JSON belongs
  std::size_t nodes = 0, edges = 0;                  // edges count once, self-loops not
  std::size_t nearest = 0;
  std::vector<double> laplacian_eigenvalues;  // of the eigenvectors that layers are compared with
  LayerMeasures chance;
  std::vector<MeasuredLayer> layers;
  Notices notices;
};

/// Computes everything; writes nothing. The numbers do not depend on the number of threads, and on `pairs` only in
/// their last bits. Throws Error as
/// open_representations, graph_file, read_labeled_adjacency, read_layer and make_graph_geometry, for coordinates that
/// do not fit the graph, and where the memory is too small.
GeometryReport measure_geometry(const MeasureSettings& settings);

/// geometry.json, as README.md describes it. What is not defined is null.
std::string geometry_json(const GeometryReport& report);

}  // namespace strider
