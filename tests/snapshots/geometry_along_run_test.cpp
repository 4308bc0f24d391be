// Measures of a model that trains: the same numbers at the same steps, whether the run waits for them or not.
#include <gtest/gtest.h>

#include <filesystem>

#include "graph/graph_folder.h"
#include "model/parameters.h"
#include "snapshots/along_run.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

struct Recorder : RunListener {
  void on_geometry(const GeometryMeasured& event) override { measured.push_back(event); }
  std::vector<GeometryMeasured> measured;
};

class GeometryAlongRunTest : public testing::Test {
 protected:
  GeometryAlongRunTest() : folder_(fs::path(testing::TempDir()) / "geometry_along_run") {
    fs::remove_all(folder_);
    write_graph_folder(folder_ / "graph", {Surface::kTorus, 4, 5, 8});
    config_.vocab_size = 20;
    config_.hidden_size = config_.intermediate_size = 16;
    config_.num_hidden_layers = 2;
    config_.num_attention_heads = config_.num_key_value_heads = 2;
    config_.head_dim = 8;
  }

  std::vector<float> weights(std::uint64_t seed) const {
    const ParameterLayout layout(config_);
    std::vector<float> values(static_cast<std::size_t>(layout.total()));
    initialize_parameters(config_, layout, seed, values);
    return values;
  }

  void reach(RunListener& listener, std::int64_t step, bool processors_are_free) const {
    const std::vector<float> values = weights(static_cast<std::uint64_t>(step));  // gone after the call
    listener.on_model({.step = step,
                       .config = config_,
                       .companions = companions_,
                       .parameters = values,
                       .wants_geometry = true,
                       .processors_are_free = processors_are_free});
  }

  fs::path folder_;
  LlamaConfig config_;
  ModelCompanions companions_;
};

TEST_F(GeometryAlongRunTest, BesideTheRunTheNumbersAreTheSame) {
  Recorder waiting, beside;
  const auto first = make_geometry_along_run(folder_, folder_ / "graph", 1, waiting);
  const auto second = make_geometry_along_run(folder_, folder_ / "graph", 1, beside);
  first->check(folder_.string());
  second->check(folder_.string());
  for (const std::int64_t step : {0, 10, 20}) {
    reach(*first, step, false);
    ASSERT_EQ(waiting.measured.back().step, step);
    reach(*second, step, true);
    // At the latest when the next model comes.
    ASSERT_EQ(beside.measured.size() + 1, waiting.measured.size());
  }
  second->finish_pending();
  second->finish_pending();
  ASSERT_EQ(beside.measured.size(), waiting.measured.size());
  for (std::size_t i = 0; i < waiting.measured.size(); ++i) {
    EXPECT_EQ(beside.measured[i].step, waiting.measured[i].step);
    ASSERT_EQ(beside.measured[i].arrays.size(), 4U);  // embeddings, two blocks, after the final norm
    for (std::size_t array = 0; array < 4; ++array) {
      EXPECT_EQ(beside.measured[i].arrays[array].array, waiting.measured[i].arrays[array].array);
      EXPECT_EQ(beside.measured[i].arrays[array].measures, waiting.measured[i].arrays[array].measures);
    }
  }
}

TEST_F(GeometryAlongRunTest, AModelWithoutTheGraphsTokensIsRefusedAtOnce) {
  Recorder recorder;
  const auto listener = make_geometry_along_run(folder_, folder_ / "graph", 1, recorder);
  listener->check(folder_.string());
  config_.vocab_size = 19;
  EXPECT_ANY_THROW(reach(*listener, 0, true));
}

}  // namespace
}  // namespace strider
