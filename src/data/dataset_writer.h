#pragma once
// Writes a dataset folder as datasets.DatasetDict.save_to_disk does (datasets 4.3): dataset_dict.json, and for each
// split a folder with dataset_info.json, state.json and data-XXXXX-of-YYYYY.arrow (Arrow's IPC stream format, record
// batches of 1000 rows; columns walk_id int64, length int64, input_ids list of int32; the features again as JSON in the
// schema's metadata). load_from_disk of datasets 3 and 4 opens it with these features.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "base/notices.h"
#include "data/walks_csv.h"

namespace strider {

struct SplitToWrite {
  std::string name;
  std::span<const std::int64_t> rows;  // of the walks, in the order in which they are written
};

/// What is known of how the walks were made; both are kept in vocab_info.json as null where they are not known.
struct WalkKnowledge {
  std::optional<double> best_loss;  // VocabInfo::best_loss
  std::string walk_rule;            // a JSON value's text; empty: not known
  std::string vocabulary = {};      // vocab.json, {name: id}; empty: the ids are the tokens, and there is no such file
};

inline constexpr std::int64_t kMaxShardBytes = 500'000'000;  // `datasets` begins another file past this

/// Throws Error when `folder` exists and is no dataset folder or holds more than one: replacing it would
/// delete what cannot be made again.
void check_dataset_folder_replaceable(const std::filesystem::path& folder);

/// Writes the splits and vocab_info.json (how many ids there are, how often they occur in the walks, and the ranges
/// [first, last] of those that never do), and vocab.json, as a whole folder, which appears complete or not at all and
/// replaces a dataset that stood there. Throws Error as above, or when it cannot be written. Returns what the
/// filesystem could not do.
Notices write_dataset(const std::filesystem::path& folder, const WalksCsv& walks, std::span<const SplitToWrite> splits,
                      const WalkKnowledge& knowledge, std::int64_t max_shard_bytes = kMaxShardBytes);

}  // namespace strider
