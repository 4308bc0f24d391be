#pragma once
// A dataset folder as datasets.DatasetDict.save_to_disk writes it, opened in place: the walks stay in mapped memory.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace strider {

/// What vocab_info.json says.
struct VocabInfo {
  std::int64_t vocab_size = 0;
  std::int64_t min_id = 0;
  std::int64_t max_id = 0;
  // Strider's extra keys: the best loss that any model can reach on the validation walks (nats per predicted token,
  // mean over predicted tokens), absent where it is not known.
  std::optional<double> best_loss;
};

/// The walks of one split. Cheap to copy (shares the mapping); safe to read from several threads.
class WalkSplit {
 public:
  std::int64_t size() const;                     // walks
  std::int64_t length(std::int64_t walk) const;  // tokens of a walk, before any cut
  /// Copies the first min(length, out.size()) ids of a walk into `out`; returns how many.
  std::size_t read(std::int64_t walk, std::span<std::int32_t> out) const;
  /// walk_id of the row, or the row's own number when the dataset has no such column of int64 or int32.
  std::int64_t walk_id(std::int64_t walk) const;
  std::int64_t tokens(std::int64_t max_length) const;  // sum over walks of min(length, max_length)
  /// Takes the file's pages that reads have touched out of this process, so that it stays small however many walks
  /// there are; later reads find them in the system's cache.
  void release_pages() const;

  struct Storage;
  explicit WalkSplit(std::shared_ptr<const Storage> storage) : storage_(std::move(storage)) {}

 private:
  std::shared_ptr<const Storage> storage_;
};

struct WalkDataset {
  VocabInfo vocab;
  WalkSplit train;
  std::optional<WalkSplit> validation;  // absent when the folder has no such split, or an empty one
  std::vector<std::string> notices;     // what a user should know of how it is read; a line each
};

/// After so many walks read here and there it is time for release_pages(): each may have touched 200 KB.
inline constexpr std::int64_t kWalksBetweenReleases = 250;

/// Opens a dataset folder and checks all of it: every id against the vocabulary (an Error names the split, the walk and
/// the position), every walk has a token, the train split is not empty, offsets are sane, and the columns that
/// transformers would read beside input_ids ask for nothing else than what is trained (padding on the right cuts a
/// walk). A folder without splits is its own train split. Without walks in a split validation, one named valid, val,
/// dev, eval or test takes its place.
WalkDataset open_dataset(const std::filesystem::path& folder);

}  // namespace strider
