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

/// The ids of one record batch: values of one width, and where each walk begins among them.
struct WalkChunk {
  std::int64_t first_walk = 0;
  std::int64_t walks = 0;
  int value_bytes = 4;  // 1, 2, 4 or 8; signed unless is_unsigned
  bool is_unsigned = false;
  const void* values = nullptr;
  const std::int32_t* offsets32 = nullptr;  // [walks + 1]; one of these two, or both null and
  const std::int64_t* offsets64 = nullptr;
  std::int64_t fixed_length = 0;             // every walk has this many
  const std::int32_t* walk_ids32 = nullptr;  // both null without such a column walk_id
  const std::int64_t* walk_ids64 = nullptr;
  std::shared_ptr<const void> owner;  // keeps the batch, and so the mapping, alive

  std::int64_t offset(std::int64_t walk) const {
    if (offsets32 != nullptr) return offsets32[walk];
    return offsets64 != nullptr ? offsets64[walk] : fixed_length * walk;
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

/// Reads the shards that `folder`/state.json names and checks their structure and every id against [0, vocab_size).
WalkSplit open_split(const std::filesystem::path& folder, const std::string& name, std::int64_t vocab_size);

}  // namespace strider
