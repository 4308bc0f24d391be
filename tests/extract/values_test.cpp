// Representations against those that transformers gave, and against the model's own forward pass.
#include <numeric>

#include "engine/engine.h"
#include "io/safetensors.h"
#include "scene.h"

namespace strider {
namespace {

using test::kAllTypes;
using test::ScratchFolder;

class GoldenRun : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Extract, GoldenRun, testing::Values("run", "run_accumulate"));

TEST_P(GoldenRun, GivesWhatTransformersGave) {
  const ScratchFolder scratch;
  const std::filesystem::path run = test::golden(GetParam());
  test::run_extract({run / "final_model", scratch.path(), kAllTypes, false, 2});
  test::expect_same_arrays(scratch / "token_representations.npz", run / "token_representations.npz", 1e-5);
}

// The first position of every walk is a token that sees only itself: its logits are lm_head of our final_hidden.
TEST(Extract, LeadsToTheLogitsOfGroupedHeadsAndTiedEmbeddings) {
  const ScratchFolder scratch;
  const std::filesystem::path folder = test::golden("gradients_gqa_tied");
  const LlamaConfig config = read_config(folder / "config.json");
  test::run_extract({folder, scratch.path(), {"after_block"}, false, 1});
  const NpzFloats hidden = read_npz_floats(scratch / "token_representations.npz", "final_hidden");
  const NpzFloats embedding = read_npz_floats(scratch / "token_representations.npz", "input_embeds");
  const SafetensorsFile golden(folder / "expected.safetensors");
  const TensorEntry* entry = golden.find("logits");  // [walks, max_length, vocab]
  ASSERT_NE(entry, nullptr);
  std::vector<float> logits(static_cast<std::size_t>(entry->elements()));
  golden.read(*entry, logits);

  const auto walks = test::golden_json("gradients_gqa_tied/batch.json")["walks"].get<std::vector<std::vector<int>>>();
  std::vector<float> ours;
  std::vector<float> expected;
  for (std::size_t walk = 0; walk < walks.size(); ++walk) {
    for (std::int64_t v = 0; v < config.vocab_size; ++v) {
      double dot = 0.0;
      for (std::int64_t j = 0; j < config.hidden_size; ++j) {
        dot += double{hidden.values[static_cast<std::size_t>(walks[walk][0] * config.hidden_size + j)]} *
               double{embedding.values[static_cast<std::size_t>(v * config.hidden_size + j)]};
      }
      ours.push_back(static_cast<float>(dot));
      expected.push_back(
          logits[walk * static_cast<std::size_t>(entry->shape[1] * config.vocab_size) + static_cast<std::size_t>(v)]);
    }
  }
  test::expect_close(ours, expected, 1e-5, "logits");
}

struct Shape {
  std::int64_t vocab, hidden, ffn, layers, heads, kv_heads, head_dim;
};

LlamaConfig config_of(const Shape& shape) {
  LlamaConfig config;
  config.vocab_size = shape.vocab;
  config.hidden_size = shape.hidden;
  config.intermediate_size = shape.ffn;
  config.num_hidden_layers = shape.layers;
  config.num_attention_heads = shape.heads;
  config.num_key_value_heads = shape.kv_heads;
  config.head_dim = shape.head_dim;
  return config;
}

class ModelShape : public testing::TestWithParam<Shape> {};

// Value columns that do not begin at a panel, layers narrower than one, several pieces of several blocks; and last rows
// whose bits depend on how many columns a kernel is made for.
INSTANTIATE_TEST_SUITE_P(Extract, ModelShape,
                         testing::Values(Shape{150, 24, 40, 3, 3, 1, 8}, Shape{70, 16, 100, 2, 4, 2, 12},
                                         Shape{64, 64, 256, 1, 4, 4, 16}, Shape{2200, 16, 24, 2, 2, 2, 8},
                                         Shape{57, 96, 200, 2, 6, 2, 16}));

TEST_P(ModelShape, EndsWhereTheForwardPassOfSingleTokenWalksEnds) {
  const ScratchFolder scratch;
  const LlamaConfig config = test::write_random_model(scratch / "model", config_of(GetParam()));
  test::run_extract({scratch / "model", scratch / "out", {"after_attention"}, false, 2});

  const auto engine = make_engine(config, {.max_length = 1, .walks_per_step = config.vocab_size});
  engine->load_parameters([&](std::span<float> values) { read_weights(scratch / "model", engine->layout(), values); });
  std::vector<std::int32_t> ids(static_cast<std::size_t>(config.vocab_size));
  std::iota(ids.begin(), ids.end(), 0);
  std::vector<WalkView> walks;
  for (const std::int32_t& id : ids) walks.emplace_back(&id, 1);
  const std::vector<float> expected = engine->logits(walks);

  const NpzFloats ours = read_npz_floats(scratch / "out/token_representations.npz", "final_hidden");
  EXPECT_EQ(ours.shape, (std::vector<std::int64_t>{config.vocab_size, config.hidden_size}));
  const std::vector<float> parameters = engine->parameters();
  const float* const lm_head = parameters.data() + engine->layout().lm_head();
  std::vector<float> logits;
  for (std::int64_t token = 0; token < config.vocab_size; ++token) {
    const float* const hidden = ours.values.data() + token * config.hidden_size;
    for (std::int64_t v = 0; v < config.vocab_size; ++v) {
      logits.push_back(static_cast<float>(
          std::inner_product(hidden, hidden + config.hidden_size, lm_head + v * config.hidden_size, 0.0)));
    }
  }
  test::expect_close(logits, expected, 1e-5, "logits");
}

// The residual stream of one layer is what the layer before left, and both halves of the feed-forward belong to it.
TEST_P(ModelShape, ArraysFitTogether) {
  const ScratchFolder scratch;
  const LlamaConfig config = test::write_random_model(scratch / "model", config_of(GetParam()));
  test::run_extract({scratch / "model", scratch / "out", kAllTypes, false, 2});
  auto array = [&](const std::string& name) {
    return read_npz_floats(scratch / "out/token_representations.npz", name).values;
  };
  EXPECT_EQ(array("layer_0_residual_before"), array("input_embeds"));
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const std::string name = "layer_" + std::to_string(layer) + "_";
    if (layer > 0) {
      EXPECT_EQ(array(name + "residual_before"), array("layer_" + std::to_string(layer - 1) + "_after_block"));
    }
    EXPECT_NE(array(name + "ffn_gate"), array(name + "ffn_up"));
    EXPECT_EQ(array(name + "ffn_up").size(), static_cast<std::size_t>(config.vocab_size * config.intermediate_size));
  }
}

TEST_P(ModelShape, SameBytesForAnyNumberOfThreadsAndSameBitsForAnyTypes) {
  const ScratchFolder scratch;
  const LlamaConfig config = test::write_random_model(scratch / "model", config_of(GetParam()));
  test::run_extract({scratch / "model", scratch / "one", kAllTypes, false, 1});
  test::run_extract({scratch / "model", scratch / "five", kAllTypes, false, 5});
  EXPECT_EQ(test::read_text(scratch / "one/token_representations.npz"),
            test::read_text(scratch / "five/token_representations.npz"));
  for (const std::string& type : kAllTypes) {
    test::run_extract({scratch / "model", scratch / type, {type}, false, 2});
    for (const NpzEntry& entry : read_npz_entries(scratch / type / "token_representations.npz")) {
      EXPECT_EQ(read_npz_floats(scratch / type / "token_representations.npz", entry.name).values,
                read_npz_floats(scratch / "one/token_representations.npz", entry.name).values)
          << entry.name;
    }
  }
  EXPECT_EQ(read_npz_entries(scratch / "ffn_up/token_representations.npz").size(),
            static_cast<std::size_t>(config.num_hidden_layers + 2));
}

}  // namespace
}  // namespace strider
