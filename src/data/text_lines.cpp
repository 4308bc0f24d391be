#include "data/text_lines.h"

#include <arrow/buffer.h>
#include <arrow/io/compressed.h>
#include <arrow/io/file.h>
#include <arrow/util/compression.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/exists.h"
#include "data/arrow_status.h"
#include "data/csv_records.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTextDamaged = "It may be damaged or cut off: make or copy it again.";
constexpr std::string_view kBlanks = " \t\r\v\f,";
constexpr std::int64_t kTextPiece = 1 << 20;

}  // namespace

struct TextLines::Parts {
  fs::path file;
  std::string what;
  std::unique_ptr<arrow::util::Codec> codec;  // outlives the stream
  std::shared_ptr<arrow::io::InputStream> stream;
  std::string buffer;
  std::size_t at = 0;
  std::int64_t number = 0;
  bool ended = false, is_parquet = false;
};

TextLines::TextLines(const fs::path& file, const std::string& what) : parts_(std::make_unique<Parts>()) {
  const auto refuse = [&](const std::string& message) {
    throw Error(message, {.file = file.string(),
                          .place = {},
                          .advice = fmt::format("Name a file of {} with --from.", what == "graph" ? "a graph" : what)});
  };
  if (!path_exists(file)) refuse("no such file");
  if (is_folder(file)) refuse("this is a folder");
  const std::string cannot = fmt::format("cannot read the {}", what);
  auto raw = take_arrow(arrow::io::ReadableFile::Open(file.string()), cannot.c_str(), file, "Check its permissions.");
  const auto magic = take_arrow(raw->ReadAt(0, 4), cannot.c_str(), file, kTextDamaged);
  check_arrow(raw->Seek(0), cannot.c_str(), file, kTextDamaged);
  const std::string_view start(reinterpret_cast<const char*>(magic->data()), static_cast<std::size_t>(magic->size()));
  std::optional<arrow::Compression::type> compression;
  if (start.starts_with("\x1f\x8b")) compression = arrow::Compression::GZIP;
  if (start == "\x28\xb5\x2f\xfd") compression = arrow::Compression::ZSTD;
  parts_->file = file;
  parts_->what = what;
  parts_->is_parquet = start == "PAR1";
  parts_->stream = raw;
  if (compression) {
    parts_->codec = take_arrow(arrow::util::Codec::Create(*compression), "this build of Arrow cannot decompress it",
                               file, "Decompress the file first (gunzip, unzstd).");
    parts_->stream = take_arrow(arrow::io::CompressedInputStream::Make(parts_->codec.get(), raw),
                                fmt::format("cannot decompress the {}", what).c_str(), file, kTextDamaged);
  }
}

TextLines::~TextLines() = default;

bool TextLines::is_parquet() const {
  return parts_->is_parquet;
}

bool TextLines::next(std::string_view* line) {
  Parts& parts = *parts_;
  std::size_t end = parts.buffer.find('\n', parts.at);
  while (end == std::string::npos && !parts.ended) {
    parts.buffer.erase(0, parts.at);
    const std::size_t from = parts.buffer.size();
    parts.at = 0;
    const auto piece = take_arrow(
        parts.stream->Read(kTextPiece),
        fmt::format("the {} cannot be read to {} end", parts.what, parts.what.ends_with('s') ? "their" : "its").c_str(),
        parts.file, kTextDamaged);
    parts.ended = piece->size() == 0;
    parts.buffer.append(reinterpret_cast<const char*>(piece->data()), static_cast<std::size_t>(piece->size()));
    end = parts.buffer.find('\n', from);
  }
  if (parts.at == parts.buffer.size()) return false;
  if (end == std::string::npos) end = parts.buffer.size();
  *line = std::string_view(parts.buffer).substr(parts.at, end - parts.at);
  parts.at = std::min(end + 1, parts.buffer.size());
  if (parts.number++ == 0 && line->starts_with("\xEF\xBB\xBF")) line->remove_prefix(3);
  if (line->ends_with('\r')) line->remove_suffix(1);
  if (line->find('\0') != std::string_view::npos) {
    throw Error("this is no text",
                {.file = parts.file.string(),
                 .place = place(),
                 .advice = parts.what == "walks" ? "Walks are read from plain text, CSV, JSON lines and Parquet."
                                                 : "strider graph --help lists the kinds of files that are read."});
  }
  return true;
}

bool TextLines::next_filled(std::string_view* line, std::string_view comments) {
  while (next(line)) {
    const std::size_t first = line->find_first_not_of(kBlanks);
    if (first != std::string_view::npos && comments.find((*line)[first]) == std::string_view::npos) return true;
  }
  return false;
}

std::string TextLines::place() const {
  return fmt::format("line {}", parts_->number);
}

std::vector<std::string> csv_fields(std::string_view line, const fs::path& file, const std::string& place) {
  CsvRecords records(line, file);
  try {
    if (!records.next()) return {};
  } catch (const Error& error) {
    throw Error(error.message(), {.file = file.string(), .place = place, .advice = error.details().advice});
  }
  return {records.fields().begin(), records.fields().end()};
}

std::string excerpt(std::string_view text) {
  constexpr std::size_t kMost = 60;
  std::string result;
  for (const char letter : text.substr(0, kMost)) result += letter >= ' ' || letter < 0 ? letter : '?';
  return text.size() > kMost ? result + "..." : result;
}

}  // namespace strider
