// Reads adjacency matrices with labels (graph_folder.h).
#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/error.h"
#include "base/exists.h"
#include "base/whole_number.h"
#include "graph/graph_folder.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::int32_t kLargestLabel = std::numeric_limits<std::int32_t>::max() - 1;

struct Position {
  std::size_t line = 1;
  std::size_t column = 1;
};

class AdjacencyReader {
 public:
  explicit AdjacencyReader(fs::path file) : file_(std::move(file)), stream_(file_, std::ios::binary) {
    if (!path_exists(file_)) {
      throw Error("Graph file not found", {.file = file_.string(),
                                           .place = {},
                                           .advice = "Please run 01a_graph_generation.sh (or strider graph) first to "
                                                     "create the graph representation."});
    }
    if (!stream_ || is_folder(file_)) {
      throw system_error("Cannot read the graph file", errno, {.file = file_.string(), .place = {}, .advice = {}});
    }
  }

  Graph read() {
    Graph graph;
    read_header(graph);
    graph.offsets.push_back(0);
    while (next_line()) {
      if (line_.empty()) continue;
      read_row(graph);
    }
    if (stream_.bad()) fail("The graph file cannot be read to its end", {position_.line, 1});
    if (graph.offsets.size() != graph.labels.size() + 1) {
      fail(fmt::format("The first line has {} labels, but {} rows follow", graph.labels.size(),
                       graph.offsets.size() - 1),
           {position_.line, 1});
    }
    return graph;
  }

 private:
  [[noreturn]] void fail(const std::string& message, Position position) const {
    throw Error(message, {.file = file_.string(),
                          .place = fmt::format("line {}, column {}", position.line, position.column),
                          .advice = "An adjacency matrix has the nodes' labels (integers from 0) in its first line and "
                                    "first column, and 0 or 1 elsewhere; weights are not read."});
  }

  bool next_line() {
    if (!std::getline(stream_, line_)) return false;
    position_ = {++lines_, 0};
    if (!line_.empty() && line_.back() == '\r') line_.pop_back();
    rest_ = line_;
    ended_ = false;
    return true;
  }

  // The next cell of the line, without white space and quotes around it; nothing at its end.
  std::optional<std::string_view> next_cell() {
    if (ended_) return std::nullopt;
    ++position_.column;
    const std::size_t comma = rest_.find(',');
    std::string_view cell = rest_.substr(0, comma);
    ended_ = comma == std::string_view::npos;
    if (!ended_) rest_.remove_prefix(comma + 1);
    while (!cell.empty() && (cell.front() == ' ' || cell.front() == '\t')) cell.remove_prefix(1);
    while (!cell.empty() && (cell.back() == ' ' || cell.back() == '\t')) cell.remove_suffix(1);
    if (cell.size() >= 2 && cell.front() == '"' && cell.back() == '"') cell = cell.substr(1, cell.size() - 2);
    return cell;
  }

  std::int32_t label(std::string_view cell) const {
    const std::optional<std::int64_t> value = parse_whole_number(cell);
    if (!value || *value < 0 || *value > kLargestLabel) {
      fail(fmt::format("'{}' is no label: labels are token ids, integers from 0 to {}", cell, kLargestLabel),
           position_);
    }
    return static_cast<std::int32_t>(*value);
  }

  // 0 or 1, or what pandas makes of them: 1.0 in a matrix of floating point, True in one of booleans.
  bool edge(std::string_view cell) const {
    if (cell == "0" || cell == "False") return false;
    if (cell == "1" || cell == "True") return true;
    const std::optional<std::int64_t> value = parse_whole_number(cell);
    if (value != 0 && value != 1) fail(fmt::format("'{}' where a 0 or a 1 is expected", cell), position_);
    return value == 1;
  }

  void read_header(Graph& graph) {
    if (!next_line()) fail("The graph file is empty", {1, 1});
    if (rest_.starts_with(kByteOrderMark)) rest_.remove_prefix(kByteOrderMark.size());
    next_cell();  // the corner: empty, or a name for the labels
    std::unordered_set<std::int32_t> known;
    while (const std::optional<std::string_view> cell = next_cell()) {
      const std::int32_t value = label(*cell);
      if (!known.insert(value).second) fail(fmt::format("Label {} is here a second time", value), position_);
      graph.labels.push_back(value);
    }
    if (graph.labels.empty()) fail("The first line has no labels", {1, 1});
  }

  void read_row(Graph& graph) {
    const std::size_t row = graph.offsets.size() - 1;
    const std::size_t nodes = graph.labels.size();
    if (row >= nodes) fail(fmt::format("There are more rows than the {} labels of the first line", nodes), {lines_, 1});
    const std::int32_t value = label(*next_cell());
    if (value != graph.labels[row]) {
      fail(fmt::format("The row of label {} is where the first line asks for that of {}", value, graph.labels[row]),
           position_);
    }
    std::size_t column = 0;
    while (const std::optional<std::string_view> cell = next_cell()) {
      if (column >= nodes) break;
      if (edge(*cell)) graph.neighbours.push_back(static_cast<std::int32_t>(column));
      ++column;
    }
    if (column != nodes || position_.column != nodes + 1) {
      fail(fmt::format("This row has {} than the {} cells that the first line asks for",
                       column < nodes ? "fewer" : "more", nodes + 1),
           position_);
    }
    graph.offsets.push_back(graph.neighbours.size());
  }

  fs::path file_;
  std::ifstream stream_;
  std::string line_;
  std::string_view rest_;  // of the line
  bool ended_ = false;     // its last cell was read
  std::size_t lines_ = 0;
  Position position_;
};

}  // namespace

Graph read_labeled_adjacency(const fs::path& file) {
  return AdjacencyReader(file).read();
}

}  // namespace strider
