#pragma once
// What WalkSplit points at: the record batches of a split, in mapped memory. Only data/ includes this.
#include <cstdint>
#include <filesystem>
#include <memory>
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
  const std::int32_t* offsets32 = nullptr;  // one of the two, [walks + 1]
  const std::int64_t* offsets64 = nullptr;
  const std::int64_t* walk_ids = nullptr;  // null without an int64 column walk_id
  std::shared_ptr<const void> owner;       // keeps the batch, and so the mapping, alive

  std::int64_t offset(std::int64_t walk) const { return offsets32 != nullptr ? offsets32[walk] : offsets64[walk]; }
};

struct WalkSplit::Storage {
  std::vector<WalkChunk> chunks;
  std::int64_t walks = 0;

  const WalkChunk& chunk_of(std::int64_t walk) const;
};

/// Reads the shards that `folder`/state.json names and checks their structure and every id against [0, vocab_size).
WalkSplit open_split(const std::filesystem::path& folder, const std::string& name, std::int64_t vocab_size);

}  // namespace strider
