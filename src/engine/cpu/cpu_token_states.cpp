#include "engine/cpu/cpu_token_states.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/parallel.h"
#include "engine/cpu/llama.h"
#include "engine/cpu/ops/embedding.h"

namespace strider {
namespace {

// Columns [first, first + count) of x W^T; linear_forward starts at whole panels, so up to a panel more is computed, in
// the same columns of `place`.
ConstRows linear_columns(const PackedLinear& weight, std::int64_t first, std::int64_t count, std::int64_t rows,
                         ConstRows x, Rows place, LinearScratch scratch) {
  const std::int64_t panel = first / kPanel * kPanel;
  linear_forward(weight, {panel, first + count - panel}, rows, x, place.from(0, panel), Write::kReplace, scratch);
  return ConstRows(place).from(0, first);
}

void expect_order(bool in_order, const char* what) {
  if (!in_order) throw Error(fmt::format("{} is asked for again, or after what follows it", what));
}

}  // namespace

void TokenStatesMemory::lay_out(Carver& carver, const LlamaConfig& config, std::int64_t tokens,
                                std::span<const TokenArray> arrays) {
  const auto asked = [&](Representation what) {
    return std::ranges::find(arrays, what, &TokenArray::what) != arrays.end();
  };
  for (float*& stream : streams) stream = carver.take<float>(tokens * config.hidden_size);
  const bool waits = asked(Representation::kFfnGate) && asked(Representation::kFfnUp);
  if (waits) gate = carver.take<float>(tokens * config.intermediate_size);
}

CpuTokenStates::CpuTokenStates(const Weights& weights, ThreadTeam& team, std::span<BlockBuffers> workers,
                               std::span<const std::int32_t> ids, std::span<const TokenArray> arrays)
    : weights_(weights),
      team_(team),
      workers_(workers),
      ids_(ids),
      storage_(carve([&](Carver& carver) { memory_.lay_out(carver, weights.config(), tokens(), arrays); })),
      progress_(static_cast<std::size_t>(blocks())) {}

std::int64_t CpuTokenStates::block_rows(std::int64_t block) const {
  return std::min(kBlock, tokens() - block * kBlock);
}

Rows CpuTokenStates::stream(std::int64_t layer, std::int64_t block) {
  const std::int64_t hidden = weights_.config().hidden_size;
  return {memory_.streams[layer % 2] + block * kBlock * hidden, hidden};
}

Rows CpuTokenStates::gate_of(std::int64_t block) {
  const std::int64_t ffn = weights_.config().intermediate_size;
  return {memory_.gate + block * kBlock * ffn, ffn};
}

// Without data where the gate was not computed on its own.
ConstRows CpuTokenStates::kept_gate(std::int64_t block) {
  return progress_of(block).has_gate ? ConstRows(gate_of(block)) : ConstRows{};
}

void CpuTokenStates::compute(const TokenArray& array, std::int64_t first, std::int64_t count, float* out) {
  const std::int64_t begin = first / kBlock;
  const std::int64_t end = (first + count + kBlock - 1) / kBlock;
  parallel_for(team_, end - begin, [&](int member, std::int64_t i) {
    compute_block(array, begin + i, workers_[member], {out + i * kBlock * array.width, array.width});
  });
}

void CpuTokenStates::compute_block(const TokenArray& array, std::int64_t block, BlockBuffers& buffers, Rows out) {
  const std::int64_t rows = block_rows(block);
  if (array.what == Representation::kInputEmbeds) {
    embed(block, out);
    return;
  }
  reach(array.layer, block, buffers);
  switch (array.what) {
    case Representation::kAfterAttention:
      copy_rows(rows, array.width, attention_output(block, buffers), out);
      break;
    case Representation::kFfnGate:
      gate(block, buffers, out);
      break;
    case Representation::kFfnUp:
      copy_rows(rows, array.width, feed_forward(block, buffers, kept_gate(block)).from(0, array.width), out);
      break;
    case Representation::kAfterBlock:
      need_output(block, buffers);
      copy_rows(rows, array.width, stream(array.layer + 1, block), out);
      break;
    case Representation::kResidualBefore:
      copy_rows(rows, array.width, stream(array.layer, block), out);
      break;
    case Representation::kFinalHidden:
      llama_norm(weights_, rows, weights_.layout().final_norm(), stream(array.layer, block), out,
                 buffers.final_inverse);
      break;
    case Representation::kInputEmbeds:
      break;
  }
}

void CpuTokenStates::embed(std::int64_t block, Rows out) const {
  embedding_forward(block_rows(block), weights_.config().hidden_size, ids_.data() + block * kBlock,
                    weights_.at(weights_.layout().embed_tokens()), out);
}

void CpuTokenStates::reach(std::int64_t layer, std::int64_t block, BlockBuffers& buffers) {
  Progress& progress = progress_of(block);
  expect_order(layer >= progress.layer, "a layer");
  if (!progress.has_input) {
    embed(block, stream(0, block));
    progress.has_input = true;
  }
  while (progress.layer < layer) {
    need_output(block, buffers);
    progress = {.layer = progress.layer + 1, .has_input = true};
  }
}

ConstRows CpuTokenStates::attention_output(std::int64_t block, BlockBuffers& buffers) {
  const LlamaConfig& config = weights_.config();
  Progress& progress = progress_of(block);
  expect_order(!progress.has_middle, "the attention's output");
  const std::int64_t rows = block_rows(block);
  const std::int64_t head = config.head_dim;
  const std::int64_t query_heads = config.num_attention_heads;
  const std::int64_t group = query_heads / config.num_key_value_heads;
  const LayerActivations& place = buffers.layers.front();
  const Rows input = stream(progress.layer, block);
  const Rows middle = stream(progress.layer + 1, block);

  llama_norm(weights_, rows, weights_.layout().layer(progress.layer).input_norm, input, buffers.normed,
             place.input_inverse);
  const ConstRows v =
      linear_columns(weights_.qkv(progress.layer), (query_heads + config.num_key_value_heads) * head,
                     config.num_key_value_heads * head, rows, buffers.normed, place.qkv, buffers.linear_scratch);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t h = 0; h < query_heads; ++h) {
      std::copy_n(v.row(r) + h / group * head, head, place.attention.row(r) + h * head);
    }
  }
  linear_forward(weights_.o(progress.layer), rows, place.attention, place.middle, Write::kReplace,
                 buffers.linear_scratch);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t j = 0; j < config.hidden_size; ++j) middle.row(r)[j] = input.row(r)[j] + place.middle.row(r)[j];
  }
  progress.has_middle = true;
  return place.middle;
}

void CpuTokenStates::need_output(std::int64_t block, BlockBuffers& buffers) {
  if (!progress_of(block).has_output) feed_forward(block, buffers, kept_gate(block));
}

// To buffers.normed.
void CpuTokenStates::norm_middle(std::int64_t block, BlockBuffers& buffers) {
  if (!progress_of(block).has_middle) attention_output(block, buffers);
  const std::int64_t layer = progress_of(block).layer;
  llama_norm(weights_, block_rows(block), weights_.layout().layer(layer).post_norm, stream(layer + 1, block),
             buffers.normed, buffers.layers.front().middle_inverse);
}

// Where up is asked for too the rest of the feed-forward waits for it, so that both arrays have something to compute
// while they are written.
void CpuTokenStates::gate(std::int64_t block, BlockBuffers& buffers, Rows out) {
  Progress& progress = progress_of(block);
  expect_order(!progress.has_gate && !progress.has_output, "the gate");
  const std::int64_t rows = block_rows(block);
  const std::int64_t ffn = weights_.config().intermediate_size;
  norm_middle(block, buffers);
  linear_forward(weights_.gate_up(progress.layer), {0, ffn}, rows, buffers.normed, out, Write::kReplace,
                 buffers.linear_scratch);
  if (memory_.gate == nullptr) {
    feed_forward(block, buffers, out);
    return;
  }
  copy_rows(rows, ffn, out, gate_of(block));
  progress.has_gate = true;
}

// Returns gate and up side by side, [rows, 2 * intermediate]. `gate` has data where it is computed already. Whichever
// of them was asked for, the block's output is computed as well: it is needed at the latest for the final hidden
// states.
ConstRows CpuTokenStates::feed_forward(std::int64_t block, BlockBuffers& buffers, ConstRows gate) {
  Progress& progress = progress_of(block);
  expect_order(!progress.has_output, "the feed-forward");
  const std::int64_t rows = block_rows(block);
  const LayerActivations& place = buffers.layers.front();
  norm_middle(block, buffers);
  const std::int64_t ffn = weights_.config().intermediate_size;
  const std::int64_t kept = gate.data == nullptr ? 0 : ffn / kPanel * kPanel;  // linear_forward starts at whole panels
  if (kept > 0) copy_rows(rows, kept, gate, place.gate_up);
  llama_feed_forward(weights_, progress.layer, rows, kept, place, stream(progress.layer + 1, block), buffers);
  progress.has_output = true;
  return place.gate_up;
}

}  // namespace strider
