#include "graph/sparse_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "base/error.h"
#include "base/exists.h"
#include "graph/edges.h"
#include "graph/graph_folder.h"
#include "io/raw_array.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostRows = 100'000'000;

[[noreturn]] void fail_on_matrix(const std::string& message, const fs::path& file, const std::string& place = {}) {
  throw Error(message, {.file = file.string(),
                        .place = place,
                        .advice = "Write a square matrix with scipy.sparse.save_npz or numpy.save."});
}

std::size_t square_size(const std::vector<std::int64_t>& shape, const fs::path& file) {
  const bool is_square = shape.size() == 2 && shape[0] == shape[1] && shape[0] > 0;
  if (!is_square) fail_on_matrix(fmt::format("A matrix of shape [{}] is no graph", fmt::join(shape, ", ")), file);
  if (shape[0] > kMostRows) fail_on_matrix(fmt::format("The graph has more than {} nodes", kMostRows), file);
  return static_cast<std::size_t>(shape[0]);
}

// Collects the edges of a matrix.
class Entries {
 public:
  Entries(std::size_t nodes, const fs::path& file) : nodes_(nodes), file_(file) {}

  void add(std::int64_t row, std::int64_t column, double weight) {
    if (weight == 0.0) return;
    const auto place = [&] { return fmt::format("row {}, column {}", row, column); };
    if (row < 0 || column < 0 || row >= static_cast<std::int64_t>(nodes_) ||
        column >= static_cast<std::int64_t>(nodes_)) {
      fail_on_matrix(fmt::format("This is outside of a matrix of {} rows", nodes_), file_, place());
    }
    if (!(weight > 0.0) || std::isinf(weight))
      fail_on_matrix(fmt::format("The weight {} is none of an edge", weight), file_, place());
    edges_.push_back({static_cast<std::int32_t>(row), static_cast<std::int32_t>(column), weight});
  }

  ReadMatrix graph() {
    GraphOfEdges made = graph_of_edges(nodes_, std::move(edges_), false, true);
    check_weight_sums(made.graph, file_);
    return {std::move(made.graph), made.repeated};
  }

 private:
  std::size_t nodes_;
  const fs::path& file_;
  std::vector<Edge> edges_;
};

// indptr [nodes + 1] with an entry (line, indices[k]) for each k of [indptr[line], indptr[line + 1]).
template <typename Add>
void read_lines(const fs::path& file, std::size_t nodes, const std::vector<double>& data, const Add& add) {
  const std::vector<std::int64_t> starts = as_integers(read_raw_npz(file, "indptr"), file, "indptr");
  const std::vector<std::int64_t> indices = as_integers(read_raw_npz(file, "indices"), file, "indices");
  if (starts.size() != nodes + 1 || starts.front() != 0 || starts.back() != static_cast<std::int64_t>(indices.size()) ||
      indices.size() != data.size()) {
    fail_on_matrix("indptr, indices and data do not go together", file);
  }
  for (std::size_t line = 0; line < nodes; ++line) {
    if (starts[line + 1] < starts[line] || starts[line + 1] > starts.back())
      fail_on_matrix("indptr does not ascend", file);
    for (std::int64_t k = starts[line]; k < starts[line + 1]; ++k) {
      const auto at = static_cast<std::size_t>(k);
      add(static_cast<std::int64_t>(line), indices[at], data[at]);
    }
  }
}

}  // namespace

fs::path sparse_graph_file(const fs::path& folder, const std::string& name) {
  return folder / fmt::format("graph_{}.npz", name);
}

void write_sparse_graph(const fs::path& file, const Graph& graph) {
  const std::vector<std::int64_t> starts(graph.offsets.begin(), graph.offsets.end());
  const auto size = static_cast<std::int64_t>(graph.size());
  const RawArray data = graph.is_weighted() ? raw_array_of("<f8", graph.weights)
                                            : raw_array_of("|i1", std::vector<std::int8_t>(graph.neighbours.size(), 1));
  const RawArray format{.dtype = "|S3", .fortran_order = false, .shape = {}, .bytes = "csr"};
  write_raw_npz(file, {{"indices", raw_array_of("<i4", graph.neighbours)},
                       {"indptr", raw_array_of("<i8", starts)},
                       {"format", format},
                       {"shape", raw_array_of("<i8", std::vector<std::int64_t>{size, size})},
                       {"data", data}});
}

ReadMatrix read_sparse_graph(const fs::path& file) {
  const std::string format = as_text(read_raw_npz(file, "format"), file, "format");
  const std::size_t nodes = square_size(as_integers(read_raw_npz(file, "shape"), file, "shape"), file);
  const std::vector<double> data = as_doubles(read_raw_npz(file, "data"), file, "data");
  Entries entries(nodes, file);
  if (format == "csr") {
    read_lines(file, nodes, data,
               [&](std::int64_t row, std::int64_t column, double w) { entries.add(row, column, w); });
  } else if (format == "csc") {
    read_lines(file, nodes, data,
               [&](std::int64_t column, std::int64_t row, double w) { entries.add(row, column, w); });
  } else if (format == "coo") {
    const std::vector<std::int64_t> rows = as_integers(read_raw_npz(file, "row"), file, "row");
    const std::vector<std::int64_t> columns = as_integers(read_raw_npz(file, "col"), file, "col");
    if (rows.size() != data.size() || columns.size() != data.size())
      fail_on_matrix("row, col and data do not go together", file);
    for (std::size_t i = 0; i < data.size(); ++i) entries.add(rows[i], columns[i], data[i]);
  } else {
    fail_on_matrix(fmt::format("Matrices of the format {} are not read", format), file, "format");
  }
  return entries.graph();
}

ReadMatrix read_dense_graph(const fs::path& file) {
  const RawArray array = read_raw_npy(file);
  const std::size_t nodes = square_size(array.shape, file);
  const std::vector<double> values = as_doubles(array, file, {});
  Entries entries(nodes, file);
  for (std::size_t row = 0; row < nodes; ++row) {
    for (std::size_t column = 0; column < nodes; ++column) {
      const double weight = values[array.fortran_order ? column * nodes + row : row * nodes + column];
      entries.add(static_cast<std::int64_t>(row), static_cast<std::int64_t>(column), weight);
    }
  }
  return entries.graph();
}

Graph read_graph(const fs::path& file) {
  return file.extension() == ".npz" ? read_sparse_graph(file).graph : read_labeled_adjacency(file);
}

Graph read_named_graph(const fs::path& folder, const std::string& name) {
  const fs::path sparse = sparse_graph_file(folder, name), labeled = labeled_adjacency_file(folder, name);
  if (!path_exists(sparse)) return read_graph(labeled);
  Graph graph = read_graph(sparse);
  if (!path_exists(labeled)) return graph;
  const Graph other = read_graph(labeled);
  if (other.labels == graph.labels && other.offsets == graph.offsets && other.neighbours == graph.neighbours)
    return graph;
  throw Error(fmt::format("There are two graphs of this name, with other edges: {} and {}", sparse.filename().string(),
                          labeled.filename().string()),
              {.file = folder.string(), .place = {}, .advice = "Remove the one that is not meant."});
}

}  // namespace strider
