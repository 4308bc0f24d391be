#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/whole_number.h"
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

void split_at_space(std::string_view line, std::vector<std::string_view>& fields) {
  constexpr std::string_view kSpace = " \t";
  for (std::size_t at = line.find_first_not_of(kSpace); at != std::string_view::npos;) {
    const std::size_t end = std::min(line.find_first_of(kSpace, at), line.size());
    fields.push_back(line.substr(at, end - at));
    at = line.find_first_not_of(kSpace, end);
  }
}

bool are_all_numbers(std::string_view line) {
  std::vector<std::string_view> words;
  split_at_space(line, words);
  return std::ranges::all_of(words, [](std::string_view word) {
    double value = 0.0;
    const auto [end, status] = std::from_chars(word.data(), word.data() + word.size(), value);
    return status == std::errc() && end == word.data() + word.size();
  });
}

// Names in a table with tabs may have spaces in them. Numbers have none: there both are white space (KONECT mixes
// them).
Separator separator_of(std::string_view line) {
  if (are_all_numbers(line)) return Separator::kSpace;
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
          csv_ = csv_fields(line, file_, place);
          for (const std::string& field : csv_) fields_.push_back(trimmed(field));
        }
        break;
      case Separator::kSpace:
        split_at_space(line, fields_);
        break;
    }
    if (line.find('"') != std::string_view::npos) take_quotes_off();
    return fields_;
  }

 private:
  // "a" is a, and a doubled quote is one.
  void take_quotes_off() {
    plain_.assign(fields_.begin(), fields_.end());
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      std::string& field = plain_[i];
      if (field.size() > 1 && field.front() == '"' && field.back() == '"') field = field.substr(1, field.size() - 2);
      for (std::size_t at = field.find("\"\""); at != std::string::npos; at = field.find("\"\"", at + 1)) {
        field.erase(at, 1);
      }
      fields_[i] = field;
    }
  }

  Separator separator_;
  const fs::path& file_;
  std::vector<std::string_view> fields_;
  std::vector<std::string> csv_, plain_;  // what fields_ shows where there are quotes
};

// Which fields of a line are what.
struct Columns {
  std::size_t source = 0, target = 1;
  std::optional<std::size_t> weight;
  std::size_t count = 2;
};

// Of a header with names that are usual for the ends of an edge; nothing where the line is none.
std::optional<Columns> header_columns(const std::vector<std::string_view>& fields) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kEnds = {{{"source", "target"},
                                                                                    {"from", "to"},
                                                                                    {"src", "dst"},
                                                                                    {"source", "destination"},
                                                                                    {"u", "v"},
                                                                                    {"node1", "node2"},
                                                                                    {"node_1", "node_2"},
                                                                                    {"id1", "id2"},
                                                                                    {"id_1", "id_2"},
                                                                                    {"source_id", "target_id"},
                                                                                    {"from_id", "to_id"},
                                                                                    {"fromnodeid", "tonodeid"},
                                                                                    {"head", "tail"},
                                                                                    {"start", "end"}}};
  std::vector<std::string> names;
  for (const std::string_view field : fields) names.push_back(lower_case(field));
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

namespace {

// The dictionary of attributes that networkx.write_edgelist puts behind an edge, "{}" or "{'weight': 2.0}"; its place
// in the line, or npos.
std::size_t attributes_at(std::string_view line) {
  return trimmed(line).ends_with('}') ? line.find('{') : std::string_view::npos;
}

// The text of its weight; empty where it has none.
std::string_view weight_in(std::string_view attributes) {
  constexpr std::string_view kKey = "'weight':";
  const std::size_t at = attributes.find(kKey);
  if (at == std::string_view::npos) return {};
  const std::string_view value = attributes.substr(at + kKey.size());
  return trimmed(value.substr(0, value.find_first_of(",}")));
}

constexpr const char* kHeaderAdvice =
    "If it is a header: name its columns source and target, and weight where there are weights; or put a # before it.";

class EdgeListReader {
 public:
  explicit EdgeListReader(const fs::path& file) : file_(file), lines_(file, "graph") {}

  NamedEdges read() {
    if (!next_line()) refuse_none();
    first_place_ = lines_.place();
    first_line_ = line_;
    has_attributes_ = attributes_at(line_) != std::string_view::npos;
    Fields fields(separator_of(ends_of(line_)), file_);
    bool has_line = true;
    const std::vector<std::string_view>& first = fields.of(ends_of(line_), lines_.place());
    if (const auto header = header_columns(first)) {
      columns_ = *header;
      first_place_.clear();
      has_line = next_line();
    } else {
      columns_.count = first.size();
      if (columns_.count > 2) columns_.weight = 2;
      if (columns_.count > 3) {
        read_.notices.add(fmt::format("Of the {} fields of a line the first three are read: two nodes and a weight.",
                                      columns_.count));
      }
    }
    read_.is_weighted = columns_.weight.has_value();
    for (; has_line; has_line = next_line()) read_edge(fields.of(ends_of(line_), lines_.place()));
    if (read_.edges.empty()) refuse_none();
    read_.nodes = places_.size();
    read_.names = places_.take_names();
    refuse_header();
    if (comments_ > 0) {
      read_.notices.add(fmt::format("Lines among the edges that begin with # or % are comments: {} here, first {}.",
                                    comments_, comment_place_));
    }
    return std::move(read_);
  }

 private:
  [[noreturn]] void refuse_none() const {
    throw Error("there is no edge in it", {.file = file_.string(), .place = {}, .advice = "A line is an edge."});
  }

  // Comments before the edges are usual. Among them, the line may also be an edge whose node has such a name.
  bool next_line() {
    while (lines_.next_filled(&line_, {})) {
      if (kComments.find(trimmed(line_).front()) == std::string_view::npos) return true;
      if (!first_line_.empty() && comments_++ == 0) comment_place_ = lines_.place();
    }
    return false;
  }

  std::string_view ends_of(std::string_view line) const {
    return has_attributes_ ? line.substr(0, attributes_at(line)) : line;
  }

  void read_edge(const std::vector<std::string_view>& found) {
    if (found.size() != columns_.count || found.size() < 2) {
      throw Error(fmt::format("{} {} where the lines before have {}: \"{}\"", found.size(),
                              found.size() == 1 ? "field" : "fields", columns_.count, excerpt(line_)),
                  {.file = file_.string(),
                   .place = lines_.place(),
                   .advice = "A line is an edge: two nodes, and a weight or not. Mend it, or remove it."});
    }
    const std::string_view source = found[columns_.source], target = found[columns_.target];
    if (source.empty() || target.empty()) {
      throw Error(fmt::format("an edge without both its nodes: \"{}\"", excerpt(line_)),
                  {.file = file_.string(), .place = lines_.place(), .advice = "Mend the line, or remove it."});
    }
    Edge edge{.from = places_.place_of(source), .to = 0};
    edge.to = places_.place_of(target);
    if (columns_.weight) edge.weight = weight(found[*columns_.weight]);
    if (has_attributes_ && attributes_at(line_) != std::string_view::npos) {
      if (const std::string_view text = weight_in(line_.substr(attributes_at(line_))); !text.empty()) {
        edge.weight = weight(text);
        read_.is_weighted = true;
      }
    }
    read_.edges.push_back(edge);
  }

  double weight(std::string_view text) const {
    if (const std::optional<double> value = weight_of(text)) return *value;
    if (lines_.place() != first_place_) return parse_weight(text, file_, lines_.place(), line_);
    throw Error(fmt::format("\"{}\" is no weight, in \"{}\"", excerpt(text), excerpt(line_)),
                {.file = file_.string(),
                 .place = first_place_,
                 .advice = fmt::format("A weight is a number above 0. {}", kHeaderAdvice)});
  }

  // Where all nodes are numbers but those of the first line, which are there alone, it is a header: taken for an edge,
  // it would also make texts of the numbers.
  void refuse_header() const {
    if (first_place_.empty() || read_.edges.size() < 2 || read_.edges[0].from == read_.edges[0].to) return;
    for (std::size_t place = 0; place < read_.names.size(); ++place) {
      if (parse_whole_number(read_.names[place]).has_value() == (place < 2)) return;
    }
    for (std::size_t i = 1; i < read_.edges.size(); ++i) {
      if (read_.edges[i].from < 2 || read_.edges[i].to < 2) return;
    }
    throw Error(fmt::format("the nodes of this line are no numbers, and all others are: \"{}\"", excerpt(first_line_)),
                {.file = file_.string(), .place = first_place_, .advice = kHeaderAdvice});
  }

  const fs::path& file_;
  TextLines lines_;
  std::string_view line_;
  Columns columns_;
  NamePlaces places_;
  NamedEdges read_;
  std::string first_line_, first_place_;  // of the first line that is no comment; no place where it is a header
  bool has_attributes_ = false;
  std::int64_t comments_ = 0;  // among the edges
  std::string comment_place_;
};

}  // namespace

NamedEdges read_edge_list(const fs::path& file) {
  return EdgeListReader(file).read();
}

}  // namespace strider
