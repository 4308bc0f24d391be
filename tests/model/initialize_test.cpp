#include <gtest/gtest.h>

#include "golden.h"
#include "io/checksum.h"
#include "io/safetensors.h"
#include "model/folder.h"
#include "model/parameters.h"

namespace strider {
namespace {

class Preset : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(All, Preset, testing::Values("400K", "2M", "6M", "12M"));

TEST_P(Preset, Seed42StartsWhereTorchStarts) {
  const nlohmann::json expected = test::golden_json("init_seed_42_vocab_1200.json")[GetParam()];
  const std::filesystem::path file =
      std::filesystem::path(STRIDER_CONFIGS) / ("config_" + std::string(GetParam()) + "_llama.json");
  const LlamaConfig config = read_config(file, 1200);
  const ParameterLayout layout(config);
  EXPECT_EQ(layout.total(), expected["total"]);
  EXPECT_EQ(layout.non_embedding(), expected["non_embedding"]);
  ASSERT_EQ(layout.tensors().size(), expected["tensors"].size());
  std::vector<float> values(static_cast<std::size_t>(layout.total()));
  initialize_parameters(config, layout, 42, values);
  for (const ParameterInfo& tensor : layout.tensors()) {
    ASSERT_TRUE(expected["tensors"].contains(tensor.name)) << tensor.name;
    const nlohmann::json& facts = expected["tensors"][tensor.name];
    EXPECT_EQ(tensor.shape, facts["shape"].get<std::vector<std::int64_t>>());
    const float* data = values.data() + tensor.offset;
    double sum = 0.0;
    for (std::int64_t i = 0; i < tensor.size; ++i) sum += double{data[i]};
    const double mean = sum / static_cast<double>(tensor.size);
    double squares = 0.0;
    for (std::int64_t i = 0; i < tensor.size; ++i) squares += (double{data[i]} - mean) * (double{data[i]} - mean);
    EXPECT_NEAR(mean, facts["mean"], 1e-7) << tensor.name;
    EXPECT_NEAR(std::sqrt(squares / static_cast<double>(tensor.size - 1)), facts["std"], 1e-7) << tensor.name;
    for (std::size_t i = 0; i < facts["first"].size(); ++i) {
      EXPECT_NEAR(data[i], facts["first"][i], 1e-6) << tensor.name << " first " << i;
      EXPECT_NEAR(data[tensor.size - static_cast<std::int64_t>(facts["last"].size()) + static_cast<std::int64_t>(i)],
                  facts["last"][i], 1e-6)
          << tensor.name << " last " << i;
    }
  }
}

// The same bits on every processor and from every build: a run goes on wherever it is resumed.
TEST(Initialize, HasTheSameBitsOnEveryProcessor) {
  const LlamaConfig config = read_config(std::filesystem::path(STRIDER_CONFIGS) / "config_2M_llama.json", 1200);
  const ParameterLayout layout(config);
  std::vector<float> values(static_cast<std::size_t>(layout.total()));
  initialize_parameters(config, layout, 42, values);
  EXPECT_EQ(crc32_of(std::as_bytes(std::span(values))), 1716942148U);
}

// Folders with the weights that seed 42 gave in torch. Beside the runs: fewer key/value heads with a head_dim of its
// own and a tied head; tensors of fewer than 16 elements, which torch draws another way; a padding token, whose row is
// zero.
class Run : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Golden, Run,
                         testing::Values("run/init", "run_accumulate/init", "../golden_extra/init_gqa_tied_head_dim",
                                         "../golden_extra/init_small_tensors", "../golden_extra/init_padding"));

TEST_P(Run, EveryWeightOfTheReferencesStart) {
  const std::filesystem::path folder = test::golden(GetParam());
  const LlamaConfig config = read_config(folder / "config.json");
  const ParameterLayout layout(config);
  std::vector<float> expected(static_cast<std::size_t>(layout.total()));
  std::vector<float> actual(expected.size());
  read_weights(folder, layout, expected);
  initialize_parameters(config, layout, 42, actual);
  for (std::size_t i = 0; i < actual.size(); ++i) ASSERT_NEAR(actual[i], expected[i], 1e-6) << i;
}

}  // namespace
}  // namespace strider
