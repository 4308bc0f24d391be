#include "graph/cells.h"

#include <algorithm>
#include <fstream>
#include <string_view>
#include <unordered_map>

#include "base/whole_number.h"

namespace strider {
namespace {

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  for (std::size_t begin = 0; begin <= line.size();) {
    const std::size_t end = std::min(line.find(',', begin), line.size());
    fields.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return fields;
}

}  // namespace

std::string graph_name(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  const auto between = [&](std::string_view before, std::string_view after) {
    if (!name.starts_with(before) || !name.ends_with(after) || name.size() <= before.size() + after.size()) {
      return std::string();
    }
    return name.substr(before.size(), name.size() - before.size() - after.size());
  };
  const std::string dense = between("A_", "_labeled.csv");
  return dense.empty() ? between("graph_", ".npz") : dense;
}

std::optional<Cells> read_cells(const std::filesystem::path& file, const Graph& graph) {
  std::unordered_map<std::int64_t, std::size_t> node_of;
  for (std::size_t node = 0; node < graph.size(); ++node) node_of.emplace(graph.labels[node], node);
  Cells cells{std::vector<std::int16_t>(graph.size()), std::vector<std::int16_t>(graph.size()),
              std::vector<std::int16_t>(graph.size())};
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  std::size_t found = 0;
  std::vector<std::string> sheets;
  while (std::getline(stream, line)) {
    const std::vector<std::string_view> fields = fields_of(line);
    if (fields.size() != 5) return std::nullopt;
    const auto id = parse_whole_number(fields[1]), row = parse_whole_number(fields[2]),
               column = parse_whole_number(fields[3]);
    const auto fits = [](const auto& value) { return value && *value >= INT16_MIN && *value <= INT16_MAX; };
    if (!id || !fits(row) || !fits(column)) return std::nullopt;
    const auto node = node_of.find(*id);
    if (node == node_of.end()) return std::nullopt;
    auto sheet = std::ranges::find(sheets, fields[4]);
    if (sheet == sheets.end()) sheet = sheets.insert(sheets.end(), std::string(fields[4]));
    cells.rows[node->second] = static_cast<std::int16_t>(*row);
    cells.columns[node->second] = static_cast<std::int16_t>(*column);
    cells.sheets[node->second] = static_cast<std::int16_t>(sheet - sheets.begin());
    node_of.erase(node);
    ++found;
  }
  if (found != graph.size()) return std::nullopt;
  return cells;
}

}  // namespace strider
