#pragma once
// A block: some whole walks as rows, one row a position, and the memory that one worker needs to take it through the
// model and back. Rows of a walk follow each other; the first is position 0. Nothing is padded. How a step becomes
// blocks is explained in docs/blocks_and_lanes.md.
#include <cstdint>
#include <span>
#include <vector>

#include "base/carver.h"
#include "engine/cpu/ops/linear.h"
#include "engine/cpu/ops/rows.h"
#include "model/config.h"

namespace strider {

struct Block {
  std::span<const std::int64_t> lengths;  // rows of each walk; 0 is allowed
  std::span<const std::int32_t> inputs;   // [rows] token ids
  std::span<const std::int32_t> targets;  // [rows] next token ids; empty where no loss is asked for
  const float* token_qkv = nullptr;       // [vocab, qkv width]: the first layer's q, k, v where they are precomputed
  std::int64_t rows() const { return static_cast<std::int64_t>(inputs.size()); }
};

/// What the forward pass of a layer leaves for its backward pass.
struct LayerActivations {
  Rows input;            // [rows, hidden] residual stream before the layer
  float* input_inverse;  // [rows] of the first norm
  Rows qkv;              // [rows, (heads + 2 kv_heads) * head_dim], before rotation; its gradient after backward
  float* log_sum_exp;    // [heads * rows], walk after walk
  Rows attention;        // [rows, heads * head_dim]
  Rows middle;           // [rows, hidden] after the attention's residual add
  float* middle_inverse;
  Rows gate_up;  // [rows, 2 * ffn]; its gradient after backward
};

/// One worker's memory for blocks of up to `rows` rows with walks of up to `longest` rows.
struct BlockBuffers {
  /// [num_hidden_layers + 1] (one without training); of the last only `input` is used, the last residual stream.
  std::vector<LayerActivations> layers;
  Rows normed;                             // [rows, hidden]
  Rows act;                                // [rows, ffn]
  float* final_inverse = nullptr;          // [rows] of the last norm
  float* losses = nullptr;                 // [rows]
  std::byte* attention_scratch = nullptr;  // take_attention_scratch(longest)
  float* loss_scratch = nullptr;           // cross_entropy_scratch_floats(vocab)
  LinearScratch linear_scratch;            // for any product of the model
  Rows dresidual;                          // [rows, hidden]; training only, as the next ones
  Rows dnormed;                            // [rows, hidden]
  Rows dact;                               // [rows, ffn]
  Rows dattention;                         // [rows, heads * head_dim]

  /// `for_training` has room for every layer's activations and for gradients; without it all layers share one set.
  void lay_out(Carver& carver, const LlamaConfig& config, std::int64_t rows, std::int64_t longest, bool for_training,
               Precision precision);

  /// Only what stays from one stage of the backward pass to the next (llama_backward_stage); the rest is borrowed from
  /// a worker of the same model for each stage, and the head's also from the forward pass on.
  void lay_out_kept(Carver& carver, const LlamaConfig& config, std::int64_t rows);
  void borrow(const BlockBuffers& from);
};

}  // namespace strider
