// Whole optimizer steps and evaluations of every preset through the engine: batch 50 of 128 tokens, walks on a 30 x 40
// torus. Arguments of a benchmark: threads, walks, length, vocabulary. Counters: tokens and flops (the field's formula)
// a second, and of a step update, the seconds that the optimizer's update takes of it (the sum of the gradient's lanes
// and its norm are before that, packing the new weights for the products is in it).
#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "engine/engine.h"
#include "optimize/parameter_groups.h"
#include "presets.h"

namespace strider::bench {
namespace {

using Walks = std::vector<std::vector<std::int32_t>>;

Walks torus_walks(std::int64_t count, std::int64_t length, std::int64_t vocab) {
  std::mt19937 generator(1);
  const std::int64_t width = 40;
  const std::int64_t height = vocab / width;
  Walks walks(static_cast<std::size_t>(count));
  for (auto& walk : walks) {
    std::int64_t row = generator() % height;
    std::int64_t column = generator() % width;
    for (std::int64_t t = 0; t < length; ++t) {
      walk.push_back(static_cast<std::int32_t>(row * width + column));
      row = (row + height - 1 + generator() % 3) % height;
      column = (column + width - 1 + generator() % 3) % width;
    }
  }
  return walks;
}

std::vector<float> initial(const ParameterLayout& layout) {
  std::mt19937 generator(2);
  std::normal_distribution<float> normal(0.0F, 0.02F);
  std::vector<float> values(static_cast<std::size_t>(layout.total()));
  for (const ParameterInfo& tensor : layout.tensors()) {
    for (std::int64_t i = 0; i < tensor.size; ++i) {
      values[static_cast<std::size_t>(tensor.offset + i)] = tensor.decays ? normal(generator) : 1.0F;
    }
  }
  return values;
}

struct Work {
  Precision precision = Precision::kFloat32;
  bool training = true;
  RuleSettings rule = {};
};

void run(benchmark::State& state, const Preset& preset, const Work& work) {
  const int threads = static_cast<int>(state.range(0));
  const std::int64_t count = state.range(1);
  const std::int64_t length = state.range(2);
  const LlamaConfig config = preset.config(state.range(3));
  const EngineSettings settings{.threads = threads,
                                .max_length = length,
                                .walks_per_step = count,
                                .precision = work.precision,
                                .groups = trainer_groups(ParameterLayout(config), work.rule, 0.01)};
  const std::unique_ptr<Engine> engine = make_engine(config, settings);
  engine->set_parameters(initial(engine->layout()));
  const Walks walks = torus_walks(count, length, config.vocab_size);
  const std::vector<WalkView> views(walks.begin(), walks.end());
  std::vector<double> losses(views.size());
  double update_seconds = 0.0;
  for (auto _ : state) {
    if (work.training) {
      engine->forward_backward(views, static_cast<double>(count * (length - 1)), losses);
      engine->gradient_norm();
      const Clock::time_point began = Clock::now();
      engine->update(1e-5, 1.0);
      update_seconds += seconds_since(began);
    } else {
      engine->evaluate(views, losses);
    }
  }
  using benchmark::Counter;
  const auto tokens = static_cast<double>(count * length);
  state.counters["tokens"] = Counter(tokens, Counter::kIsIterationInvariantRate);
  const double flops = training_flops(config, length, all_learn(config)) * static_cast<double>(count);
  state.counters["flops"] = Counter(work.training ? flops : flops / 3.0, Counter::kIsIterationInvariantRate);
  if (work.training) state.counters["update"] = Counter(update_seconds, Counter::kAvgIterations);
  state.counters["memory"] = static_cast<double>(engine_memory_bytes(config, settings));
}

// One thing grows at a time; the others stay at 50 x 128 tokens, or less where a step would take minutes. Names end in
// what grows.
void register_growth(const Preset& preset, std::int64_t threads) {
  using Arguments = std::vector<std::int64_t>;
  const auto add = [&](const char* what, const Arguments& arguments) {
    const std::string name = std::string(preset.name) + "/growth_" + what;
    benchmark::RegisterBenchmark(name.c_str(), [&preset](benchmark::State& s) { run(s, preset, {}); })
        ->Args(arguments)
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime()
        ->Iterations(3);
  };
  for (std::int64_t count = 1; count <= threads; count *= 2) add("threads", {count, 50, 128, 1200});
  for (const std::int64_t walks : {2, 5, 10, 20, 50, 100, 200}) add("batch", {threads, walks, 128, 1200});
  for (const std::int64_t length : {128, 256, 512, 1024, 2048, 4096}) {
    add("length", {threads, 8192 / length, length, 1200});
  }
  for (const std::int64_t vocab : {1200, 10'000, 100'000, 1'000'000}) add("vocabulary", {threads, 10, 128, vocab});
}

// Steps of few walks, as recipes make them, with the optimizers that they may use. Names end in precision and
// optimizer.
void register_small_steps(const Preset& preset, std::int64_t threads) {
  const RuleSettings adamw;
  const RuleSettings newton_schulz{
      .name = "muon", .orthogonalization = Orthogonalization::kNewtonSchulz, .orthogonalization_steps = 5};
  const RuleSettings polar_express{
      .name = "muon", .orthogonalization = Orthogonalization::kPolarExpress, .orthogonalization_steps = 3};
  const auto add = [&](const Work& work, const std::string& optimizer, std::int64_t walks) {
    const std::string name = std::string(preset.name) + "/small/" + name_of(work.precision) + "/" + optimizer;
    benchmark::RegisterBenchmark(name.c_str(), [&preset, work](benchmark::State& s) { run(s, preset, work); })
        ->Args({threads, walks, 128, 1200})
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  };
  for (const Precision precision : {Precision::kFloat32, Precision::kBfloat16}) {
    for (const std::int64_t walks : {2, 8, 16}) add({.precision = precision, .rule = adamw}, "adamw", walks);
    for (const std::int64_t walks : {8, 16}) {
      add({.precision = precision, .rule = newton_schulz}, "muon_newton_schulz_5", walks);
      add({.precision = precision, .rule = polar_express}, "muon_polar_express_3", walks);
    }
  }
}

}  // namespace
}  // namespace strider::bench

int main(int argc, char** argv) {
  using namespace strider::bench;
  using strider::Precision;
  const auto threads = static_cast<std::int64_t>(std::thread::hardware_concurrency());
  for (const Preset& preset : kPresets) {
    for (const bool training : {true, false}) {
      for (const Precision precision : {Precision::kFloat32, Precision::kBfloat16}) {
        const std::string name = std::string(preset.name) + (training ? "/step" : "/evaluate") +
                                 (precision == Precision::kFloat32 ? "" : "/bfloat16");
        benchmark::RegisterBenchmark(name.c_str(), [&preset, work = Work{.precision = precision, .training = training}](
                                                       benchmark::State& s) { run(s, preset, work); })
            ->Args({threads, 50, 128, 1200})
            ->Unit(benchmark::kMillisecond)
            ->UseRealTime();
      }
    }
  }
  register_growth(kPresets[1], threads);
  register_small_steps(kPresets[1], threads);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
