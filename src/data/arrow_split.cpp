#include "data/arrow_split.h"

#include <arrow/array/array_nested.h>
#include <arrow/array/array_primitive.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/align_util.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "base/error.h"
#include "data/arrow_status.h"
#include "data/file_errors.h"
#include "io/json.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCannotRead = "cannot read the file";
constexpr const char* kNoStream = "this is no Arrow stream of walks";

// Where something was found: a file, and what in it is being read.
struct Place {
  fs::path file;
  std::string split;
  std::int64_t batch = 0;
};

[[noreturn]] void refuse(const fs::path& file, const std::string& what, const std::string& place = {}) {
  throw Error(what, {.file = file.string(), .place = place, .advice = kMakeItAgain});
}

[[noreturn]] void refuse_batch(const Place& at, const std::string& what) {
  refuse(at.file, what, fmt::format("record batch {}", at.batch));
}

template <typename Array, typename Value = typename Array::value_type>
void point_at_values(const arrow::Array& items, WalkChunk& chunk) {
  chunk.values = static_cast<const Array&>(items).raw_values();
  chunk.value_bytes = static_cast<int>(sizeof(Value));
  chunk.is_unsigned = std::is_unsigned_v<Value>;
}

// Where the ids of all walks are, by the type of a list column's items.
void point_at_items(const arrow::Array& items, const Place& at, WalkChunk& chunk) {
  if (items.null_count() > 0) refuse_batch(at, "a walk has an id that is null");
  switch (items.type_id()) {
    case arrow::Type::INT8:
      return point_at_values<arrow::Int8Array>(items, chunk);
    case arrow::Type::INT16:
      return point_at_values<arrow::Int16Array>(items, chunk);
    case arrow::Type::INT32:
      return point_at_values<arrow::Int32Array>(items, chunk);
    case arrow::Type::INT64:
      return point_at_values<arrow::Int64Array>(items, chunk);
    case arrow::Type::UINT64:  // an id past 2^63 reads as a negative one, and neither is in a vocabulary
      return point_at_values<arrow::UInt64Array, std::int64_t>(items, chunk);
    case arrow::Type::UINT8:
      return point_at_values<arrow::UInt8Array>(items, chunk);
    case arrow::Type::UINT16:
      return point_at_values<arrow::UInt16Array>(items, chunk);
    case arrow::Type::UINT32:
      return point_at_values<arrow::UInt32Array>(items, chunk);
    default:
      refuse_batch(at, fmt::format("the column input_ids holds {}, not whole numbers", items.type()->ToString()));
  }
}

void point_at_walks(const arrow::Array& ids, const Place& at, WalkChunk& chunk) {
  if (ids.null_count() > 0) refuse_batch(at, "a walk is null");
  switch (ids.type_id()) {
    case arrow::Type::LIST: {
      const auto& list = static_cast<const arrow::ListArray&>(ids);
      chunk.offsets32 = list.raw_value_offsets();
      return point_at_items(*list.values(), at, chunk);
    }
    case arrow::Type::LARGE_LIST: {
      const auto& list = static_cast<const arrow::LargeListArray&>(ids);
      chunk.offsets64 = list.raw_value_offsets();
      return point_at_items(*list.values(), at, chunk);
    }
    case arrow::Type::FIXED_SIZE_LIST: {
      const auto& list = static_cast<const arrow::FixedSizeListArray&>(ids);
      chunk.fixed_length = list.value_length();
      return point_at_items(*list.values(), at, chunk);
    }
    default:
      refuse_batch(at, fmt::format("the column input_ids is {}, not a list", ids.type()->ToString()));
  }
}

WalkChunk make_chunk(const std::shared_ptr<arrow::RecordBatch>& batch, const Place& at, std::int64_t first_walk) {
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
  point_at_walks(*batch->GetColumnByName("input_ids"), at, chunk);
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

template <typename T>
void check_ids(const WalkChunk& chunk, const Place& at, std::int64_t vocab_size) {
  const T* values = static_cast<const T*>(chunk.values);
  for (std::int64_t walk = 0; walk < chunk.walks; ++walk) {
    if (chunk.offset(walk + 1) <= chunk.offset(walk)) {
      refuse(at.file, "a walk without a token", fmt::format("{} walk {}", at.split, chunk.first_walk + walk));
    }
  }
  if (chunk.walks == 0) return;
  const std::int64_t begin = chunk.offset(0);
  if (all_inside(values + begin, chunk.offset(chunk.walks) - begin, vocab_size)) return;
  for (std::int64_t walk = 0; walk < chunk.walks; ++walk) {
    for (std::int64_t i = chunk.offset(walk); i < chunk.offset(walk + 1); ++i) {
      const auto id = static_cast<std::int64_t>(values[i]);  // NOLINT(bugprone-signed-char-misuse): int8 is a number
      if (id >= 0 && id < vocab_size) continue;
      throw Error(
          fmt::format("the id {} is outside the vocabulary of {} (ids 0 to {})", id, vocab_size, vocab_size - 1),
          {.file = at.file.string(),
           .place = fmt::format("{} walk {}, position {}", at.split, chunk.first_walk + walk, i - chunk.offset(walk)),
           .advice = "vocab_info.json must belong to this dataset; make it again with "
                     "./01c_dataset_preparation.sh"});
    }
  }
}

void check_walks(const WalkChunk& chunk, const Place& at, std::int64_t vocab_size) {
  if (chunk.is_unsigned) {
    if (chunk.value_bytes == 1) return check_ids<std::uint8_t>(chunk, at, vocab_size);
    if (chunk.value_bytes == 2) return check_ids<std::uint16_t>(chunk, at, vocab_size);
    return check_ids<std::uint32_t>(chunk, at, vocab_size);
  }
  if (chunk.value_bytes == 1) return check_ids<std::int8_t>(chunk, at, vocab_size);
  if (chunk.value_bytes == 2) return check_ids<std::int16_t>(chunk, at, vocab_size);
  if (chunk.value_bytes == 4) return check_ids<std::int32_t>(chunk, at, vocab_size);
  check_ids<std::int64_t>(chunk, at, vocab_size);
}

std::vector<fs::path> shards_of(const fs::path& folder) {
  const fs::path state_file = folder / "state.json";
  if (!fs::exists(state_file)) refuse(state_file, "the file that lists the walks' files is missing");
  const nlohmann::json state = read_json(state_file);
  if (!state.is_object() || !state.contains("_data_files") || !state["_data_files"].is_array()) {
    refuse(state_file, "the list _data_files is missing");
  }
  // `datasets` writes an indices mapping only in formats that save_to_disk flattens; another order would be silently
  // wrong.
  if (state.contains("_indices_data_files") && !state["_indices_data_files"].is_null()) {
    refuse(state_file, "the dataset has an indices mapping", "_indices_data_files");
  }
  std::vector<fs::path> shards;
  for (const nlohmann::json& entry : state["_data_files"]) {
    const std::string name = json_string(entry, "filename", state_file);
    if (name.empty() || name != fs::path(name).filename().string() || name == "." || name == "..") {
      refuse(state_file, fmt::format("\"{}\" is no plain file name", name), "_data_files");
    }
    shards.push_back(folder / name);
  }
  return shards;
}

// Only the columns that are read: others may be of any type, and large.
arrow::ipc::IpcReadOptions read_options(const arrow::Schema& schema, const fs::path& file) {
  arrow::ipc::IpcReadOptions options = arrow::ipc::IpcReadOptions::Defaults();
  options.memory_pool = arrow::system_memory_pool();
  options.use_threads = false;
  const std::size_t found = schema.GetAllFieldIndices("input_ids").size();
  if (found != 1) refuse(file, fmt::format("there is {} column input_ids", found == 0 ? "no" : "more than one"));
  options.included_fields = {schema.GetFieldIndex("input_ids")};
  if (const int walk_id = schema.GetFieldIndex("walk_id"); walk_id >= 0) options.included_fields.push_back(walk_id);
  return options;
}

// A stream ends with an end marker. Arrow also takes the end of the file for one, which would hide a cut between
// batches.
void check_end(arrow::io::MemoryMappedFile& mapped, const fs::path& file) {
  constexpr std::array<std::uint8_t, 8> kEndMarker = {0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0};
  constexpr auto kBytes = static_cast<std::int64_t>(kEndMarker.size());
  const std::int64_t end = take_arrow(mapped.Tell(), kCannotRead, file, kMakeItAgain);
  const auto bytes =
      take_arrow(mapped.ReadAt(std::max<std::int64_t>(0, end - kBytes), kBytes), kCannotRead, file, kMakeItAgain);
  if (bytes->size() != kBytes || !std::equal(kEndMarker.begin(), kEndMarker.end(), bytes->data())) {
    refuse(file, "the Arrow stream is cut short: its end marker is missing", fmt::format("byte {}", end));
  }
}

void read_shard(const fs::path& file, const std::string& split, std::int64_t vocab_size, WalkSplit::Storage& storage) {
  using arrow::ipc::RecordBatchStreamReader;
  if (!fs::is_regular_file(file)) refuse(file, "the file of walks is missing");
  if (fs::file_size(file) == 0) refuse(file, "the file is empty");
  const auto mapped = take_arrow(arrow::io::MemoryMappedFile::Open(file.string(), arrow::io::FileMode::READ),
                                 kCannotRead, file, kMakeItAgain);
  const auto schema = take_arrow(RecordBatchStreamReader::Open(mapped), kNoStream, file, kMakeItAgain)->schema();
  check_arrow(mapped->Seek(0), kCannotRead, file, kMakeItAgain);
  const auto reader =
      take_arrow(RecordBatchStreamReader::Open(mapped, read_options(*schema, file)), kNoStream, file, kMakeItAgain);
  const auto whole = take_arrow(mapped->ReadAt(0, take_arrow(mapped->GetSize(), kCannotRead, file, kMakeItAgain)),
                                kCannotRead, file, kMakeItAgain);
  storage.shards.push_back({std::as_bytes(std::span(whole->data(), static_cast<std::size_t>(whole->size()))), whole});
  constexpr std::int64_t kBytesBetweenReleases = 16 << 20;
  std::int64_t released = 0;
  for (Place at{.file = file, .split = split};; ++at.batch) {
    std::shared_ptr<arrow::RecordBatch> batch;
    const arrow::Status status = reader->ReadNext(&batch);
    if (!status.ok())
      refuse_batch(at, fmt::format("the Arrow stream is damaged or cut short: {}", arrow_reason(status)));
    if (batch == nullptr) break;
    if (batch->num_rows() == 0) continue;
    WalkChunk chunk = make_chunk(batch, at, storage.walks);
    check_walks(chunk, at, vocab_size);
    storage.walks += chunk.walks;
    storage.chunks.push_back(std::move(chunk));
    const std::int64_t read = take_arrow(mapped->Tell(), kCannotRead, file, kMakeItAgain);
    if (read - released < kBytesBetweenReleases) continue;
    release_pages(storage.shards.back());
    released = read;
  }
  check_end(*mapped, file);
}

}  // namespace

const WalkChunk& WalkSplit::Storage::chunk_of(std::int64_t walk) const {
  const auto after = std::upper_bound(chunks.begin(), chunks.end(), walk,
                                      [](std::int64_t at, const WalkChunk& chunk) { return at < chunk.first_walk; });
  return *(after - 1);
}

// Of a mapping that is only read, the file still has every byte.
void release_pages(const MappedShard& shard) {
  if (madvise(const_cast<std::byte*>(shard.bytes.data()), shard.bytes.size(), MADV_DONTNEED) == 0) return;
  throw system_error("cannot give the memory of a mapped file back", errno);
}

WalkSplit open_split(const fs::path& folder, const std::string& name, std::int64_t vocab_size) {
  auto storage = std::make_shared<WalkSplit::Storage>();
  for (const fs::path& shard : shards_of(folder)) read_shard(shard, name, vocab_size, *storage);
  if (storage->walks == 0) {
    throw Error(fmt::format("the split {} is empty", name),
                {.file = folder.string(), .place = {}, .advice = "Make more walks (MAX_SEQS) or change TRAIN_SPLIT."});
  }
  return WalkSplit(std::move(storage));
}

}  // namespace strider
