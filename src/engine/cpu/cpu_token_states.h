#pragma once
// The forward pass of every token on its own, at position 0, computed when it is asked for. A token that is alone sees
// only itself: softmax over one key is 1 and the rotation at position 0 is the identity, so its attention output is
// o_proj(v), v repeated for the query heads of its group. All else are the pieces of llama_forward.cpp.
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/carver.h"
#include "base/thread_team.h"
#include "engine/cpu/block.h"
#include "engine/cpu/weights.h"
#include "engine/token_states.h"

namespace strider {

struct TokenStatesMemory {
  // What enters an even layer and an odd one, [tokens, hidden]. What enters the next layer is made in its place: first
  // the sum after attention, then the feed-forward is added.
  std::array<float*, 2> streams = {};
  float* gate = nullptr;  // [tokens, intermediate]; null unless both halves of the feed-forward are asked for

  void lay_out(Carver& carver, const LlamaConfig& config, std::int64_t tokens, std::span<const TokenArray> arrays);
};

/// A block of kBlock tokens remembers its residual stream at the layer that it has reached.
class CpuTokenStates : public TokenStates {
 public:
  /// `ids` are rows of the embedding. Everything outlives this object; `workers` has the buffers of each member of
  /// `team`. `arrays` are those that will be asked for.
  CpuTokenStates(const Weights& weights, ThreadTeam& team, std::span<BlockBuffers> workers,
                 std::span<const std::int32_t> ids, std::span<const TokenArray> arrays);

  std::int64_t tokens() const override { return static_cast<std::int64_t>(ids_.size()); }
  void compute(const TokenArray& array, std::int64_t first, std::int64_t count, float* out) override;

 private:
  struct Progress {  // of a block
    std::int64_t layer = 0;
    bool has_input = false, has_middle = false, has_gate = false, has_output = false;
  };

  void compute_block(const TokenArray& array, std::int64_t block, BlockBuffers& buffers, Rows out);
  std::int64_t blocks() const { return (tokens() + kBlock - 1) / kBlock; }
  std::int64_t block_rows(std::int64_t block) const;
  void embed(std::int64_t block, Rows out) const;
  Progress& progress_of(std::int64_t block) { return progress_[block]; }
  Rows stream(std::int64_t layer, std::int64_t block);
  Rows gate_of(std::int64_t block);
  ConstRows kept_gate(std::int64_t block);
  void reach(std::int64_t layer, std::int64_t block, BlockBuffers& buffers);
  void need_output(std::int64_t block, BlockBuffers& buffers);
  ConstRows attention_output(std::int64_t block, BlockBuffers& buffers);
  void norm_middle(std::int64_t block, BlockBuffers& buffers);
  void gate(std::int64_t block, BlockBuffers& buffers, Rows out);
  ConstRows feed_forward(std::int64_t block, BlockBuffers& buffers, ConstRows gate);

  const Weights& weights_;
  ThreadTeam& team_;
  std::span<BlockBuffers> workers_;
  std::span<const std::int32_t> ids_;
  TokenStatesMemory memory_;
  AlignedBuffer<std::byte> storage_;  // of memory_
  std::vector<Progress> progress_;
};

}  // namespace strider
