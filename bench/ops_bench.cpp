// Every part of a training step on one thread, at the shapes of the presets: a block of two walks of 128 tokens, as a
// worker takes them. Weights and gradients come from a ring larger than the second-level cache, as in a step, where a
// layer returns only after all others. Counters, from which bench/roofline.py makes its tables:
//   operations  arithmetic a call; 0 where a part only moves
//   bytes       moved a call, each buffer once
//   calls       a block, or a step where `once` is 1
// Linear layers come in both precisions; names of the second one begin with bfloat16/.
#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "engine/cpu/ops/attention.h"
#include "engine/cpu/ops/cross_entropy.h"
#include "engine/cpu/ops/embedding.h"
#include "engine/cpu/ops/linear.h"
#include "engine/cpu/ops/rms_norm.h"
#include "engine/cpu/ops/sum_gradients.h"
#include "engine/cpu/ops/swiglu.h"
#include "engine/cpu/rules/update_rule.h"
#include "model/parameters.h"
#include "presets.h"

namespace strider::bench {
namespace {

constexpr std::int64_t kWalks = 2;
constexpr std::int64_t kLength = 127;  // rows of a walk: its last token predicts nothing
constexpr std::int64_t kRows = kWalks * kLength;
constexpr std::int64_t kRing = 8;  // copies of weights and gradients

AlignedBuffer<float> filled(std::int64_t count) {
  AlignedBuffer<float> buffer(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < buffer.size(); ++i) buffer[i] = 0.01F * static_cast<float>(static_cast<int>(i % 13) - 6);
  return buffer;
}

/// What one call of a part costs, and how often it comes.
struct Part {
  double operations = 0.0;
  double floats = 0.0;
  std::int64_t calls = 1;
  bool once = false;
};

using Loop = std::function<void(std::int64_t)>;

void measure(benchmark::State& state, const Part& part, const Loop& body) {
  std::int64_t i = 0;
  body(0);  // kernels are made at first use
  for (auto _ : state) body(++i % kRing);
  state.counters["operations"] = part.operations;
  state.counters["bytes"] = part.floats * sizeof(float);
  state.counters["calls"] = static_cast<double>(part.calls);
  state.counters["once"] = part.once ? 1.0 : 0.0;
}

double as_double(std::int64_t count) {
  return static_cast<double>(count);
}

void linear(benchmark::State& state, LinearShape shape, Precision precision, int direction, std::int64_t layers) {
  const std::int64_t size = shape.in_features * shape.out_features;
  const auto x = filled(kRows * shape.in_features);
  const auto dy = filled(kRows * shape.out_features);
  auto dx = filled(kRows * shape.in_features);
  auto y = filled(kRows * shape.out_features);
  const std::int64_t forward_size = packed_forward_size(shape, precision);
  const std::int64_t backward_size = packed_backward_size(shape, precision);
  const bool float32 = precision == Precision::kFloat32;
  const auto forward = filled(float32 ? kRing * forward_size : 0);
  const auto backward = filled(float32 ? kRing * backward_size : 0);
  const AlignedBuffer<std::uint32_t> forward_pairs(static_cast<std::size_t>(float32 ? 0 : kRing * forward_size));
  const AlignedBuffer<std::uint32_t> backward_pairs(static_cast<std::size_t>(float32 ? 0 : kRing * backward_size));
  AlignedBuffer<std::uint32_t> words(
      static_cast<std::size_t>(linear_scratch_words(precision, kRows, shape.in_features + shape.out_features)));
  auto dweight = filled(kRing * size);
  // a product reads two of the three and writes the third; a gradient of weights is read and written
  const double floats = as_double(kRows * (shape.in_features + shape.out_features) + size * (direction == 2 ? 2 : 1));
  measure(state, {2.0 * as_double(size * kRows), floats, layers}, [&](std::int64_t at) {
    PackedLinear weight{.shape = shape, .precision = precision};
    if (float32) {
      weight.forward = forward.data() + at * forward_size;
      weight.backward = backward.data() + at * backward_size;
    } else {
      weight.forward_pairs = forward_pairs.data() + at * forward_size;
      weight.backward_pairs = backward_pairs.data() + at * backward_size;
    }
    const LinearScratch scratch{words.data()};
    const ConstRows in{x.data(), shape.in_features};
    const ConstRows grad{dy.data(), shape.out_features};
    if (direction == 0) {
      linear_forward(weight, kRows, in, {y.data(), shape.out_features}, Write::kReplace, scratch);
    } else if (direction == 1) {
      linear_backward_input(weight, kRows, grad, {dx.data(), shape.in_features}, Write::kReplace, scratch);
    } else {
      linear_backward_weight(shape, precision, kRows, grad, in, dweight.data() + at * size, Write::kAdd, scratch);
    }
  });
}

void attention(benchmark::State& state, const LlamaConfig& config, bool backward) {
  const AttentionShape shape{config.num_attention_heads, config.num_key_value_heads, config.head_dim};
  const std::int64_t width = shape.heads * shape.head_dim;
  const std::int64_t qkv_width = shape.qkv_width();
  auto angles = filled(RopeTable::floats(kLength, config.head_dim));
  const RopeTable rope(kLength, config.head_dim, config.rope_theta, angles.data());
  const AttentionKernels kernels(shape);
  auto qkv = filled(kRows * qkv_width);
  const auto kept = filled(kRows * qkv_width);
  auto out = filled(kRows * width);
  const auto dout = filled(kRows * width);
  auto log_sum_exp = filled(kRows * shape.heads);
  auto scratch = carve([&](Carver& carver) { take_attention_scratch(carver, shape, kLength); });
  const auto forward = [&](std::int64_t walk) {
    const std::int64_t row = walk * kLength;
    attention_forward(kernels, rope, kLength, {qkv.data() + row * qkv_width, qkv_width},
                      {out.data() + row * width, width}, log_sum_exp.data() + row * shape.heads, scratch.data());
  };
  for (std::int64_t walk = 0; walk < kWalks; ++walk) forward(walk);
  // the causal half: 2 products of 2 operations forward, 5 backward (scores again)
  const double operations = (backward ? 5.0 : 2.0) * as_double(kWalks * kLength * kLength * width);
  const double floats = as_double(kRows * (backward ? 2 * qkv_width + width : qkv_width + width));
  measure(state, {operations, floats, config.num_hidden_layers}, [&](std::int64_t) {
    for (std::int64_t walk = 0; walk < kWalks; ++walk) {
      if (!backward) {
        forward(walk);
        continue;
      }
      const std::int64_t row = walk * kLength;
      std::copy_n(kept.data() + row * qkv_width, kLength * qkv_width, qkv.data() + row * qkv_width);
      attention_backward(kernels, rope, kLength, {qkv.data() + row * qkv_width, qkv_width},
                         {dout.data() + row * width, width}, log_sum_exp.data() + row * shape.heads, scratch.data());
    }
  });
}

void loss(benchmark::State& state, std::int64_t hidden, std::int64_t vocab) {
  const LinearShape shape{hidden, vocab};
  const auto x = filled(kRows * hidden);
  auto dx = filled(kRows * hidden);
  const auto forward = filled(packed_forward_size(shape, Precision::kFloat32));
  const auto back = filled(packed_backward_size(shape, Precision::kFloat32));
  auto dweight = filled(hidden * vocab);
  auto losses = filled(kRows);
  auto scratch = filled(cross_entropy_scratch_floats(vocab));
  std::vector<std::int32_t> targets(kRows, 7);
  const PackedLinear weight{.shape = shape, .forward = forward.data(), .backward = back.data()};
  const double floats = as_double(2 * kRows * hidden + 4 * hidden * vocab);
  measure(state, {6.0 * as_double(kRows * hidden * vocab), floats}, [&](std::int64_t) {
    cross_entropy_forward_backward(weight, kRows, {x.data(), hidden}, targets.data(), 1e-3F, losses.data(),
                                   {dx.data(), hidden}, dweight.data(), Write::kAdd, scratch.data());
  });
}

void swiglu(benchmark::State& state, std::int64_t ffn, std::int64_t layers, bool backward) {
  auto gate_up = filled(kRows * 2 * ffn);
  const auto dact = filled(kRows * ffn);
  auto act = filled(kRows * ffn);
  measure(state, {0.0, as_double(kRows * ffn) * (backward ? 6.0 : 3.0), layers}, [&](std::int64_t) {
    if (backward) {
      swiglu_backward(kRows, ffn, {gate_up.data(), 2 * ffn}, {dact.data(), ffn}, {act.data(), ffn});
    } else {
      swiglu_forward(kRows, ffn, {gate_up.data(), 2 * ffn}, {act.data(), ffn});
    }
  });
}

// Two a layer and the last one. The backward pass makes the norm's output again but for the last one.
void rms_norm(benchmark::State& state, std::int64_t hidden, std::int64_t layers, bool backward) {
  const auto x = filled(kRows * hidden);
  const auto weight = filled(hidden);
  const auto dy = filled(kRows * hidden);
  auto y = filled(kRows * hidden);
  auto dx = filled(kRows * hidden);
  auto inverse = filled(kRows);
  auto dweight = filled(hidden);
  const Part part{0.0, as_double(kRows * hidden) * (backward ? 6.0 : 2.0), 2 * layers + 1};
  measure(state, part, [&](std::int64_t) {
    if (backward) {
      rms_norm_apply(kRows, hidden, {x.data(), hidden}, weight.data(), inverse.data(), {y.data(), hidden});
      rms_norm_backward(kRows, hidden, {x.data(), hidden}, weight.data(), inverse.data(), {dy.data(), hidden},
                        {dx.data(), hidden}, Write::kAdd, dweight.data());
    } else {
      rms_norm_forward(kRows, hidden, 1e-6F, {x.data(), hidden}, weight.data(), {y.data(), hidden}, inverse.data());
    }
  });
}

// The copy of the residual stream that a projection is added to.
void residual_copy(benchmark::State& state, std::int64_t hidden, std::int64_t layers) {
  const auto from = filled(kRows * hidden);
  auto to = filled(kRows * hidden);
  measure(state, {0.0, 2.0 * as_double(kRows * hidden), 2 * layers}, [&](std::int64_t) {
    std::copy_n(from.data(), kRows * hidden, to.data());
    benchmark::ClobberMemory();
  });
}

void embedding(benchmark::State& state, std::int64_t hidden, std::int64_t vocab, bool backward) {
  auto table = filled(hidden * vocab);
  auto rows = filled(kRows * hidden);
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < kRows; ++i) ids.push_back(static_cast<std::int32_t>(i * 41 % vocab));
  measure(state, {0.0, as_double(kRows * hidden) * (backward ? 3.0 : 2.0)}, [&](std::int64_t) {
    if (backward) {
      embedding_backward(kRows, hidden, ids.data(), -1, {rows.data(), hidden}, table.data());
    } else {
      embedding_forward(kRows, hidden, ids.data(), table.data(), {rows.data(), hidden});
    }
  });
}

void lane_reduction(benchmark::State& state, std::int64_t count, std::int64_t lanes) {
  std::vector<AlignedBuffer<float>> parts;
  for (std::int64_t lane = 0; lane < lanes; ++lane) parts.push_back(filled(count));
  constexpr std::int64_t kAtOnce = 65536;
  measure(state, {0.0, as_double(count * (lanes + 1)), 1, true}, [&](std::int64_t) {
    double squares = 0.0;
    for (std::int64_t begin = 0; begin < count; begin += kAtOnce) {
      std::vector<const float*> at;
      for (const auto& part : parts) at.push_back(part.data() + begin);
      squares += sum_gradients(std::min(kAtOnce, count - begin), at, parts[0].data() + begin);
    }
    benchmark::DoNotOptimize(squares);
  });
}

// The update, and the matrices packed again for both directions while they are in the cache.
void adamw(benchmark::State& state, const LlamaConfig& config) {
  const ParameterLayout layout(config);
  const std::int64_t count = layout.total();
  const std::int64_t packed = count - config.vocab_size * config.hidden_size;  // all but the embedding
  const LinearShape shape{config.hidden_size, kPanel * 8};
  const std::int64_t size = shape.in_features * shape.out_features;
  const auto gradient = filled(count);
  auto parameters = filled(count);
  auto first = filled(count);
  auto second = filled(count);
  for (std::size_t i = 0; i < second.size(); ++i) second[i] = 1e-4F;
  auto forward = filled(packed + packed_forward_size(shape, Precision::kFloat32));
  auto backward = filled(packed + packed_backward_size(shape, Precision::kFloat32));
  const auto rule = make_update_rule({.name = "adamw"});
  measure(state, {0.0, as_double(7 * count + 2 * packed), 1, true}, [&](std::int64_t) {
    for (std::int64_t begin = 0; begin < count; begin += size) {
      float* const values = parameters.data() + begin;
      float* const states[] = {first.data() + begin, second.data() + begin};
      rule->update({.learning_rate = 1e-4, .weight_decay = 0.01},
                   {std::min(size, count - begin), gradient.data() + begin, values, states});
      if (begin + size > packed) continue;
      pack_forward(shape, values, 0, shape.out_features, forward.data() + begin);
      pack_backward(shape, values, 0, shape.out_features, backward.data() + begin);
    }
  });
}

void add(const std::string& name, std::function<void(benchmark::State&)> body) {
  benchmark::RegisterBenchmark(name.c_str(), [body = std::move(body)](benchmark::State& state) {
    body(state);
  })->MinTime(0.1);
}

void register_preset(const Preset& preset) {
  const LlamaConfig config = preset.config();
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t ffn = config.intermediate_size;
  const std::int64_t vocab = config.vocab_size;
  const std::int64_t layers = config.num_hidden_layers;
  const std::string prefix = std::string(preset.name) + "/";
  const std::pair<const char*, LinearShape> linears[] = {
      {"qkv", {hidden, 3 * hidden}}, {"o", {hidden, hidden}}, {"gate_up", {hidden, 2 * ffn}}, {"down", {ffn, hidden}}};
  for (const auto& [name, shape] : linears) {
    const char* directions[] = {"forward", "backward_input", "backward_weight"};
    for (int direction = 0; direction < 3; ++direction) {
      for (const Precision precision : {Precision::kFloat32, Precision::kBfloat16}) {
        add((precision == Precision::kFloat32 ? "" : "bfloat16/") + prefix + name + "/" + directions[direction],
            [=, shape = shape](benchmark::State& state) { linear(state, shape, precision, direction, layers); });
      }
    }
  }
  for (const bool backward : {false, true}) {
    const char* way = backward ? "backward" : "forward";
    add(prefix + "embedding/" + way, [=](benchmark::State& state) { embedding(state, hidden, vocab, backward); });
    add(prefix + "norms/" + way, [=](benchmark::State& state) { rms_norm(state, hidden, layers, backward); });
    add(prefix + "attention/" + way, [=](benchmark::State& state) { attention(state, config, backward); });
    add(prefix + "swiglu/" + way, [=](benchmark::State& state) { swiglu(state, ffn, layers, backward); });
  }
  add(prefix + "residual/copy", [=](benchmark::State& state) { residual_copy(state, hidden, layers); });
  add(prefix + "lm_head_and_loss/forward_backward", [=](benchmark::State& state) { loss(state, hidden, vocab); });
  const std::int64_t total = ParameterLayout(config).total();
  add(prefix + "lanes/reduction",
      [=](benchmark::State& state) { lane_reduction(state, total, total > 8'000'000 ? 4 : 8); });
  add(prefix + "adamw/update", [=](benchmark::State& state) { adamw(state, config); });
}

}  // namespace
}  // namespace strider::bench

int main(int argc, char** argv) {
  using namespace strider::bench;
  for (const Preset& preset : kPresets) register_preset(preset);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
