#include "data/parquet_walks.h"

#include <fmt/format.h>

#include "base/error.h"

#if STRIDER_HAS_PARQUET
#include <arrow/array.h>
#include <arrow/io/file.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <parquet/arrow/reader.h>

#include "data/arrow_status.h"
#endif

namespace strider {

namespace fs = std::filesystem;

#if STRIDER_HAS_PARQUET
namespace {

constexpr const char* kParquetAdvice = "It may be damaged or cut off: make or copy it again.";
constexpr const char* kNoParquet = "cannot read the Parquet file";

std::unique_ptr<parquet::arrow::FileReader> open_parquet(const fs::path& file) {
  auto input = take_arrow(arrow::io::ReadableFile::Open(file.string()), kNoParquet, file, kParquetAdvice);
  return take_arrow(parquet::arrow::OpenFile(input, arrow::default_memory_pool()), kNoParquet, file, kParquetAdvice);
}

std::shared_ptr<arrow::Schema> schema_of(parquet::arrow::FileReader& reader, const fs::path& file) {
  std::shared_ptr<arrow::Schema> schema;
  check_arrow(reader.GetSchema(&schema), kNoParquet, file, kParquetAdvice);
  return schema;
}

// A value as text; false where it is none that a token may be.
bool append_text(const arrow::Array& values, std::int64_t at, std::vector<std::string>* texts) {
  if (values.IsNull(at)) return false;
  const auto whole = [&](const auto& array) {
    texts->push_back(fmt::format("{}", array.Value(at)));
    return true;
  };
  switch (values.type_id()) {
    case arrow::Type::INT8:
      return whole(static_cast<const arrow::Int8Array&>(values));
    case arrow::Type::UINT8:
      return whole(static_cast<const arrow::UInt8Array&>(values));
    case arrow::Type::INT16:
      return whole(static_cast<const arrow::Int16Array&>(values));
    case arrow::Type::UINT16:
      return whole(static_cast<const arrow::UInt16Array&>(values));
    case arrow::Type::INT32:
      return whole(static_cast<const arrow::Int32Array&>(values));
    case arrow::Type::UINT32:
      return whole(static_cast<const arrow::UInt32Array&>(values));
    case arrow::Type::INT64:
      return whole(static_cast<const arrow::Int64Array&>(values));
    case arrow::Type::UINT64:
      return whole(static_cast<const arrow::UInt64Array&>(values));
    case arrow::Type::STRING:
      texts->push_back(static_cast<const arrow::StringArray&>(values).GetString(at));
      return true;
    case arrow::Type::LARGE_STRING:
      texts->push_back(static_cast<const arrow::LargeStringArray&>(values).GetString(at));
      return true;
    default:
      return false;
  }
}

// Whether the column's row is a list of tokens; they are added to `texts`.
template <typename List>
bool append_list(const arrow::Array& column, std::int64_t row, std::vector<std::string>* texts) {
  const auto& lists = static_cast<const List&>(column);
  for (std::int64_t i = lists.value_offset(row); i < lists.value_offset(row + 1); ++i) {
    if (!append_text(*lists.values(), i, texts)) return false;
  }
  return true;
}

bool append_row(const arrow::Array& column, std::int64_t row, std::vector<std::string>* texts) {
  if (column.IsNull(row)) return false;
  if (column.type_id() == arrow::Type::LIST) return append_list<arrow::ListArray>(column, row, texts);
  if (column.type_id() == arrow::Type::LARGE_LIST) return append_list<arrow::LargeListArray>(column, row, texts);
  if (column.type_id() != arrow::Type::STRING && column.type_id() != arrow::Type::LARGE_STRING) return false;
  std::vector<std::string> whole;
  append_text(column, row, &whole);
  constexpr const char* kSpaces = " \t\r\n\v\f,";
  const std::string& text = whole.front();
  for (std::size_t at = text.find_first_not_of(kSpaces); at != std::string::npos;) {
    const std::size_t end = std::min(text.find_first_of(kSpaces, at), text.size());
    texts->push_back(text.substr(at, end - at));
    at = text.find_first_not_of(kSpaces, end);
  }
  return true;
}

}  // namespace

bool has_parquet() {
  return true;
}

std::vector<std::string> parquet_columns(const fs::path& file) {
  return schema_of(*open_parquet(file), file)->field_names();
}

void read_parquet_walks(const fs::path& file, const std::string& column, const OnWalk& on_walk) {
  const auto reader = open_parquet(file);
  const auto batches = take_arrow(reader->GetRecordBatchReader(), kNoParquet, file, kParquetAdvice);
  std::vector<std::string> texts;
  std::vector<std::string_view> tokens;
  std::int64_t row = 0;
  while (true) {
    const std::shared_ptr<arrow::RecordBatch> batch = take_arrow(batches->Next(), kNoParquet, file, kParquetAdvice);
    if (batch == nullptr) return;
    const std::shared_ptr<arrow::Array> walks = batch->GetColumnByName(column);
    for (std::int64_t i = 0; i < batch->num_rows(); ++i) {
      const std::string place = fmt::format("row {}", row++);
      texts.clear();
      if (!append_row(*walks, i, &texts)) {
        throw Error(
            fmt::format("the column {} has no walk here (it is of type {})", column, walks->type()->ToString()),
            {.file = file.string(),
             .place = place,
             .advice = "A walk is a list of whole numbers or texts, or a text; name another one with --column."});
      }
      if (texts.empty()) {
        throw Error("a walk without a token", {.file = file.string(), .place = place, .advice = "Remove it."});
      }
      tokens.assign(texts.begin(), texts.end());
      on_walk(tokens, place);
    }
  }
}
#else
namespace {

[[noreturn]] void refuse_parquet(const fs::path& file) {
  throw Error("this program was built without libparquet",
              {.file = file.string(),
               .place = {},
               .advice = "Build it with libparquet-dev, or write the walks as JSON lines: pandas' "
                         "to_json(orient=\"records\", lines=True)."});
}

}  // namespace

bool has_parquet() {
  return false;
}

std::vector<std::string> parquet_columns(const fs::path& file) {
  refuse_parquet(file);
}

void read_parquet_walks(const fs::path& file, const std::string&, const OnWalk&) {
  refuse_parquet(file);
}
#endif

}  // namespace strider
