#pragma once
// A golden model with a batch of walks, for tests of the engine and of what updates it.
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "golden.h"
#include "model/folder.h"

namespace strider::test {

struct GoldenBatch {
  /// `name` is a folder of tests/golden with config.json, weights and batch.json.
  void read(const std::string& name) {
    folder = golden(name);
    config = read_config(folder / "config.json");
    batch = golden_json(name + "/batch.json")["walks"].get<decltype(batch)>();
    views.assign(batch.begin(), batch.end());
  }

  /// For one step over the batch.
  EngineSettings engine_settings(int threads, Precision precision, std::vector<ParameterGroup> groups) const {
    return {.threads = threads,
            .max_length = 16,
            .walks_per_step = static_cast<std::int64_t>(views.size()),
            .precision = precision,
            .groups = std::move(groups)};
  }

  /// An engine of such settings with the golden weights.
  std::unique_ptr<Engine> engine(int threads, Precision precision, std::vector<ParameterGroup> groups) const {
    return with_golden_weights(make_engine(config, engine_settings(threads, precision, std::move(groups))));
  }

  std::unique_ptr<Engine> with_golden_weights(std::unique_ptr<Engine> made) const {
    std::vector<float> values(static_cast<std::size_t>(made->layout().total()));
    read_weights(folder, made->layout(), values);
    made->set_parameters(values);
    return made;
  }

  std::filesystem::path folder;
  LlamaConfig config;
  std::vector<std::vector<std::int32_t>> batch;
  std::vector<WalkView> views;
};

}  // namespace strider::test
