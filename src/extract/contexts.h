#pragma once
// Where tokens are taken in context: N places of each token in the training walks, as the later versions of LLM-Topo's
// stage 02b draw them, and the walks that have to go through the model for that.
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "data/walk_dataset.h"
#include "engine/engine.h"

namespace strider {

/// One of a token's places. A token that no training walk has is taken alone: as if it were a walk of its own behind
/// the others.
struct ContextDraw {
  std::int64_t walk = 0;  // of the split; split.size() + row for a token that is taken alone
  std::int64_t position = 0;
  std::int32_t row = 0;   // of the arrays: which token
  std::int32_t draw = 0;  // which of the row's draws, from 0
};

/// A run of draws whose walks go through the model in one call.
struct ContextBatch {
  std::size_t first = 0, last = 0;  // of Contexts::draws
};

struct Contexts {
  Contexts(std::int64_t n, WalkSplit walks_of) : per_token(n), split(std::move(walks_of)) {}

  std::int64_t per_token;  // N
  WalkSplit split;
  std::vector<ContextDraw> draws;  // in order of walk and position; one for each token that is taken alone
  std::vector<ContextBatch> batches;
  std::string training_walks;  // what tells the split from others: "950 walks, 121600 tokens, crc32 0123abcd"
  std::vector<std::string> notices;
  std::int64_t walks = 0;      // that go through the model, each cut behind its last place
  std::int64_t positions = 0;  // of them
  std::int64_t repeating = 0;  // tokens that have fewer than N places, and so repeat some
  std::int64_t alone = 0;      // tokens that have none

  bool is_alone(const ContextDraw& draw) const { return draw.walk >= split.size(); }
  /// Whether draw i is the first of its walk. (Batches hold whole walks.)
  bool is_new_walk(std::size_t i) const { return i == 0 || draws[i].walk != draws[i - 1].walk; }
  /// Whether it is the first of its walk and position, which have one vector, however often they are drawn.
  bool is_new_place(std::size_t i) const { return is_new_walk(i) || draws[i].position != draws[i - 1].position; }

  // What a batch takes at most.
  std::int64_t most_walks = 0, most_places = 0, most_positions = 0;
  std::int64_t longest = 0;
};

/// Opens the dataset and draws: for each row in order, with one random.Random(seed) for all, sample(places, N) of the
/// token's places in the training split, listed by walk and position, or choices(places, k=N) where there are fewer.
/// Reads the split twice; memory grows with rows times N, not with the walks. Throws Error: no dataset, a damaged one,
/// or one with an id that the model (of `vocab_size` ids) has not.
Contexts draw_contexts(const std::filesystem::path& dataset_dir, std::int64_t per_token, std::uint64_t seed,
                       std::span<const std::int32_t> token_ids, std::int64_t vocab_size);

/// The walks and places of one batch, for Engine::walk_states.
class ContextWalks {
 public:
  ContextWalks(const Contexts& contexts, std::span<const std::int32_t> token_ids);

  void load(const ContextBatch& batch);
  std::span<const WalkView> walks() const { return walks_; }
  std::span<const WalkPlace> places() const { return places_; }

  static std::uint64_t memory_bytes(const Contexts& contexts);

 private:
  const Contexts& contexts_;
  std::span<const std::int32_t> token_ids_;
  std::vector<std::int32_t> ids_;
  std::vector<WalkView> walks_;
  std::vector<WalkPlace> places_;
};

}  // namespace strider
