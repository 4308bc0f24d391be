#include "data/arrow_split.h"

#include <arrow/array/array_primitive.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/align_util.h>
#include <arrow/util/bit_util.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"
#include "data/arrow_columns.h"
#include "data/arrow_status.h"
#include "data/file_errors.h"
#include "io/json.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCannotRead = "cannot read the file";
constexpr const char* kNoStream = "this is no Arrow stream of walks";

[[noreturn]] void refuse(const ArrowPlace& at, const std::string& what, const std::string& place = {}) {
  throw Error(what, {.file = at.file.string(), .place = place, .advice = at.advice});
}

WalkChunk make_chunk(const std::shared_ptr<arrow::RecordBatch>& batch, const ArrowPlace& at, std::int64_t first_walk,
                     ColumnUse& use) {
  constexpr std::int64_t kIpcAlignment = 8;
  for (const auto& column : batch->columns()) {
    if (!arrow::util::CheckAlignment(*column, kIpcAlignment)) refuse_batch(at, "the numbers are not aligned");
  }
  const arrow::Status status = batch->ValidateFull();
  if (!status.ok()) refuse_batch(at, fmt::format("damaged: {}", arrow_reason(status)));
  WalkChunk chunk;
  chunk.first_walk = first_walk;
  chunk.walks = batch->num_rows();
  chunk.owner = batch;
  chunk.ids = list_column(*batch->GetColumnByName("input_ids"), "input_ids", at);
  apply_training_columns(*batch, at, chunk, use);
  const std::shared_ptr<arrow::Array> walk_ids = batch->GetColumnByName("walk_id");
  if (walk_ids == nullptr || walk_ids->null_count() > 0) return chunk;
  if (walk_ids->type_id() == arrow::Type::INT64) {
    chunk.walk_ids64 = static_cast<const arrow::Int64Array&>(*walk_ids).raw_values();
  } else if (walk_ids->type_id() == arrow::Type::INT32) {
    chunk.walk_ids32 = static_cast<const arrow::Int32Array&>(*walk_ids).raw_values();
  }
  return chunk;
}

template <typename T>
bool all_inside(const T* ids, std::int64_t count, std::int64_t vocab_size) {
  T least = 0;
  T most = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    least = std::min(least, ids[i]);
    most = std::max(most, ids[i]);
  }
  return static_cast<std::int64_t>(least) >= 0 && static_cast<std::int64_t>(most) < vocab_size;
}

[[noreturn]] void refuse_id(std::int64_t id, const std::string& place, const ArrowPlace& at, std::int64_t vocab_size) {
  throw Error(fmt::format("the id {} is outside the vocabulary of {} (ids 0 to {})", id, vocab_size, vocab_size - 1),
              {.file = at.file.string(),
               .place = place,
               .advice = "vocab_size in the vocab_info.json of this dataset must be its largest id plus one."});
}

template <typename T>
void check_ids(const WalkChunk& chunk, const ArrowPlace& at, std::int64_t vocab_size) {
  const T* values = static_cast<const T*>(chunk.ids.values);
  for (std::int64_t walk = 0; walk < chunk.walks; ++walk) {
    if (chunk.length(walk) <= 0) {
      throw Error("a walk without a token", {.file = at.file.string(),
                                             .place = fmt::format("{} walk {}", at.split, chunk.first_walk + walk),
                                             .advice = "Remove the walk from the dataset."});
    }
  }
  if (chunk.walks == 0) return;
  const std::int64_t begin = chunk.ids.offset(0);
  // Padding need not be in the vocabulary, so that walks which are cut are looked at one by one.
  if (all_inside(values + begin, chunk.ids.offset(chunk.walks) - begin, vocab_size)) return;
  for (std::int64_t walk = 0; walk < chunk.walks; ++walk) {
    const T* ids = values + chunk.ids.offset(walk);
    for (std::int64_t i = 0; i < chunk.length(walk); ++i) {
      const auto id = static_cast<std::int64_t>(ids[i]);  // NOLINT(bugprone-signed-char-misuse): int8 is a number
      if (id >= 0 && id < vocab_size) continue;
      refuse_id(id, fmt::format("{} walk {}, position {}", at.split, chunk.first_walk + walk, i), at, vocab_size);
    }
  }
}

void check_walks(const WalkChunk& chunk, const ArrowPlace& at, std::int64_t vocab_size) {
  const int bytes = chunk.ids.value_bytes;
  if (chunk.ids.is_unsigned) {
    if (bytes == 1) return check_ids<std::uint8_t>(chunk, at, vocab_size);
    if (bytes == 2) return check_ids<std::uint16_t>(chunk, at, vocab_size);
    return check_ids<std::uint32_t>(chunk, at, vocab_size);
  }
  if (bytes == 1) return check_ids<std::int8_t>(chunk, at, vocab_size);
  if (bytes == 2) return check_ids<std::int16_t>(chunk, at, vocab_size);
  if (bytes == 4) return check_ids<std::int32_t>(chunk, at, vocab_size);
  check_ids<std::int64_t>(chunk, at, vocab_size);
}

std::vector<fs::path> shards_of(const SplitPlace& split) {
  const fs::path state_file = split.folder / "state.json";
  const ArrowPlace at{.file = state_file, .split = split.name, .advice = split.advice};
  if (!fs::exists(state_file)) refuse(at, "the file that lists the walks' files is missing");
  const nlohmann::json state = read_json(state_file);
  if (!state.is_object() || !state.contains("_data_files") || !state["_data_files"].is_array()) {
    refuse(at, "the list _data_files is missing");
  }
  // `datasets` writes an indices mapping only in formats that save_to_disk flattens; another order would be silently
  // wrong.
  if (state.contains("_indices_data_files") && !state["_indices_data_files"].is_null()) {
    refuse(at, "the dataset has an indices mapping", "_indices_data_files");
  }
  std::vector<fs::path> shards;
  for (const nlohmann::json& entry : state["_data_files"]) {
    const std::string name = json_string(entry, "filename", state_file);
    if (name.empty() || name != fs::path(name).filename().string() || name == "." || name == "..") {
      refuse(at, fmt::format("\"{}\" is no plain file name", name), "_data_files");
    }
    shards.push_back(split.folder / name);
  }
  return shards;
}

// Only the columns that are read: others may be of any type, and large.
arrow::ipc::IpcReadOptions read_options(const arrow::Schema& schema, const ArrowPlace& at) {
  arrow::ipc::IpcReadOptions options = arrow::ipc::IpcReadOptions::Defaults();
  options.memory_pool = arrow::system_memory_pool();
  options.use_threads = false;
  const std::size_t found = schema.GetAllFieldIndices("input_ids").size();
  if (found != 1) {
    throw Error(fmt::format("there is {} column input_ids", found == 0 ? "no" : "more than one"),
                {.file = at.file.string(),
                 .place = fmt::format("columns: {}", fmt::join(schema.field_names(), ", ")),
                 .advice = "Name the column of token ids input_ids (rename_column of the library datasets)."});
  }
  options.included_fields = training_columns(schema);
  options.included_fields.push_back(schema.GetFieldIndex("input_ids"));
  if (const int walk_id = schema.GetFieldIndex("walk_id"); walk_id >= 0) options.included_fields.push_back(walk_id);
  return options;
}

// What other programs write by the name of Arrow, distinguished by its first bytes. Since Arrow 0.15 a stream begins
// with FF FF FF FF and the length of the schema; before, with the length alone.
void check_is_stream(std::string_view bytes, const ArrowPlace& at) {
  const auto refuse_kind = [&](const std::string& what, const char* reader, const char* module = "") {
    throw Error(
        what, {.file = at.file.string(),
               .place = {},
               .advice = fmt::format(
                   "Convert it: python3 -c 'import datasets, pyarrow, sys{}; "
                   "datasets.Dataset({}).save_to_disk(sys.argv[2])' {} NEW_FOLDER, and write vocab_info.json into it.",
                   module, reader, at.file.filename().string())});
  };
  if (bytes.starts_with("ARROW1")) {
    refuse_kind("this is an Arrow file (it begins with ARROW1), not an Arrow stream as datasets writes it",
                "pyarrow.ipc.open_file(sys.argv[1]).read_all()");
  }
  if (bytes.starts_with("PAR1")) {
    refuse_kind("this is a Parquet file, not an Arrow stream as datasets writes it",
                "pyarrow.parquet.read_table(sys.argv[1])", ", pyarrow.parquet");
  }
  if (bytes.starts_with("FEA1")) {
    refuse_kind("this is a Feather file of version 1, not an Arrow stream as datasets writes it",
                "pyarrow.feather.read_table(sys.argv[1])", ", pyarrow.feather");
  }
  constexpr std::size_t kLengthBytes = 4;
  if (bytes.size() <= kLengthBytes || bytes.starts_with("\xFF\xFF\xFF\xFF")) return;
  std::uint32_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  // A schema's length is a multiple of eight short of the four bytes ahead of it.
  if (length == 0 || length >= bytes.size() || (length + kLengthBytes) % 8 != 0) return;
  refuse_kind("this is an Arrow stream as Arrow wrote it before version 0.15",
              "pyarrow.ipc.open_stream(sys.argv[1]).read_all()");
}

// A stream ends with an end marker. Arrow also takes the end of the file for one, which would hide a cut between
// batches.
void check_end(arrow::io::MemoryMappedFile& mapped, const ArrowPlace& at) {
  constexpr std::array<std::uint8_t, 8> kEndMarker = {0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0};
  constexpr auto kBytes = static_cast<std::int64_t>(kEndMarker.size());
  const std::int64_t end = take_arrow(mapped.Tell(), kCannotRead, at.file, at.advice.c_str());
  const auto bytes = take_arrow(mapped.ReadAt(std::max<std::int64_t>(0, end - kBytes), kBytes), kCannotRead, at.file,
                                at.advice.c_str());
  if (bytes->size() != kBytes || !std::equal(kEndMarker.begin(), kEndMarker.end(), bytes->data())) {
    refuse(at, "the Arrow stream is cut short: its end marker is missing", fmt::format("byte {}", end));
  }
}

void read_shard(ArrowPlace at, std::int64_t vocab_size, WalkSplit::Storage& storage, ColumnUse& use) {
  using arrow::ipc::RecordBatchStreamReader;
  const fs::path& file = at.file;
  const char* const advice = at.advice.c_str();
  if (!fs::is_regular_file(file)) refuse(at, "the file of walks is missing");
  if (fs::file_size(file) == 0) refuse(at, "the file is empty");
  const auto mapped = take_arrow(arrow::io::MemoryMappedFile::Open(file.string(), arrow::io::FileMode::READ),
                                 kCannotRead, file, advice);
  const auto whole = take_arrow(mapped->ReadAt(0, take_arrow(mapped->GetSize(), kCannotRead, file, advice)),
                                kCannotRead, file, advice);
  check_is_stream(std::string_view(*whole), at);
  const auto schema = take_arrow(RecordBatchStreamReader::Open(mapped), kNoStream, file, advice)->schema();
  check_arrow(mapped->Seek(0), kCannotRead, file, advice);
  const auto reader =
      take_arrow(RecordBatchStreamReader::Open(mapped, read_options(*schema, at)), kNoStream, file, advice);
  storage.shards.push_back({std::as_bytes(std::span(whole->data(), static_cast<std::size_t>(whole->size()))), whole});
  constexpr std::int64_t kBytesBetweenReleases = 16 << 20;
  std::int64_t released = 0;
  for (;; ++at.batch) {
    std::shared_ptr<arrow::RecordBatch> batch;
    const arrow::Status status = reader->ReadNext(&batch);
    if (!status.ok())
      refuse_batch(at, fmt::format("the Arrow stream is damaged or cut short: {}", arrow_reason(status)));
    if (batch == nullptr) break;
    if (batch->num_rows() == 0) continue;
    WalkChunk chunk = make_chunk(batch, at, storage.walks, use);
    check_walks(chunk, at, vocab_size);
    storage.walks += chunk.walks;
    storage.chunks.push_back(std::move(chunk));
    const std::int64_t read = take_arrow(mapped->Tell(), kCannotRead, file, advice);
    if (read - released < kBytesBetweenReleases) continue;
    release_pages(storage.shards.back());
    released = read;
  }
  check_end(*mapped, at);
}

}  // namespace

const WalkChunk& WalkSplit::Storage::chunk_of(std::int64_t walk) const {
  const auto after = std::upper_bound(chunks.begin(), chunks.end(), walk,
                                      [](std::int64_t at, const WalkChunk& chunk) { return at < chunk.first_walk; });
  return *(after - 1);
}

// Of a mapping that is only read, the file still has every byte. Where the call is refused, the system takes the pages
// back when it needs them.
void release_pages(const MappedShard& shard) {
  static_cast<void>(madvise(const_cast<std::byte*>(shard.bytes.data()), shard.bytes.size(), MADV_DONTNEED));
}

std::int64_t ListColumn::value(std::int64_t at) const {
  const auto read = [&](auto kind) {
    // NOLINTNEXTLINE(bugprone-signed-char-misuse): int8 is a number
    return static_cast<std::int64_t>(static_cast<const decltype(kind)*>(values)[at]);
  };
  switch (value_bytes) {
    case 0:
      return arrow::bit_util::GetBit(static_cast<const std::uint8_t*>(values), first_bit + at) ? 1 : 0;
    case 1:
      return is_unsigned ? read(std::uint8_t{}) : read(std::int8_t{});
    case 2:
      return is_unsigned ? read(std::uint16_t{}) : read(std::int16_t{});
    case 4:
      return is_unsigned ? read(std::uint32_t{}) : read(std::int32_t{});
    default:
      return read(std::int64_t{});
  }
}

WalkSplit open_split(const SplitPlace& place, std::int64_t vocab_size, ColumnUse& use) {
  auto storage = std::make_shared<WalkSplit::Storage>();
  for (const fs::path& shard : shards_of(place)) {
    read_shard({.file = shard, .split = place.name, .advice = place.advice}, vocab_size, *storage, use);
  }
  return WalkSplit(std::move(storage));
}

}  // namespace strider
