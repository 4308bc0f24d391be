#include "engine/cuda/states.h"

#include <algorithm>
#include <vector>

#include "engine/cuda/ops/rms_norm.h"
#include "engine/cuda/ops/take_rows.h"

namespace strider::cuda {
namespace {

class Taker {
 public:
  Taker(const Stream& stream, const StatesTaken& taken)
      : stream_(stream),
        taken_(taken),
        rows_storage_(taken.rows.size_bytes()),
        rows_(reinterpret_cast<std::int32_t*>(rows_storage_.data()), static_cast<std::int64_t>(taken.rows.size())) {
    stream_.copy_to_device(rows_, taken_.rows.data());
    std::int64_t widest = 0;
    for (const TokenArray& array : taken.arrays) widest = std::max(widest, array.width);
    states_.resize(taken.rows.size() * static_cast<std::size_t>(widest));
    states_storage_ = DeviceBytes(states_.size() * sizeof(float));
  }

  bool wants(Representation what, std::int64_t layer) const { return array_of(what, layer) != taken_.arrays.end(); }

  // Layers whose blocks have to be gone through.
  std::int64_t layers() const {
    std::int64_t most = 0;
    for (const TokenArray& array : taken_.arrays) {
      const bool is_input = array.what == Representation::kResidualBefore || array.what == Representation::kInputEmbeds;
      const bool is_last = array.what == Representation::kFinalHidden;
      most = std::max(most, is_input || is_last ? array.layer : array.layer + 1);
    }
    return most;
  }

  template <typename From>
  void take(Representation what, std::int64_t layer, DeviceSpan<From> from, std::int64_t stride,
            std::int64_t column = 0) {
    const auto array = array_of(what, layer);
    if (array == taken_.arrays.end()) return;
    const DeviceSpan<float> place(reinterpret_cast<float*>(states_storage_.data()), rows_.size * array->width);
    take_rows<From>(stream_.get(), rows_, from, {stride, column, array->width}, place);
    stream_.copy_to_host<float>(states_.data(), place);
    stream_.wait();
    const auto width = static_cast<std::size_t>(array->width);
    const auto first = static_cast<std::size_t>(
        states_width(taken_.arrays.first(static_cast<std::size_t>(array - taken_.arrays.begin()))));
    const auto all = static_cast<std::size_t>(states_width(taken_.arrays));
    for (std::size_t row = 0; row < taken_.rows.size(); ++row) {
      std::copy_n(states_.data() + row * width, width, taken_.out.data() + row * all + first);
    }
  }

 private:
  std::span<const TokenArray>::iterator array_of(Representation what, std::int64_t layer) const {
    return std::ranges::find_if(taken_.arrays,
                                [&](const TokenArray& array) { return array.what == what && array.layer == layer; });
  }

  const Stream& stream_;
  const StatesTaken& taken_;
  DeviceBytes rows_storage_;
  DeviceSpan<std::int32_t> rows_;
  DeviceBytes states_storage_;  // of one array
  std::vector<float> states_;
};

}  // namespace

template <typename T>
void llama_states(const Pass<T>& pass, const Stream& stream, const StatesTaken& taken) {
  using enum Representation;
  if (taken.rows.empty()) return;
  const std::int64_t hidden = pass.config.hidden_size;
  const std::int64_t ffn = pass.config.intermediate_size;
  const std::int64_t rows = pass.shape.rows;
  const LayerActivations<T>& layer = pass.layer(0);
  Taker taker(stream, taken);
  // For what a training step never has: attention's output before it is added, and final states that are not rounded.
  const DeviceBytes storage(static_cast<std::uint64_t>(rows * hidden) * sizeof(float));
  const DeviceSpan<float> extra(reinterpret_cast<float*>(storage.data()), rows * hidden);

  llama_embedding(pass);
  taker.take(kInputEmbeds, 0, pass.rows(layer.input, hidden), hidden);
  const std::int64_t layers = taker.layers();
  for (std::int64_t i = 0; i < layers; ++i) {
    taker.take(kResidualBefore, i, pass.rows(layer.input, hidden), hidden);
    llama_attention(pass, i);
    if (taker.wants(kAfterAttention, i)) {
      linear_forward_float<T>(pass.products, pass.stream, pass.o(), rows,
                              pass.rows(layer.attention, pass.o().in_features),
                              pass.operand(pass.layout.layer(i).o, pass.o()), extra, hidden);
      taker.take(kAfterAttention, i, extra, hidden);
    }
    llama_feed_forward(pass, i);
    const DeviceSpan<T> gate_up = pass.rows(layer.gate_up, 2 * ffn);
    taker.take(kFfnGate, i, gate_up, 2 * ffn);
    taker.take(kFfnUp, i, gate_up, 2 * ffn, ffn);
    taker.take(kAfterBlock, i, pass.output_of(i), hidden);
  }
  // The input of a layer that is not gone through.
  taker.take(kResidualBefore, layers, pass.rows(layer.input, hidden), hidden);
  if (!taker.wants(kFinalHidden, pass.config.num_hidden_layers)) return;
  const Activations<T>& activations = pass.memory.activations;
  rms_norm_forward<float>(pass.stream, rows, hidden, static_cast<float>(pass.config.rms_norm_eps),
                          pass.rows(activations.output, hidden), pass.weight(pass.layout.final_norm(), hidden), extra,
                          pass.rows(activations.output_inverse, 1));
  taker.take(kFinalHidden, pass.config.num_hidden_layers, extra, hidden);
}

template void llama_states<float>(const Pass<float>&, const Stream&, const StatesTaken&);
template void llama_states<Bfloat16>(const Pass<Bfloat16>&, const Stream&, const StatesTaken&);

}  // namespace strider::cuda
