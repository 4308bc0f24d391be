#pragma once
// One reader for each kind of file (graph_import.h). Only graph_import/ includes this.
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/notices.h"
#include "data/token_names.h"
#include "graph/edges.h"

namespace strider {

/// What a reader of named nodes gives. Edges are between places in the order in which names came first.
struct NamedEdges {
  std::vector<Edge> edges;
  std::vector<std::string> names;  // by place; empty: nodes have none, and there are `nodes`
  std::size_t nodes = 0;
  bool is_weighted = false;
  bool is_directed = false;  // as the file says
  Notices notices;
};

/// The number that a weight's text is, above 0 and finite; nothing where it is none.
std::optional<double> weight_of(std::string_view text);
/// The same; throws Error with the place and the line where it is none.
double parse_weight(std::string_view text, const std::filesystem::path& file, const std::string& place,
                    std::string_view line);

/// ASCII letters in lower case.
std::string lower_case(std::string_view text);

NamedEdges read_edge_list(const std::filesystem::path& file);
NamedEdges read_matrix_market(const std::filesystem::path& file);
NamedEdges read_graphml(const std::filesystem::path& file);

/// Places of names, in the order in which they come first.
class NamePlaces {
 public:
  std::int32_t place_of(std::string_view name);
  std::vector<std::string> take_names() { return std::move(names_); }
  std::size_t size() const { return names_.size(); }

 private:
  TokenIds places_;
  std::vector<std::string> names_;
};

}  // namespace strider
