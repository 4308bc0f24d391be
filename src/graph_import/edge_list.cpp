#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "data/text_lines.h"
#include "graph_import/readers.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kComments = "#%";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// What stands between the fields of a file: its first line says.
enum class Separator { kSpace, kTab, kComma, kSemicolon };

Separator separator_of(std::string_view line) {
  if (line.find('\t') != std::string_view::npos) return Separator::kTab;
  if (line.find(',') != std::string_view::npos) return Separator::kComma;
  if (line.find(';') != std::string_view::npos) return Separator::kSemicolon;
  return Separator::kSpace;
}

void split_at(std::string_view line, char separator, std::vector<std::string_view>& fields) {
  for (std::size_t begin = 0; begin <= line.size();) {
    const std::size_t end = std::min(line.find(separator, begin), line.size());
    fields.push_back(trimmed(line.substr(begin, end - begin)));
    begin = end + 1;
  }
  if (fields.size() > 1 && fields.back().empty()) fields.pop_back();  // a separator at the end of the line
}

class Fields {
 public:
  Fields(Separator separator, const fs::path& file) : separator_(separator), file_(file) {}

  const std::vector<std::string_view>& of(std::string_view line, const std::string& place) {
    fields_.clear();
    switch (separator_) {
      case Separator::kTab:
        split_at(line, '\t', fields_);
        break;
      case Separator::kSemicolon:
        split_at(line, ';', fields_);
        break;
      case Separator::kComma:
        if (line.find('"') == std::string_view::npos) {
          split_at(line, ',', fields_);
        } else {
          quoted_ = csv_fields(line, file_, place);
          for (const std::string& field : quoted_) fields_.push_back(trimmed(field));
        }
        break;
      case Separator::kSpace:
        for (std::size_t at = line.find_first_not_of(' '); at != std::string_view::npos;) {
          const std::size_t end = std::min(line.find(' ', at), line.size());
          fields_.push_back(line.substr(at, end - at));
          at = line.find_first_not_of(' ', end);
        }
        break;
    }
    return fields_;
  }

 private:
  Separator separator_;
  const fs::path& file_;
  std::vector<std::string_view> fields_;
  std::vector<std::string> quoted_;
};

// Which fields of a line are what.
struct Columns {
  std::size_t source = 0, target = 1;
  std::optional<std::size_t> weight;
  std::size_t count = 2;
};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& letter : result) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return result;
}

// Of a header with names that are usual for the ends of an edge; nothing where the line is none.
std::optional<Columns> header_columns(const std::vector<std::string_view>& fields) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kEnds = {{{"source", "target"},
                                                                                     {"from", "to"},
                                                                                     {"src", "dst"},
                                                                                     {"source", "destination"},
                                                                                     {"u", "v"},
                                                                                     {"node1", "node2"},
                                                                                     {"head", "tail"},
                                                                                     {"start", "end"}}};
  std::vector<std::string> names;
  for (const std::string_view field : fields) names.push_back(lower(field));
  const auto place_of = [&](std::string_view name) {
    return static_cast<std::size_t>(std::ranges::find(names, name) - names.begin());
  };
  for (const auto& [source, target] : kEnds) {
    if (place_of(source) == names.size() || place_of(target) == names.size()) continue;
    Columns columns{.source = place_of(source), .target = place_of(target), .weight = {}, .count = names.size()};
    for (const std::string_view name : {"weight", "w", "value"}) {
      if (!columns.weight && place_of(name) < names.size()) columns.weight = place_of(name);
    }
    return columns;
  }
  return std::nullopt;
}

}  // namespace

std::optional<double> weight_of(std::string_view text) {
  double weight = 0.0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), weight);
  if (status != std::errc() || end != text.data() + text.size() || !(weight > 0.0) || std::isinf(weight)) {
    return std::nullopt;
  }
  return weight;
}

double parse_weight(std::string_view text, const fs::path& file, const std::string& place, std::string_view line) {
  if (const std::optional<double> weight = weight_of(text)) return *weight;
  throw Error(fmt::format("\"{}\" is no weight, in \"{}\"", excerpt(text), excerpt(line)),
              {.file = file.string(), .place = place, .advice = "A weight is a number above 0."});
}

NamedEdges read_edge_list(const fs::path& file) {
  NamedEdges read;
  TextLines lines(file, "graph");
  std::string_view line;
  if (!lines.next_filled(&line, kComments)) {
    throw Error("there is no edge in it", {.file = file.string(), .place = {}, .advice = "A line is an edge."});
  }
  Fields fields(separator_of(line), file);
  Columns columns;
  bool has_line = true;
  if (const auto header = header_columns(fields.of(line, lines.place()))) {
    columns = *header;
    has_line = lines.next_filled(&line, kComments);
  } else {
    columns.count = fields.of(line, lines.place()).size();
    if (columns.count > 2) columns.weight = 2;
    if (columns.count > 3) {
      read.notices.add(fmt::format("Of the {} fields of a line the first three are read: two nodes and a weight.", columns.count));
    }
  }
  read.is_weighted = columns.weight.has_value();
  NamePlaces places;
  for (; has_line; has_line = lines.next_filled(&line, kComments)) {
    const std::vector<std::string_view>& found = fields.of(line, lines.place());
    if (found.size() != columns.count || found.size() < 2) {
      throw Error(fmt::format("{} {} where the lines before have {}: \"{}\"", found.size(),
                              found.size() == 1 ? "field" : "fields", columns.count, excerpt(line)),
                  {.file = file.string(),
                   .place = lines.place(),
                   .advice = "A line is an edge: two nodes, and a weight or not. Mend it, or remove it."});
    }
    const std::string_view source = found[columns.source], target = found[columns.target];
    if (source.empty() || target.empty()) {
      throw Error(fmt::format("an edge without both its nodes: \"{}\"", excerpt(line)),
                  {.file = file.string(), .place = lines.place(), .advice = "Mend the line, or remove it."});
    }
    Edge edge{.from = places.place_of(source), .to = 0};
    edge.to = places.place_of(target);
    if (columns.weight) edge.weight = parse_weight(found[*columns.weight], file, lines.place(), line);
    read.edges.push_back(edge);
  }
  if (read.edges.empty()) {
    throw Error("there is no edge in it", {.file = file.string(), .place = {}, .advice = "A line is an edge."});
  }
  read.nodes = places.size();
  read.names = places.take_names();
  return read;
}

}  // namespace strider
