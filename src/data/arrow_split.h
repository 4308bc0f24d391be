#pragma once
// What WalkSplit points at: the record batches of a split, in mapped memory. Only data/ includes this.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/walk_dataset.h"

namespace strider {

/// A column of lists in one record batch: numbers of one width, and where each list begins among them.
struct ListColumn {
  int value_bytes = 4;  // 1, 2, 4 or 8, signed unless is_unsigned; 0: bits
  bool is_unsigned = false;
  const void* values = nullptr;
  std::int64_t first_bit = 0;               // of bits
  const std::int32_t* offsets32 = nullptr;  // [walks + 1]; one of these two, or both null and
  const std::int64_t* offsets64 = nullptr;
  std::int64_t fixed_length = 0;  // every list has this many

  std::int64_t offset(std::int64_t list) const {
    if (offsets32 != nullptr) return offsets32[list];
    return offsets64 != nullptr ? offsets64[list] : fixed_length * list;
  }
  std::int64_t value(std::int64_t at) const;  // for columns that are read once; ids are read by their width
};

/// The walks of one record batch.
struct WalkChunk {
  std::int64_t first_walk = 0;
  std::int64_t walks = 0;
  ListColumn ids;
  std::vector<std::int64_t> cut_lengths;     // [walks], where other columns end walks early; else empty
  const std::int32_t* walk_ids32 = nullptr;  // both null without such a column walk_id
  const std::int64_t* walk_ids64 = nullptr;
  std::shared_ptr<const void> owner;  // keeps the batch, and so the mapping, alive

  std::int64_t length(std::int64_t walk) const {
    return cut_lengths.empty() ? ids.offset(walk + 1) - ids.offset(walk) : cut_lengths[walk];
  }
};

/// A shard's file in memory.
struct MappedShard {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

struct WalkSplit::Storage {
  std::vector<WalkChunk> chunks;
  std::vector<MappedShard> shards;
  std::int64_t walks = 0;

  const WalkChunk& chunk_of(std::int64_t walk) const;
};

/// Throws Error when the system refuses.
void release_pages(const MappedShard& shard);

/// What the columns beside input_ids did, over all splits.
struct ColumnUse {
  std::vector<std::string> columns;  // those that were read, by name
  std::int64_t walks = 0;            // of all splits
  std::int64_t cut = 0;              // walks that end where these columns say
};

/// Where a split is and how it is to be read.
struct SplitPlace {
  std::filesystem::path folder;
  std::string name;
  std::string advice;  // where it is damaged
};

/// Reads the shards that `folder`/state.json names and checks their structure and every id against [0, vocab_size). It
/// may have no walk. Throws Error with file and place.
WalkSplit open_split(const SplitPlace& place, std::int64_t vocab_size, ColumnUse& use);

}  // namespace strider
