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
    throw Error("vocab_info.json is missing",
                {.file = folder.string(),
                 .place = {},
                 .advice = "Please run ./01c_dataset_preparation.sh first. Beside walks of another origin, write this "
                           "file by hand: {\"vocab_size\": the largest id plus one}."});
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

std::vector<std::string> read_splits(const fs::path& file) {
  const nlohmann::json object = read_json(file);
  std::vector<std::string> names;
  if (!object.is_object() || !object.contains("splits") || !object["splits"].is_array()) {
    throw Error("the list \"splits\" is missing", {.file = file.string(), .place = {}, .advice = kMakeItAgain});
  }
  for (const nlohmann::json& name : object["splits"]) {
    if (!name.is_string())
      throw Error("a split's name is no string", {.file = file.string(), .place = "splits", .advice = kMakeItAgain});
    names.push_back(name.get<std::string>());
  }
  return names;
}

WalkDataset open_checked(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    throw Error(fmt::format("Dataset directory {} not found!", folder.string()),
                {.file = {}, .place = {}, .advice = "Please run ./01c_dataset_preparation.sh first"});
  }
  const VocabInfo vocab = read_vocab_info(folder);
  const fs::path splits_file = folder / "dataset_dict.json";
  if (!fs::exists(splits_file)) return {vocab, open_split(folder, "train", vocab.vocab_size), std::nullopt};
  const std::vector<std::string> splits = read_splits(splits_file);
  const auto has = [&](const char* name) { return std::find(splits.begin(), splits.end(), name) != splits.end(); };
  if (!has("train")) {
    throw Error("the dataset has no split \"train\"",
                {.file = splits_file.string(), .place = "splits", .advice = "Name the split of walks to train on so."});
  }
  WalkDataset dataset{vocab, open_split(folder / "train", "train", vocab.vocab_size), std::nullopt};
  if (has("validation")) dataset.validation = open_split(folder / "validation", "validation", vocab.vocab_size);
  return dataset;
}

}  // namespace

std::int64_t WalkSplit::size() const {
  return storage_->walks;
}

std::int64_t WalkSplit::length(std::int64_t walk) const {
  const WalkChunk& chunk = storage_->chunk_of(walk);
  const std::int64_t at = walk - chunk.first_walk;
  return chunk.offset(at + 1) - chunk.offset(at);
}

void WalkSplit::release_pages() const {
  for (const MappedShard& shard : storage_->shards) strider::release_pages(shard);
}

std::size_t WalkSplit::read(std::int64_t walk, std::span<std::int32_t> out) const {
  const WalkChunk& chunk = storage_->chunk_of(walk);
  const std::int64_t at = walk - chunk.first_walk;
  const std::int64_t begin = chunk.offset(at);
  const std::size_t count = std::min(out.size(), static_cast<std::size_t>(chunk.offset(at + 1) - begin));
  if (chunk.value_bytes == 8) {
    narrow<std::int64_t>(chunk.values, begin, count, out.data());
  } else if (chunk.value_bytes == 4) {
    narrow<std::int32_t>(chunk.values, begin, count, out.data());  // ids are below 2^31 whatever their sign
  } else if (chunk.value_bytes == 2) {
    chunk.is_unsigned ? narrow<std::uint16_t>(chunk.values, begin, count, out.data())
                      : narrow<std::int16_t>(chunk.values, begin, count, out.data());
  } else {
    chunk.is_unsigned ? narrow<std::uint8_t>(chunk.values, begin, count, out.data())
                      : narrow<std::int8_t>(chunk.values, begin, count, out.data());
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
    for (std::int64_t i = 0; i < chunk.walks; ++i) sum += std::min(max_length, chunk.offset(i + 1) - chunk.offset(i));
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
