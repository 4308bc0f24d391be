#include "data/arrow_split.h"

#include <arrow/api.h>
#include <arrow/io/api.h>
#include <arrow/ipc/api.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/json.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const fs::path& file, const std::string& what, const std::string& place = {}) {
  throw Error(what, {.file = file.string(),
                     .place = place,
                     .advice = "Make the dataset again with ./01c_dataset_preparation.sh, or copy it again."});
}

void check(const arrow::Status& status, const fs::path& file, const char* what) {
  if (!status.ok()) refuse(file, fmt::format("{}: {}", what, status.message()));
}

template <typename T>
T take(arrow::Result<T> result, const fs::path& file, const char* what) {
  check(result.status(), file, what);
  return std::move(result).ValueUnsafe();
}

// Where the ids of a list column's items are, by their type.
template <typename ListArray>
void point_at_items(const ListArray& list, const fs::path& file, WalkChunk& chunk) {
  const std::shared_ptr<arrow::Array> items = list.values();
  if (items->null_count() > 0) refuse(file, "a walk has an id that is null");
  const auto point = [&](const auto& typed, bool is_unsigned) {
    chunk.values = typed.raw_values();
    chunk.value_bytes = static_cast<int>(sizeof(*typed.raw_values()));
    chunk.is_unsigned = is_unsigned;
  };
  switch (items->type_id()) {
    case arrow::Type::INT8:
      return point(static_cast<const arrow::Int8Array&>(*items), false);
    case arrow::Type::INT16:
      return point(static_cast<const arrow::Int16Array&>(*items), false);
    case arrow::Type::INT32:
      return point(static_cast<const arrow::Int32Array&>(*items), false);
    case arrow::Type::INT64:
      return point(static_cast<const arrow::Int64Array&>(*items), false);
    case arrow::Type::UINT8:
      return point(static_cast<const arrow::UInt8Array&>(*items), true);
    case arrow::Type::UINT16:
      return point(static_cast<const arrow::UInt16Array&>(*items), true);
    case arrow::Type::UINT32:
      return point(static_cast<const arrow::UInt32Array&>(*items), true);
    default:
      refuse(file, fmt::format("the column input_ids holds {}, not whole numbers", items->type()->ToString()));
  }
}

WalkChunk make_chunk(const std::shared_ptr<arrow::RecordBatch>& batch, const fs::path& file, std::int64_t first_walk) {
  check(batch->ValidateFull(), file, "a damaged record batch");
  const std::shared_ptr<arrow::Array> ids = batch->GetColumnByName("input_ids");
  if (ids == nullptr) refuse(file, "there is no column input_ids");
  if (ids->null_count() > 0) refuse(file, "a walk is null");
  WalkChunk chunk;
  chunk.first_walk = first_walk;
  chunk.walks = batch->num_rows();
  chunk.owner = batch;
  if (ids->type_id() == arrow::Type::LIST) {
    const auto& list = static_cast<const arrow::ListArray&>(*ids);
    chunk.offsets32 = list.raw_value_offsets();
    point_at_items(list, file, chunk);
  } else if (ids->type_id() == arrow::Type::LARGE_LIST) {
    const auto& list = static_cast<const arrow::LargeListArray&>(*ids);
    chunk.offsets64 = list.raw_value_offsets();
    point_at_items(list, file, chunk);
  } else {
    refuse(file, fmt::format("the column input_ids is {}, not a list", ids->type()->ToString()));
  }
  const std::shared_ptr<arrow::Array> walk_ids = batch->GetColumnByName("walk_id");
  if (walk_ids != nullptr && walk_ids->type_id() == arrow::Type::INT64 && walk_ids->null_count() == 0) {
    chunk.walk_ids = static_cast<const arrow::Int64Array&>(*walk_ids).raw_values();
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
void check_ids(const WalkChunk& chunk, const fs::path& file, const std::string& split, std::int64_t vocab_size) {
  const T* values = static_cast<const T*>(chunk.values);
  for (std::int64_t walk = 0; walk < chunk.walks; ++walk) {
    if (chunk.offset(walk + 1) <= chunk.offset(walk)) {
      refuse(file, "a walk without a token", fmt::format("{} walk {}", split, chunk.first_walk + walk));
    }
  }
  if (chunk.walks == 0) return;
  const std::int64_t begin = chunk.offset(0);
  if (all_inside(values + begin, chunk.offset(chunk.walks) - begin, vocab_size)) return;
  for (std::int64_t walk = 0; walk < chunk.walks; ++walk) {
    for (std::int64_t i = chunk.offset(walk); i < chunk.offset(walk + 1); ++i) {
      const auto id = static_cast<std::int64_t>(values[i]);
      if (id >= 0 && id < vocab_size) continue;
      throw Error(
          fmt::format("the id {} is outside the vocabulary of {} (ids 0 to {})", id, vocab_size, vocab_size - 1),
          {.file = file.string(),
           .place = fmt::format("{} walk {}, position {}", split, chunk.first_walk + walk, i - chunk.offset(walk)),
           .advice = "vocab_info.json must belong to this dataset; make it again with "
                     "./01c_dataset_preparation.sh"});
    }
  }
}

void check_walks(const WalkChunk& chunk, const fs::path& file, const std::string& split, std::int64_t vocab_size) {
  if (chunk.is_unsigned) {
    if (chunk.value_bytes == 1) return check_ids<std::uint8_t>(chunk, file, split, vocab_size);
    if (chunk.value_bytes == 2) return check_ids<std::uint16_t>(chunk, file, split, vocab_size);
    return check_ids<std::uint32_t>(chunk, file, split, vocab_size);
  }
  if (chunk.value_bytes == 1) return check_ids<std::int8_t>(chunk, file, split, vocab_size);
  if (chunk.value_bytes == 2) return check_ids<std::int16_t>(chunk, file, split, vocab_size);
  if (chunk.value_bytes == 4) return check_ids<std::int32_t>(chunk, file, split, vocab_size);
  check_ids<std::int64_t>(chunk, file, split, vocab_size);
}

std::vector<fs::path> shards_of(const fs::path& folder) {
  const fs::path state_file = folder / "state.json";
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

void read_shard(const fs::path& file, const std::string& split, std::int64_t vocab_size, WalkSplit::Storage& storage) {
  const auto mapped =
      take(arrow::io::MemoryMappedFile::Open(file.string(), arrow::io::FileMode::READ), file, "cannot map the file");
  const auto reader = take(arrow::ipc::RecordBatchStreamReader::Open(mapped), file, "no Arrow stream of walks");
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    check(reader->ReadNext(&batch), file, "the Arrow stream is damaged or cut short");
    if (batch == nullptr) break;
    if (batch->num_rows() == 0) continue;
    WalkChunk chunk = make_chunk(batch, file, storage.walks);
    check_walks(chunk, file, split, vocab_size);
    storage.walks += chunk.walks;
    storage.chunks.push_back(std::move(chunk));
  }
  // A stream ends with an end marker; Arrow also takes the end of the file for one, which would hide a cut between
  // batches.
  const auto size = take(mapped->GetSize(), file, "cannot map the file");
  const auto end = take(mapped->Tell(), file, "cannot map the file");
  constexpr std::int64_t kEndMarker = 8;
  std::uint64_t marker = 1;
  if (end >= kEndMarker && end <= size) {
    const auto bytes = take(mapped->ReadAt(end - kEndMarker, kEndMarker), file, "cannot map the file");
    std::copy_n(bytes->data(), kEndMarker, reinterpret_cast<std::uint8_t*>(&marker));
  }
  if (marker != 0x00000000FFFFFFFFULL) refuse(file, "the Arrow stream is cut short: its end marker is missing");
}

}  // namespace

const WalkChunk& WalkSplit::Storage::chunk_of(std::int64_t walk) const {
  const auto after = std::upper_bound(chunks.begin(), chunks.end(), walk,
                                      [](std::int64_t at, const WalkChunk& chunk) { return at < chunk.first_walk; });
  return *(after - 1);
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
