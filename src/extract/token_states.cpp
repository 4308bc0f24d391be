#include "extract/token_states.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "ops/embedding.h"
#include "ops/rms_norm.h"
#include "ops/swiglu.h"

namespace strider {
namespace {

void copy_rows(std::int64_t rows, std::int64_t width, ConstRows from, Rows to) {
  for (std::int64_t r = 0; r < rows; ++r) std::copy_n(from.row(r), width, to.row(r));
}

// Columns [first, first + count) of x W^T; linear_forward starts at whole panels, so up to a panel more is computed.
ConstRows linear_columns(const PackedLinear& weight, std::int64_t first, std::int64_t count, std::int64_t rows,
                         ConstRows x, AlignedBuffer<float>& scratch) {
  const std::int64_t panel = first / kPanel * kPanel;
  const OutRange range{panel, first + count - panel};
  const Rows y{scratch.data(), range.count};
  linear_forward(weight, range, rows, x, y, Write::kReplace);
  return ConstRows(y).from(0, first - panel);
}

std::int64_t wide_floats(const LlamaConfig& config) {
  return std::max(2 * config.intermediate_size, config.num_key_value_heads * config.head_dim + kPanel);
}

std::int64_t scratch_floats(const LlamaConfig& config) {
  return 2 * config.hidden_size + wide_floats(config) + config.num_attention_heads * config.head_dim +
         config.intermediate_size + 1;
}

std::int64_t gate_floats(const LlamaConfig& config, std::int64_t tokens, std::span<const TokenArray> arrays) {
  const auto asked = [&](Representation what) {
    return std::ranges::find(arrays, what, &TokenArray::what) != arrays.end();
  };
  return asked(Representation::kFfnGate) && asked(Representation::kFfnUp) ? tokens * config.intermediate_size : 0;
}

void expect_order(bool in_order, const char* what) {
  if (!in_order) throw Error(fmt::format("{} is asked for again, or after what follows it", what));
}

}  // namespace

TokenStates::TokenStates(const Weights& weights, std::span<const std::int32_t> ids, std::span<const TokenArray> arrays,
                         int workers)
    : weights_(weights),
      ids_(ids),
      gate_(static_cast<std::size_t>(gate_floats(weights.config(), tokens(), arrays))),
      progress_(static_cast<std::size_t>(blocks())) {
  const LlamaConfig& config = weights.config();
  for (auto& stream : streams_) {
    stream = AlignedBuffer<float>(ids.size() * static_cast<std::size_t>(config.hidden_size));
  }
  auto block_of = [](std::int64_t width) { return AlignedBuffer<float>(static_cast<std::size_t>(kBlock * width)); };
  for (int worker = 0; worker < workers; ++worker) {
    scratch_.push_back({.normed = block_of(config.hidden_size),
                        .wide = block_of(wide_floats(config)),
                        .heads = block_of(config.num_attention_heads * config.head_dim),
                        .attention = block_of(config.hidden_size),
                        .act = block_of(config.intermediate_size),
                        .inverse = block_of(1)});
  }
}

std::uint64_t TokenStates::memory_bytes(const LlamaConfig& config, std::int64_t tokens,
                                        std::span<const TokenArray> arrays, int workers) {
  return static_cast<std::uint64_t>(2 * tokens * config.hidden_size + gate_floats(config, tokens, arrays) +
                                    workers * kBlock * scratch_floats(config)) *
         sizeof(float);
}

std::int64_t TokenStates::block_rows(std::int64_t block) const {
  return std::min(kBlock, tokens() - block * kBlock);
}

Rows TokenStates::stream(std::int64_t layer, std::int64_t block) {
  const std::int64_t hidden = weights_.config().hidden_size;
  return {streams_[static_cast<std::size_t>(layer % 2)].data() + block * kBlock * hidden, hidden};
}

Rows TokenStates::gate_of(std::int64_t block) {
  const std::int64_t ffn = weights_.config().intermediate_size;
  return {gate_.data() + block * kBlock * ffn, ffn};
}

// Without data where the gate was not computed on its own.
ConstRows TokenStates::kept_gate(std::int64_t block) {
  return progress_of(block).has_gate ? ConstRows(gate_of(block)) : ConstRows{};
}

void TokenStates::norm(std::int64_t rows, ConstRows x, std::int64_t weight_offset, Scratch& scratch, Rows y) const {
  const LlamaConfig& config = weights_.config();
  rms_norm_forward(rows, config.hidden_size, static_cast<float>(config.rms_norm_eps), x, weights_.at(weight_offset), y,
                   scratch.inverse.data());
}

void TokenStates::compute(const TokenArray& array, std::int64_t block, int worker, Rows out) {
  Scratch& scratch = scratch_[static_cast<std::size_t>(worker)];
  const std::int64_t rows = block_rows(block);
  if (array.what == Representation::kInputEmbeds) {
    embed(block, out);
    return;
  }
  reach(array.layer, block, scratch);
  switch (array.what) {
    case Representation::kAfterAttention:
      copy_rows(rows, array.width, attention_output(block, scratch), out);
      break;
    case Representation::kFfnGate:
      gate(block, scratch, out);
      break;
    case Representation::kFfnUp:
      copy_rows(rows, array.width, feed_forward(block, scratch, kept_gate(block)).from(0, array.width), out);
      break;
    case Representation::kAfterBlock:
      need_output(block, scratch);
      copy_rows(rows, array.width, stream(array.layer + 1, block), out);
      break;
    case Representation::kResidualBefore:
      copy_rows(rows, array.width, stream(array.layer, block), out);
      break;
    case Representation::kFinalHidden:
      norm(rows, stream(array.layer, block), weights_.layout().final_norm(), scratch, out);
      break;
    case Representation::kInputEmbeds:
      break;
  }
}

void TokenStates::embed(std::int64_t block, Rows out) const {
  embedding_forward(block_rows(block), weights_.config().hidden_size, ids_.data() + block * kBlock,
                    weights_.at(weights_.layout().embed_tokens()), out);
}

void TokenStates::reach(std::int64_t layer, std::int64_t block, Scratch& scratch) {
  Progress& progress = progress_of(block);
  expect_order(layer >= progress.layer, "a layer");
  if (!progress.has_input) {
    embed(block, stream(0, block));
    progress.has_input = true;
  }
  while (progress.layer < layer) {
    need_output(block, scratch);
    progress = {.layer = progress.layer + 1, .has_input = true};
  }
}

ConstRows TokenStates::attention_output(std::int64_t block, Scratch& scratch) {
  const LlamaConfig& config = weights_.config();
  Progress& progress = progress_of(block);
  expect_order(!progress.has_middle, "the attention's output");
  const std::int64_t rows = block_rows(block);
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t head = config.head_dim;
  const std::int64_t query_heads = config.num_attention_heads;
  const std::int64_t group = query_heads / config.num_key_value_heads;
  const Rows input = stream(progress.layer, block);
  const Rows middle = stream(progress.layer + 1, block);
  const Rows normed{scratch.normed.data(), hidden};
  const Rows heads{scratch.heads.data(), query_heads * head};
  const Rows output{scratch.attention.data(), hidden};

  norm(rows, input, weights_.layout().layer(progress.layer).input_norm, scratch, normed);
  const ConstRows v = linear_columns(weights_.qkv(progress.layer), (query_heads + config.num_key_value_heads) * head,
                                     config.num_key_value_heads * head, rows, normed, scratch.wide);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t h = 0; h < query_heads; ++h) {
      std::copy_n(v.row(r) + h / group * head, head, heads.row(r) + h * head);
    }
  }
  linear_forward(weights_.o(progress.layer), rows, heads, output, Write::kReplace);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t j = 0; j < hidden; ++j) middle.row(r)[j] = input.row(r)[j] + output.row(r)[j];
  }
  progress.has_middle = true;
  return output;
}

void TokenStates::need_middle(std::int64_t block, Scratch& scratch) {
  if (!progress_of(block).has_middle) attention_output(block, scratch);
}

void TokenStates::need_output(std::int64_t block, Scratch& scratch) {
  if (!progress_of(block).has_output) feed_forward(block, scratch, kept_gate(block));
}

ConstRows TokenStates::normed_middle(std::int64_t block, Scratch& scratch) {
  const LlamaConfig& config = weights_.config();
  const std::int64_t layer = progress_of(block).layer;
  const Rows normed{scratch.normed.data(), config.hidden_size};
  need_middle(block, scratch);
  norm(block_rows(block), stream(layer + 1, block), weights_.layout().layer(layer).post_norm, scratch, normed);
  return normed;
}

// Where up is asked for too the rest of the feed-forward waits for it, so that both arrays have something to compute
// while they are written.
void TokenStates::gate(std::int64_t block, Scratch& scratch, Rows out) {
  Progress& progress = progress_of(block);
  expect_order(!progress.has_gate && !progress.has_output, "the gate");
  const std::int64_t rows = block_rows(block);
  const std::int64_t ffn = weights_.config().intermediate_size;
  const ConstRows normed = normed_middle(block, scratch);
  linear_forward(weights_.gate_up(progress.layer), {0, ffn}, rows, normed, out, Write::kReplace);
  if (gate_.size() == 0) {
    feed_forward(block, scratch, out);
    return;
  }
  copy_rows(rows, ffn, out, gate_of(block));
  progress.has_gate = true;
}

// Returns gate and up side by side, [rows, 2 * intermediate]. `gate` has data where it is computed already. Whoever
// asks for one of them, the block's output comes out of both now: it is needed at the latest for the final hidden
// states.
ConstRows TokenStates::feed_forward(std::int64_t block, Scratch& scratch, ConstRows gate) {
  const LlamaConfig& config = weights_.config();
  Progress& progress = progress_of(block);
  expect_order(!progress.has_output, "the feed-forward");
  const std::int64_t rows = block_rows(block);
  const std::int64_t ffn = config.intermediate_size;
  const Rows gate_up{scratch.wide.data(), 2 * ffn};
  const Rows act{scratch.act.data(), ffn};

  const ConstRows normed = normed_middle(block, scratch);
  const std::int64_t kept = gate.data == nullptr ? 0 : ffn / kPanel * kPanel;  // linear_forward starts at whole panels
  if (kept > 0) copy_rows(rows, kept, gate, gate_up);
  linear_forward(weights_.gate_up(progress.layer), {kept, 2 * ffn - kept}, rows, normed, gate_up.from(0, kept),
                 Write::kReplace);
  swiglu_forward(rows, ffn, gate_up, act);
  linear_forward(weights_.down(progress.layer), rows, act, stream(progress.layer + 1, block), Write::kAdd);
  progress.has_output = true;
  return gate_up;
}

}  // namespace strider
