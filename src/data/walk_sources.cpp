#include "data/walk_sources.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/error.h"
#include "data/csv_records.h"
#include "data/parquet_walks.h"
#include "data/text_lines.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::string_view kSeparators = " \t\r\v\f,";

[[noreturn]] void refuse_source(const fs::path& file, const std::string& what, const std::string& place,
                                const std::string& advice) {
  throw Error(what, {.file = file.string(), .place = place, .advice = advice});
}

void split_tokens(std::string_view text, std::vector<std::string_view>* tokens) {
  for (std::size_t at = text.find_first_not_of(kSeparators); at != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(kSeparators, at), text.size());
    tokens->push_back(text.substr(at, end - at));
    at = text.find_first_not_of(kSeparators, end);
  }
}

// "[0, 1, 'a']", as Python prints a list.
std::string_view without_brackets(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t"), last = text.find_last_not_of(" \t");
  if (first == std::string_view::npos || text[first] != '[' || text[last] != ']') return text;
  return text.substr(first + 1, last - first - 1);
}

std::string_view without_quotes(std::string_view token) {
  const bool is_quoted =
      token.size() > 1 && (token.front() == '\'' || token.front() == '"') && token.back() == token.front();
  return is_quoted ? token.substr(1, token.size() - 2) : token;
}

bool is_named_table(const fs::path& file) {
  const fs::path extension = file.extension();
  return extension == ".csv" || ((extension == ".gz" || extension == ".zst") && file.stem().extension() == ".csv");
}

std::optional<json> parse_json(std::string_view line) {
  json value = json::parse(line, nullptr, false);
  if (value.is_discarded()) return std::nullopt;
  return value;
}

// The texts of a JSON walk; they are kept in `texts`.
void json_tokens(const json& walk, std::vector<std::string>* texts, std::vector<std::string_view>* tokens,
                 const fs::path& file, const std::string& place) {
  texts->clear();
  if (walk.is_string()) {
    texts->push_back(walk.get<std::string>());
    split_tokens(texts->front(), tokens);
    return;
  }
  if (!walk.is_array()) {
    refuse_source(file, fmt::format("{} is neither a list of tokens nor a text", excerpt(walk.dump())), place,
                  "A walk is a list, or a text with white space between the tokens.");
  }
  for (const json& token : walk) {
    if (!token.is_string() && !token.is_number()) {
      refuse_source(file, fmt::format("{} is no token", excerpt(token.dump())), place, "Tokens are numbers or texts.");
    }
    texts->push_back(token.is_string() ? token.get<std::string>() : token.dump());
  }
  tokens->assign(texts->begin(), texts->end());
}

}  // namespace

const char* name_of(WalkKind kind) {
  switch (kind) {
    case WalkKind::kText:
      return "plain text";
    case WalkKind::kCsv:
      return "CSV";
    case WalkKind::kJsonLines:
      return "JSON lines";
    case WalkKind::kParquet:
      return "Parquet";
  }
  return "";
}

std::string choose_walk_column(const std::vector<std::string>& columns, const std::string& asked,
                               const fs::path& file) {
  constexpr const char* kUsual[] = {"sequence_labels", "input_ids", "walk", "walks", "sequence", "path",
                                    "nodes",           "tokens",    "text"};
  if (!asked.empty()) {
    if (std::ranges::find(columns, asked) != columns.end()) return asked;
    refuse_source(file, fmt::format("there is no column {}; there are {}", asked, fmt::join(columns, ", ")), {},
                  "Name the column with the walks with --column.");
  }
  for (const char* const name : kUsual) {
    if (std::ranges::find(columns, name) != columns.end()) return name;
  }
  if (columns.size() == 1) return columns.front();
  refuse_source(file, fmt::format("which column has the walks is not known; there are {}", fmt::join(columns, ", ")),
                {}, "Name it with --column.");
}

WalkSource::WalkSource(fs::path file, const std::string& column) : file_(std::move(file)) {
  TextLines lines(file_, "walks");
  if (lines.is_parquet()) {
    kind_ = WalkKind::kParquet;
    column_ = choose_walk_column(parquet_columns(file_), column, file_);
    return;
  }
  std::string_view line;
  if (!lines.next_filled(&line)) refuse_source(file_, "there is no walk in it", {}, "A walk is a line of tokens.");
  const char first = line[line.find_first_not_of(" \t")];
  if (first == '{' || first == '[') {
    const std::optional<json> value = parse_json(line);
    if (value || first == '{') {
      kind_ = WalkKind::kJsonLines;
      if (!value)
        refuse_source(file_, "this is no JSON line", lines.place(), "Each line is an object, or a list, of its own.");
      if (!value->is_object()) return;
      std::vector<std::string> names;
      for (const auto& [name, field] : value->items()) names.push_back(name);
      column_ = choose_walk_column(names, column, file_);
      return;
    }
  }
  const std::vector<std::string> fields = csv_fields(line, file_, lines.place());
  const auto is_usual = [](const std::string& name) {
    return name == "sequence_labels" || name == "input_ids" || name == "walk" || name == "sequence";
  };
  if (!column.empty() || is_named_table(file_) || std::ranges::any_of(fields, is_usual)) {
    kind_ = WalkKind::kCsv;
    column_ = choose_walk_column(fields, column, file_);
  }
}

void WalkSource::read(const OnWalk& on_walk) const {
  if (kind_ == WalkKind::kParquet) {
    read_parquet_walks(file_, column_, on_walk);
    return;
  }
  TextLines lines(file_, "walks");
  std::string_view line;
  std::vector<std::string_view> tokens;
  std::vector<std::string> texts;
  std::size_t field = 0, fields = 0;
  if (kind_ == WalkKind::kCsv && lines.next_filled(&line)) {
    const std::vector<std::string> names = csv_fields(line, file_, lines.place());
    field = static_cast<std::size_t>(std::ranges::find(names, column_) - names.begin());
    fields = names.size();
  }
  while (lines.next_filled(&line)) {
    tokens.clear();
    if (kind_ == WalkKind::kText) {
      split_tokens(line, &tokens);
    } else if (kind_ == WalkKind::kCsv) {
      texts = csv_fields(line, file_, lines.place());
      if (texts.size() != fields) {
        refuse_source(file_,
                      fmt::format("{} fields where the header has {}: \"{}\"", texts.size(), fields, excerpt(line)),
                      lines.place(), "Mend the line, or remove it.");
      }
      split_tokens(without_brackets(texts[field]), &tokens);
      for (std::string_view& token : tokens) token = without_quotes(token);
    } else {
      const std::optional<json> value = parse_json(line);
      if (!value)
        refuse_source(file_, fmt::format("this is no JSON: \"{}\"", excerpt(line)), lines.place(), "Mend the line.");
      if (!column_.empty() && (!value->is_object() || !value->contains(column_))) {
        refuse_source(file_, fmt::format("there is no field {} in \"{}\"", column_, excerpt(line)), lines.place(),
                      "Every line has the same fields.");
      }
      json_tokens(column_.empty() ? *value : (*value)[column_], &texts, &tokens, file_, lines.place());
    }
    if (tokens.empty())
      refuse_source(file_, fmt::format("a walk without a token: \"{}\"", excerpt(line)), lines.place(), "Remove it.");
    on_walk(tokens, lines.place());
  }
}

}  // namespace strider
