#include "data/walk_sources.h"

#include <arrow/buffer.h>
#include <arrow/io/compressed.h>
#include <arrow/io/file.h>
#include <arrow/util/compression.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/exists.h"
#include "data/arrow_status.h"
#include "data/csv_records.h"
#include "data/parquet_walks.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kSourceDamaged = "It may be damaged or cut off: make or copy it again.";
constexpr std::string_view kSeparators = " \t\r\v\f,";

[[noreturn]] void refuse_source(const fs::path& file, const std::string& what, const std::string& place,
                                const std::string& advice) {
  throw Error(what, {.file = file.string(), .place = place, .advice = advice});
}

std::string excerpt(std::string_view text) {
  constexpr std::size_t kMost = 60;
  std::string result;
  for (const char letter : text.substr(0, kMost)) result += letter >= ' ' || letter < 0 ? letter : '?';
  return text.size() > kMost ? result + "..." : result;
}

// The lines of a file, without their ends, decompressed on the way.
class Lines {
 public:
  explicit Lines(const fs::path& file) : file_(file) {
    if (!path_exists(file)) refuse_source(file, "no such file", {}, "Name a file of walks with --from.");
    if (is_folder(file)) refuse_source(file, "this is a folder", {}, "Name a file of walks with --from.");
    auto raw = take_arrow(arrow::io::ReadableFile::Open(file.string()), "cannot read the walks", file,
                          "Check its permissions.");
    const auto magic = take_arrow(raw->ReadAt(0, 4), "cannot read the walks", file, kSourceDamaged);
    check_arrow(raw->Seek(0), "cannot read the walks", file, kSourceDamaged);
    const std::string_view start(reinterpret_cast<const char*>(magic->data()), static_cast<std::size_t>(magic->size()));
    std::optional<arrow::Compression::type> compression;
    if (start.starts_with("\x1f\x8b")) compression = arrow::Compression::GZIP;
    if (start == "\x28\xb5\x2f\xfd") compression = arrow::Compression::ZSTD;
    is_parquet_ = start == "PAR1";
    stream_ = raw;
    if (compression) {
      codec_ = take_arrow(arrow::util::Codec::Create(*compression), "this build of Arrow cannot decompress it", file,
                          "Decompress the file first (gunzip, unzstd).");
      stream_ = take_arrow(arrow::io::CompressedInputStream::Make(codec_.get(), raw), "cannot decompress the walks",
                           file, kSourceDamaged);
    }
  }

  bool is_parquet() const { return is_parquet_; }

  /// False at the end. The line stays until the next call.
  bool next(std::string_view* line) {
    std::size_t end = buffer_.find('\n', at_);
    while (end == std::string::npos && !ended_) {
      buffer_.erase(0, at_);
      const std::size_t from = buffer_.size();
      at_ = 0;
      const auto piece =
          take_arrow(stream_->Read(kPiece), "the walks cannot be read to their end", file_, kSourceDamaged);
      ended_ = piece->size() == 0;
      buffer_.append(reinterpret_cast<const char*>(piece->data()), static_cast<std::size_t>(piece->size()));
      end = buffer_.find('\n', from);
    }
    if (at_ == buffer_.size()) return false;
    if (end == std::string::npos) end = buffer_.size();
    *line = std::string_view(buffer_).substr(at_, end - at_);
    at_ = std::min(end + 1, buffer_.size());
    if (number_++ == 0 && line->starts_with("\xEF\xBB\xBF")) line->remove_prefix(3);
    if (line->ends_with('\r')) line->remove_suffix(1);
    if (line->find('\0') != std::string_view::npos) {
      refuse_source(file_, "this is no text", place(), "Walks are read from plain text, CSV, JSON lines and Parquet.");
    }
    return true;
  }

  /// As next(), without blank lines and comments.
  bool next_filled(std::string_view* line) {
    while (next(line)) {
      const std::size_t first = line->find_first_not_of(kSeparators);
      if (first != std::string_view::npos && (*line)[first] != '#') return true;
    }
    return false;
  }

  std::string place() const { return fmt::format("line {}", number_); }

 private:
  static constexpr std::int64_t kPiece = 1 << 20;
  fs::path file_;
  std::unique_ptr<arrow::util::Codec> codec_;  // outlives the stream
  std::shared_ptr<arrow::io::InputStream> stream_;
  std::string buffer_;
  std::size_t at_ = 0;
  std::int64_t number_ = 0;
  bool ended_ = false, is_parquet_ = false;
};

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

std::vector<std::string> csv_fields(std::string_view line, const fs::path& file, const std::string& place) {
  CsvRecords records(line, file);
  try {
    if (!records.next()) return {};
  } catch (const Error& error) {
    refuse_source(file, error.message(), place, error.details().advice);
  }
  return {records.fields().begin(), records.fields().end()};
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
  Lines lines(file_);
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
  Lines lines(file_);
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
