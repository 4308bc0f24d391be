#include "engine/cpu/cpu_walk_states.h"

#include <numeric>

#include "engine/cpu/llama.h"
#include "engine/cpu/ops/embedding.h"

namespace strider {
namespace {

void gather_rows(std::span<const std::int64_t> rows, std::int64_t width, ConstRows from, Rows to) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::copy_n(from.row(rows[i]), width, to.row(static_cast<std::int64_t>(i)));
  }
}

// What is asked for, and where each array's columns are in the output.
class StatesTaken {
 public:
  StatesTaken(std::span<const TokenArray> arrays, Rows out) : arrays_(arrays), out_(out) {}

  /// The columns of an array; without data where it is not asked for.
  Rows place_of(Representation what, std::int64_t layer) const {
    std::int64_t column = 0;
    for (const TokenArray& array : arrays_) {
      if (array.what == what && array.layer == layer) return out_.from(0, column);
      column += array.width;
    }
    return {};
  }

  void take(Representation what, std::int64_t layer, std::span<const std::int64_t> rows, std::int64_t width,
            ConstRows from) const {
    const Rows place = place_of(what, layer);
    if (place.data != nullptr) gather_rows(rows, width, from, place);
  }

 private:
  std::span<const TokenArray> arrays_;
  Rows out_;
};

}  // namespace

std::vector<std::int64_t> rows_of_places(const Block& block, std::int64_t first_walk,
                                         std::span<const WalkPlace> places) {
  std::vector<std::int64_t> rows;
  rows.reserve(places.size());
  std::int64_t walk = first_walk;
  std::int64_t start = 0;
  for (const WalkPlace& place : places) {
    for (; walk < place.walk; ++walk) start += block.lengths[static_cast<std::size_t>(walk - first_walk)];
    rows.push_back(start + place.position);
  }
  return rows;
}

void llama_walk_states(const Weights& weights, const Block& block, std::span<const std::int64_t> rows,
                       std::span<const TokenArray> arrays, BlockBuffers& buffers, Rows out) {
  using enum Representation;
  const LlamaConfig& config = weights.config();
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t ffn = config.intermediate_size;
  const auto taken_rows = static_cast<std::int64_t>(rows.size());
  const StatesTaken states(arrays, out);
  const LayerActivations& place = buffers.layers.front();  // all layers share it
  // Rows that the residual stream has. After the attention of the last layer nothing looks at the other rows any more,
  // so only those that are asked for go on, one after the other.
  std::int64_t stream_rows = block.rows();
  std::vector<std::int64_t> taken(rows.begin(), rows.end());

  embedding_forward(stream_rows, hidden, block.inputs.data(), weights.at(weights.layout().embed_tokens()), place.input);
  states.take(kInputEmbeds, 0, taken, hidden, place.input);
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    states.take(kResidualBefore, layer, taken, hidden, place.input);
    llama_attention(weights, layer, block, place, buffers);

    const bool is_last = layer + 1 == config.num_hidden_layers;
    const Rows own_attention = states.place_of(kAfterAttention, layer);
    const Rows gathered = place.qkv;  // free by now, and wide enough
    if (is_last || own_attention.data != nullptr) {
      gather_rows(taken, config.num_attention_heads * config.head_dim, place.attention, gathered);
    }
    if (own_attention.data != nullptr) {
      linear_forward(weights.o(layer), taken_rows, gathered, own_attention, Write::kReplace, buffers.linear_scratch);
    }
    if (is_last) {
      gather_rows(taken, hidden, place.input, place.middle);
      stream_rows = taken_rows;
      std::iota(taken.begin(), taken.end(), 0);
    } else {
      copy_rows(stream_rows, hidden, place.input, place.middle);
    }
    llama_after_attention(weights, layer, stream_rows, is_last ? gathered : place.attention, place, place.input,
                          buffers);
    states.take(kFfnGate, layer, taken, ffn, place.gate_up);
    states.take(kFfnUp, layer, taken, ffn, ConstRows(place.gate_up).from(0, ffn));
    states.take(kAfterBlock, layer, taken, hidden, place.input);
  }
  const Rows final_hidden = states.place_of(kFinalHidden, config.num_hidden_layers);
  if (final_hidden.data == nullptr) return;
  llama_norm(weights, taken_rows, weights.layout().final_norm(), place.input, final_hidden, buffers.final_inverse);
}

}  // namespace strider
