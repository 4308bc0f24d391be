#pragma once
// The forward pass of every token on its own, at position 0, computed when it is asked for. A token that is alone sees
// only itself: softmax over one key is 1 and the rotation at position 0 is the identity, so its attention output is
// o_proj(v), v repeated for the query heads of its group.
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "extract/representation.h"
#include "model/weights.h"
#include "ops/rows.h"

namespace strider {

/// Tokens go in blocks of kBlock rows. A block remembers its residual stream at the layer it has reached, so its arrays
/// are to be asked for in the order of list_token_arrays, each once; what is out of order throws Error. Nothing is
/// computed twice. Memory beside the model: two buffers of [tokens, hidden], a worker's block, and where both halves of
/// the feed-forward are asked for, [tokens, intermediate] for the half that is written first.
class TokenStates {
 public:
  static constexpr std::int64_t kBlock = 64;

  /// `ids` are rows of the embedding and outlive this object, as `weights` do. `arrays` are those that will be asked
  /// for.
  TokenStates(const Weights& weights, std::span<const std::int32_t> ids, std::span<const TokenArray> arrays,
              int workers);

  static std::uint64_t memory_bytes(const LlamaConfig& config, std::int64_t tokens, std::span<const TokenArray> arrays,
                                    int workers);

  std::int64_t tokens() const { return static_cast<std::int64_t>(ids_.size()); }
  std::int64_t blocks() const { return (tokens() + kBlock - 1) / kBlock; }
  std::int64_t block_rows(std::int64_t block) const;

  /// Writes the rows of `block` of an array: out [block_rows(block), array.width]. Different blocks may be asked for at
  /// the same time by different workers.
  void compute(const TokenArray& array, std::int64_t block, int worker, Rows out);

 private:
  struct Progress {  // of a block
    std::int64_t layer = 0;
    bool has_input = false, has_middle = false, has_gate = false, has_output = false;
  };
  struct Scratch {  // of a worker: kBlock rows each
    AlignedBuffer<float> normed, wide, heads, attention, act, inverse;
  };

  void embed(std::int64_t block, Rows out) const;
  Progress& progress_of(std::int64_t block) { return progress_[static_cast<std::size_t>(block)]; }
  Rows stream(std::int64_t layer, std::int64_t block);
  Rows gate_of(std::int64_t block);
  ConstRows kept_gate(std::int64_t block);
  void reach(std::int64_t layer, std::int64_t block, Scratch& scratch);
  void need_middle(std::int64_t block, Scratch& scratch);
  void need_output(std::int64_t block, Scratch& scratch);
  ConstRows attention_output(std::int64_t block, Scratch& scratch);
  ConstRows normed_middle(std::int64_t block, Scratch& scratch);
  void gate(std::int64_t block, Scratch& scratch, Rows out);
  ConstRows feed_forward(std::int64_t block, Scratch& scratch, ConstRows gate);
  void norm(std::int64_t rows, ConstRows x, std::int64_t weight_offset, Scratch& scratch, Rows y) const;

  const Weights& weights_;
  std::span<const std::int32_t> ids_;
  // What enters an even layer and an odd one, [tokens, hidden]. What enters the next layer is made where it will stand:
  // first the sum after attention, then the feed-forward is added.
  std::array<AlignedBuffer<float>, 2> streams_;
  AlignedBuffer<float> gate_;  // [tokens, intermediate]; empty unless both halves of the feed-forward are asked for
  std::vector<Progress> progress_;
  std::vector<Scratch> scratch_;
};

}  // namespace strider
