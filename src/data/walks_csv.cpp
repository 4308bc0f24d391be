#include "data/walks_csv.h"

#include <arrow/buffer.h>
#include <arrow/io/file.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/whole_number.h"
#include "data/arrow_status.h"
#include "data/csv_records.h"
#include "data/file_errors.h"
#include "data/other_kinds.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kLargestId = INT32_MAX - 1;  // its vocabulary still has an int32 size
constexpr const char* kColumns =
    "The first line names the columns: walk_id,length,sequence_labels. 01b_sequence_generation.sh writes such a "
    "file; rename the columns of another one.";

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 40;
  std::string result;
  for (const char c : text.substr(0, kMost)) result += c >= ' ' && c <= '~' ? c : '?';
  return text.size() > kMost ? result + "..." : result;
}

std::size_t column_of(const CsvRecords& records, std::string_view name, const fs::path& file) {
  const auto& names = records.fields();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    throw Error(
        fmt::format("the column {} is missing; there are {}", name, shown(fmt::format("{}", fmt::join(names, ", ")))),
        {.file = file.string(), .place = records.line_of(names.front().data()), .advice = kColumns});
  }
  return static_cast<std::size_t>(found - names.begin());
}

std::int64_t parse_number(std::string_view field, const char* name, const CsvRecords& records, const fs::path& file) {
  std::string_view text = field;
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  if (const std::optional<std::int64_t> number = parse_whole_number(text)) return *number;
  throw Error(
      fmt::format("{} is \"{}\", not a whole number", name, shown(field)),
      {.file = file.string(), .place = records.line_of(field.data()), .advice = "Mend the line, or remove it."});
}

// Where the word that begins at `at` ends, in a field of ids or in the text behind it.
const char* end_of_word(const char* at, const char* end) {
  while (at < end && !is_space(*at) && *at != ',' && *at != '"') ++at;
  return at;
}

// Reads the id at `*at`, which is moved behind it; white space ahead of it is passed over. Nothing is left: false.
// What is no id: *at stays on it and *id is negative. Ids of a column that pandas holds as floating point ("7.0") are
// read too.
bool next_id(const char** at, const char* end, std::int64_t* id) {
  while (*at < end && is_space(**at)) ++*at;
  if (*at == end) return false;
  auto [after, error] = std::from_chars(*at, end, *id);
  if (error != std::errc() || (after != end && !is_space(*after) && *after != ',' && *after != '"')) {
    after = end_of_word(*at, end);
    *id = parse_whole_number({*at, static_cast<std::size_t>(after - *at)}).value_or(-1);
  }
  if (*id < 0 || *id > kLargestId || after == *at) {
    *id = -1;
  } else {
    *at = after;
  }
  return true;
}

std::string advice_for_id(std::string_view word, std::string_view labels, const fs::path& file) {
  if (labels.starts_with('[')) {
    return "Ids have spaces between them, without brackets and commas: " + unlisting_command(file);
  }
  const bool is_number = !word.empty() && (word[0] == '-' || (word[0] >= '0' && word[0] <= '9'));
  return fmt::format(
      "{} Number the tokens from 0, for example: {}",
      is_number ? "Ids should be dense: the vocabulary goes up to the largest of them." : "Tokens are numbers here.",
      numbering_command(file));
}

[[noreturn]] void refuse_id(const char* at, std::string_view labels, std::int64_t position, std::int64_t walk_id,
                            const CsvRecords& records, const fs::path& file) {
  const char* const end = labels.data() + labels.size();
  const std::string_view word(at, static_cast<std::size_t>(std::find_if(at, end, is_space) - at));
  throw Error(fmt::format("\"{}\" is no token id (a whole number from 0 to {})", shown(word), kLargestId),
              {.file = file.string(),
               .place = fmt::format("{}, walk {}, position {}", records.line_of(at), walk_id, position),
               .advice = advice_for_id(word, labels, file)});
}

void check_is_file(const fs::path& file) {
  if (!fs::exists(file)) {
    throw Error(fmt::format("Input CSV file not found: {}", file.string()),
                {.file = {},
                 .place = {},
                 .advice = "Name a file of walks with INPUT_CSV; 01b_sequence_generation.sh makes one."});
  }
  if (fs::exists(file / "dataset_dict.json") || fs::exists(file / "state.json")) {
    throw Error("this is a dataset folder already, not a CSV file of walks",
                {.file = file.string(),
                 .place = {},
                 .advice = "Train on it as it is: DATASET_DIR names it for 02a_model_training.sh."});
  }
  if (!fs::is_regular_file(file)) {
    throw Error("this is no file", {.file = file.string(), .place = {}, .advice = "Name a CSV file of walks."});
  }
  if (fs::file_size(file) == 0) {
    throw Error("the file is empty", {.file = file.string(), .place = {}, .advice = kColumns});
  }
}

}  // namespace

struct WalksCsv::Columns {
  Columns(const CsvRecords& header, const fs::path& file)
      : count(header.fields().size()),
        walk_id(column_of(header, "walk_id", file)),
        length(column_of(header, "length", file)),
        labels(column_of(header, "sequence_labels", file)) {}
  std::size_t count, walk_id, length, labels;
};

WalksCsv::WalksCsv(const fs::path& file) : file_(file), min_id_(kLargestId) {
  map_file();
  refuse_other_kinds(text_, file);
  CsvRecords records(text_, file);
  if (!records.next()) throw Error("the file is empty", {.file = file.string(), .place = {}, .advice = kColumns});
  const Columns columns(records, file);
  while (records.next()) {
    walks_.push_back(check_walk(records, columns));
    tokens_ += walks_.back().length;
    if (walks_.back().length == 1) ++single_tokens_;
  }
  if (walks_.empty()) {
    throw Error("there is no walk", {.file = file.string(), .place = {}, .advice = "Make walks first (MAX_SEQS)."});
  }
}

void WalksCsv::map_file() {
  with_file_errors([&] { check_is_file(file_); });
  constexpr const char* kWhat = "cannot read the file";
  constexpr const char* kAdvice = "Check its permissions.";
  const auto mapped =
      take_arrow(arrow::io::MemoryMappedFile::Open(file_.string(), arrow::io::FileMode::READ), kWhat, file_, kAdvice);
  const auto size = take_arrow(mapped->GetSize(), kWhat, file_, kAdvice);
  const auto bytes = take_arrow(mapped->ReadAt(0, size), kWhat, file_, kAdvice);
  text_ = std::string_view(*bytes);
  mapping_ = bytes;
}

WalksCsv::Walk WalksCsv::check_walk(const CsvRecords& records, const Columns& columns) {
  const auto& fields = records.fields();
  if (fields.size() != columns.count) {
    throw Error(fmt::format("the header has {} columns, this line has {}", columns.count, fields.size()),
                {.file = file_.string(),
                 .place = records.line_of(fields.front().data()),
                 .advice = "Ids of a walk have spaces between them, columns have commas."});
  }
  const std::string_view labels = fields[columns.labels];
  Walk walk{.labels = labels.data(), .walk_id = parse_number(fields[columns.walk_id], "walk_id", records, file_)};
  std::int64_t id = 0;
  for (const char* at = labels.data(); next_id(&at, labels.data() + labels.size(), &id); ++walk.length) {
    if (id < 0) refuse_id(at, labels, walk.length, walk.walk_id, records, file_);
    min_id_ = std::min(min_id_, id);
    max_id_ = std::max(max_id_, id);
    counts_.add(id);
  }
  if (walk.length == 0) {
    throw Error(fmt::format("walk {} has no token", walk.walk_id),
                {.file = file_.string(), .place = records.line_of(labels.data()), .advice = "Remove the line."});
  }
  const std::int64_t length = parse_number(fields[columns.length], "length", records, file_);
  if (length != walk.length) {
    throw Error(fmt::format("walk {} has {} ids, its length says {}", walk.walk_id, walk.length, length),
                {.file = file_.string(),
                 .place = records.line_of(labels.data()),
                 .advice = "Correct the length, or make the walks again."});
  }
  return walk;
}

void WalksCsv::read(std::int64_t walk, std::span<std::int32_t> ids) const {
  const char* at = walks_[walk].labels;
  const char* const end = text_.data() + text_.size();
  for (std::int32_t& id : ids) {
    std::int64_t value = -1;
    // The last id of a walk may be followed by a comma, a quote or the end.
    if (!next_id(&at, end, &value) || value < min_id_ || value > max_id_) {
      throw Error("the file has changed while it was read",
                  {.file = file_.string(), .place = {}, .advice = "Run the command again."});
    }
    id = static_cast<std::int32_t>(value);
  }
}

}  // namespace strider
