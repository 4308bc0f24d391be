// Every operation of a training step on one thread, at the shapes of the presets: a block of one walk of 128 tokens.
// Weights and gradients come from a ring larger than the second-level cache, as in a step, where a layer returns only
// after all others. Counters: flops (arithmetic a second) or bytes (moved a second, each buffer once).
#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "ops/adamw.h"
#include "ops/attention.h"
#include "ops/cross_entropy.h"
#include "ops/linear.h"
#include "ops/rms_norm.h"
#include "ops/swiglu.h"
#include "presets.h"

namespace strider::bench {
namespace {

constexpr std::int64_t kRows = 127;
constexpr std::int64_t kRing = 8;  // copies of weights and gradients

AlignedBuffer<float> filled(std::int64_t count) {
  AlignedBuffer<float> buffer(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < buffer.size(); ++i) buffer[i] = 0.01F * static_cast<float>(static_cast<int>(i % 13) - 6);
  return buffer;
}

benchmark::Counter per_second(double amount) {
  return benchmark::Counter(amount, benchmark::Counter::kIsIterationInvariantRate);
}

using Loop = std::function<void(std::int64_t)>;

void measure(benchmark::State& state, const char* counter, double amount, const Loop& body) {
  std::int64_t i = 0;
  body(0);  // kernels are made at first use
  for (auto _ : state) body(++i % kRing);
  state.counters[counter] = per_second(amount);
}

void linear(benchmark::State& state, LinearShape shape, int direction) {
  const std::int64_t size = shape.in_features * shape.out_features;
  const auto x = filled(kRows * shape.in_features);
  const auto dy = filled(kRows * shape.out_features);
  auto dx = filled(kRows * shape.in_features);
  auto y = filled(kRows * shape.out_features);
  const auto forward = filled(kRing * packed_forward_size(shape, Precision::kFloat32));
  const auto backward = filled(kRing * packed_backward_size(shape, Precision::kFloat32));
  auto dweight = filled(kRing * size);
  measure(state, "flops", 2.0 * static_cast<double>(size * kRows), [&](std::int64_t at) {
    const PackedLinear weight{.shape = shape,
                              .forward = forward.data() + at * packed_forward_size(shape, Precision::kFloat32),
                              .backward = backward.data() + at * packed_backward_size(shape, Precision::kFloat32)};
    const ConstRows in{x.data(), shape.in_features};
    const ConstRows grad{dy.data(), shape.out_features};
    if (direction == 0) linear_forward(weight, kRows, in, {y.data(), shape.out_features}, Write::kReplace);
    if (direction == 1) linear_backward_input(weight, kRows, grad, {dx.data(), shape.in_features}, Write::kReplace);
    if (direction == 2)
      linear_backward_weight(shape, Precision::kFloat32, kRows, grad, in, dweight.data() + at * size, Write::kAdd);
  });
}

void attention(benchmark::State& state, const LlamaConfig& config, std::int64_t length, bool backward) {
  const AttentionShape shape{config.num_attention_heads, config.num_key_value_heads, config.head_dim};
  const std::int64_t width = shape.heads * shape.head_dim;
  const RopeTable rope(length, config.head_dim, config.rope_theta);
  auto qkv = filled(length * shape.qkv_width());
  const auto kept = filled(length * shape.qkv_width());
  auto out = filled(length * width);
  const auto dout = filled(length * width);
  auto log_sum_exp = filled(length * shape.heads);
  auto scratch = filled(attention_scratch_floats(shape, length));
  // the causal half: 2 products of 2 operations forward, 5 backward (scores again)
  const double products = static_cast<double>(length * length * width);
  attention_forward(shape, rope, length, {qkv.data(), shape.qkv_width()}, {out.data(), width}, log_sum_exp.data(),
                    scratch.data());
  measure(state, "flops", (backward ? 5.0 : 2.0) * products, [&](std::int64_t) {
    if (backward) {
      std::copy_n(kept.data(), kept.size(), qkv.data());
      attention_backward(shape, rope, length, {qkv.data(), shape.qkv_width()}, {out.data(), width},
                         {dout.data(), width}, log_sum_exp.data(), scratch.data());
    } else {
      attention_forward(shape, rope, length, {qkv.data(), shape.qkv_width()}, {out.data(), width}, log_sum_exp.data(),
                        scratch.data());
    }
  });
}

void loss(benchmark::State& state, std::int64_t hidden, std::int64_t vocab, bool backward) {
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
  measure(state, "flops", (backward ? 6.0 : 2.0) * static_cast<double>(kRows * hidden * vocab), [&](std::int64_t) {
    if (backward) {
      cross_entropy_forward_backward(weight, kRows, {x.data(), hidden}, targets.data(), 1e-3F, losses.data(),
                                     {dx.data(), hidden}, dweight.data(), Write::kAdd, scratch.data());
    } else {
      cross_entropy_forward(weight, kRows, {x.data(), hidden}, targets.data(), losses.data(), scratch.data());
    }
  });
}

void swiglu(benchmark::State& state, std::int64_t ffn, bool backward) {
  auto gate_up = filled(kRows * 2 * ffn);
  const auto dact = filled(kRows * ffn);
  auto act = filled(kRows * ffn);
  const double floats = static_cast<double>(kRows * ffn) * (backward ? 6.0 : 3.0);
  measure(state, "bytes", floats * sizeof(float), [&](std::int64_t) {
    if (backward) {
      swiglu_backward(kRows, ffn, {gate_up.data(), 2 * ffn}, {dact.data(), ffn}, {act.data(), ffn});
    } else {
      swiglu_forward(kRows, ffn, {gate_up.data(), 2 * ffn}, {act.data(), ffn});
    }
  });
}

void rms_norm(benchmark::State& state, std::int64_t hidden, bool backward) {
  const auto x = filled(kRows * hidden);
  const auto weight = filled(hidden);
  const auto dy = filled(kRows * hidden);
  auto y = filled(kRows * hidden);
  auto inverse = filled(kRows);
  auto dweight = filled(hidden);
  const double floats = static_cast<double>(kRows * hidden) * (backward ? 4.0 : 2.0);
  measure(state, "bytes", floats * sizeof(float), [&](std::int64_t) {
    if (backward) {
      rms_norm_backward(kRows, hidden, {x.data(), hidden}, weight.data(), inverse.data(), {dy.data(), hidden},
                        {y.data(), hidden}, Write::kReplace, dweight.data());
    } else {
      rms_norm_forward(kRows, hidden, 1e-6F, {x.data(), hidden}, weight.data(), {y.data(), hidden}, inverse.data());
    }
  });
}

void adamw(benchmark::State& state, std::int64_t count) {
  const auto gradient = filled(count);
  auto parameters = filled(count);
  auto first = filled(count);
  auto second = filled(count);
  for (std::size_t i = 0; i < second.size(); ++i) second[i] = 1e-4F;
  AdamWStep step;
  step.step_size = 1e-4F;
  measure(state, "bytes", 7.0 * sizeof(float) * static_cast<double>(count), [&](std::int64_t) {
    adamw_update(step, count, gradient.data(), parameters.data(), first.data(), second.data());
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
  const std::string prefix = std::string(preset.name) + "/";
  const std::pair<const char*, LinearShape> linears[] = {
      {"qkv", {hidden, 3 * hidden}}, {"o", {hidden, hidden}}, {"gate_up", {hidden, 2 * ffn}}, {"down", {ffn, hidden}}};
  for (const auto& [name, shape] : linears) {
    const char* directions[] = {"forward", "backward_input", "backward_weight"};
    for (int direction = 0; direction < 3; ++direction) {
      add(prefix + name + "/" + directions[direction],
          [shape = shape, direction](benchmark::State& state) { linear(state, shape, direction); });
    }
  }
  for (const bool backward : {false, true}) {
    const char* way = backward ? "backward" : "forward";
    add(prefix + "attention/" + way, [=](benchmark::State& state) { attention(state, config, kRows, backward); });
    add(prefix + "loss/" + (backward ? "forward_backward" : "forward"),
        [=](benchmark::State& state) { loss(state, hidden, config.vocab_size, backward); });
    add(prefix + "swiglu/" + way, [=](benchmark::State& state) { swiglu(state, ffn, backward); });
    add(prefix + "rms_norm/" + way, [=](benchmark::State& state) { rms_norm(state, hidden, backward); });
  }
}

}  // namespace
}  // namespace strider::bench

int main(int argc, char** argv) {
  using namespace strider::bench;
  for (const Preset& preset : kPresets) register_preset(preset);
  add("adamw/2M", [](benchmark::State& state) { adamw(state, 2'400'000); });
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
