#include "data/walk_dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "data/arrow_split.h"
#include "data/file_errors.h"
#include "io/json.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

template <typename T>
void narrow(const void* values, std::int64_t begin, std::size_t count, std::int32_t* out) {
  const T* from = static_cast<const T*>(values) + begin;
  // NOLINTNEXTLINE(bugprone-signed-char-misuse): int8 is a number
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<std::int32_t>(from[i]);
}

VocabInfo read_vocab_info(const fs::path& folder) {
  const fs::path file = folder / "vocab_info.json";
  if (!fs::exists(file)) {
    const bool is_dataset = fs::exists(folder / "dataset_dict.json") || fs::exists(folder / "state.json");
    throw Error("vocab_info.json is missing",
                {.file = folder.string(),
                 .place = {},
                 .advice = is_dataset ? "Write it beside the splits: {\"vocab_size\": N}, where N is the largest id "
                                        "plus one."
                                      : "This folder has no dataset in it; name another one with DATASET_DIR, or run "
                                        "01c_dataset_preparation.sh first."});
  }
  const nlohmann::json object = read_json(file);
  VocabInfo info;
  info.vocab_size = json_integer(object, "vocab_size", file);
  if (info.vocab_size < 1 || info.vocab_size > INT32_MAX) {
    throw Error(fmt::format("vocab_size is {}", info.vocab_size),
                {.file = file.string(), .place = {}, .advice = "It must be the largest id plus one."});
  }
  info.max_id = info.vocab_size - 1;
  if (object.contains("min_id")) info.min_id = json_integer(object, "min_id", file);
  if (object.contains("max_id")) info.max_id = json_integer(object, "max_id", file);
  if (object.contains("best_loss") && !object["best_loss"].is_null()) {
    info.best_loss = json_number(object, "best_loss", file);
  }
  return info;
}

// Datasets that strider dataset made say how far a model can get on them, if only that it is not known.
bool is_our_own(const fs::path& folder) {
  const nlohmann::json object = read_json(folder / "vocab_info.json");
  return object.is_object() && object.contains("walk_rule");
}

std::string advice_for_damage(const fs::path& folder) {
  return is_our_own(folder) ? "Make the dataset again with 01c_dataset_preparation.sh, or copy it again."
                            : "Copy the dataset again, or write it again with save_to_disk of the library datasets.";
}

std::vector<std::string> read_splits(const fs::path& file, const std::string& advice) {
  const nlohmann::json object = read_json(file);
  std::vector<std::string> names;
  if (!object.is_object() || !object.contains("splits") || !object["splits"].is_array()) {
    throw Error("the list \"splits\" is missing", {.file = file.string(), .place = {}, .advice = advice});
  }
  for (const nlohmann::json& name : object["splits"]) {
    if (!name.is_string())
      throw Error("a split's name is no string", {.file = file.string(), .place = "splits", .advice = advice});
    names.push_back(name.get<std::string>());
  }
  return names;
}

// Opens the splits of a dataset folder and collects what is to be said about them.
class DatasetReader {
 public:
  explicit DatasetReader(fs::path folder)
      : folder_(std::move(folder)), vocab_(read_vocab_info(folder_)), advice_(advice_for_damage(folder_)) {}

  WalkDataset read() {
    const fs::path splits_file = folder_ / "dataset_dict.json";
    if (!fs::exists(splits_file)) {
      WalkDataset dataset{vocab_, open_train(folder_), std::nullopt, {}};
      add_column_notice();
      dataset.notices = std::move(notices_);
      return dataset;
    }
    const std::vector<std::string> splits = read_splits(splits_file, advice_);
    if (std::find(splits.begin(), splits.end(), "train") == splits.end()) {
      throw Error("the dataset has no split \"train\"", {.file = splits_file.string(),
                                                         .place = fmt::format("splits: {}", fmt::join(splits, ", ")),
                                                         .advice = "Name the split of walks to train on so."});
    }
    WalkDataset dataset{vocab_, open_train(folder_ / "train"), find_validation(splits), {}};
    add_column_notice();
    dataset.notices = std::move(notices_);
    return dataset;
  }

 private:
  WalkSplit open_train(const fs::path& folder) {
    WalkSplit split = open_split({folder, "train", advice_}, vocab_.vocab_size, use_);
    if (split.size() > 0) return split;
    throw Error("the split train is empty",
                {.file = folder.string(),
                 .place = {},
                 .advice = is_our_own(folder_) ? "Make more walks (MAX_SEQS) or change TRAIN_SPLIT."
                                               : "Write a dataset that has walks to train on."});
  }

  // The first that has walks, of the names that people give to it.
  std::optional<WalkSplit> find_validation(const std::vector<std::string>& splits) {
    for (const char* name : {"validation", "valid", "val", "dev", "eval", "test"}) {
      if (std::find(splits.begin(), splits.end(), name) == splits.end()) continue;
      WalkSplit split = open_split({folder_ / name, name, advice_}, vocab_.vocab_size, use_);
      if (split.size() == 0) {
        notices_.push_back(fmt::format("The split {} of the dataset is empty and counts as none.", name));
        continue;
      }
      if (std::string(name) != "validation") {
        notices_.push_back(fmt::format("The dataset has no split validation; its split {} serves as one.", name));
      }
      return split;
    }
    return std::nullopt;
  }

  void add_column_notice() {
    if (use_.columns.empty()) return;
    const char* const are = use_.columns.size() == 1 ? "is" : "are";
    notices_.push_back(
        use_.cut == 0
            ? fmt::format("Beside input_ids {} {} read, and {} nothing: every walk trains whole, on its next ids.",
                          fmt::join(use_.columns, ", "), are, use_.columns.size() == 1 ? "changes" : "change")
            : fmt::format("Beside input_ids {} {} read: {} of {} walks are cut where their padding begins.",
                          fmt::join(use_.columns, ", "), are, use_.cut, use_.walks));
  }

  fs::path folder_;
  VocabInfo vocab_;
  std::string advice_;
  ColumnUse use_;
  std::vector<std::string> notices_;
};

WalkDataset open_checked(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    throw Error(fmt::format("Dataset directory {} not found!", folder.string()),
                {.file = {},
                 .place = {},
                 .advice = "Name a dataset folder with DATASET_DIR; 01c_dataset_preparation.sh makes one."});
  }
  return DatasetReader(folder).read();
}

}  // namespace

std::int64_t WalkSplit::size() const {
  return storage_->walks;
}

std::int64_t WalkSplit::length(std::int64_t walk) const {
  const WalkChunk& chunk = storage_->chunk_of(walk);
  const std::int64_t at = walk - chunk.first_walk;
  return chunk.length(at);
}

void WalkSplit::release_pages() const {
  for (const MappedShard& shard : storage_->shards) strider::release_pages(shard);
}

std::size_t WalkSplit::read(std::int64_t walk, std::span<std::int32_t> out) const {
  const WalkChunk& chunk = storage_->chunk_of(walk);
  const std::int64_t at = walk - chunk.first_walk;
  const std::int64_t begin = chunk.ids.offset(at);
  const std::size_t count = std::min(out.size(), static_cast<std::size_t>(chunk.length(at)));
  if (chunk.ids.value_bytes == 8) {
    narrow<std::int64_t>(chunk.ids.values, begin, count, out.data());
  } else if (chunk.ids.value_bytes == 4) {
    narrow<std::int32_t>(chunk.ids.values, begin, count, out.data());  // ids are below 2^31 whatever their sign
  } else if (chunk.ids.value_bytes == 2) {
    chunk.ids.is_unsigned ? narrow<std::uint16_t>(chunk.ids.values, begin, count, out.data())
                          : narrow<std::int16_t>(chunk.ids.values, begin, count, out.data());
  } else {
    chunk.ids.is_unsigned ? narrow<std::uint8_t>(chunk.ids.values, begin, count, out.data())
                          : narrow<std::int8_t>(chunk.ids.values, begin, count, out.data());
  }
  return count;
}

std::int64_t WalkSplit::walk_id(std::int64_t walk) const {
  const WalkChunk& chunk = storage_->chunk_of(walk);
  if (chunk.walk_ids64 != nullptr) return chunk.walk_ids64[walk - chunk.first_walk];
  return chunk.walk_ids32 != nullptr ? chunk.walk_ids32[walk - chunk.first_walk] : walk;
}

std::int64_t WalkSplit::tokens(std::int64_t max_length) const {
  std::int64_t sum = 0;
  std::int64_t unreleased = 0;
  for (const WalkChunk& chunk : storage_->chunks) {
    for (std::int64_t i = 0; i < chunk.walks; ++i) sum += std::min(max_length, chunk.length(i));
    unreleased += chunk.walks;
    if (unreleased < kWalksBetweenReleases) continue;
    release_pages();
    unreleased = 0;
  }
  return sum;
}

WalkDataset open_dataset(const fs::path& folder) {
  return with_file_errors([&] { return open_checked(folder); });
}

}  // namespace strider
