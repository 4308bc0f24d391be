// What arrays may be asked of TokenStates; their values are compared in values_test.cpp.
#include "base/error.h"
#include "engine/engine.h"
#include "scene.h"

namespace strider {
namespace {

class States : public testing::Test {
 protected:
  States()
      : config(test::write_random_model(scratch / "model", small())), engine(make_engine(config, {.max_length = 1})) {
    engine->load_parameters(
        [&](std::span<float> values) { read_weights(scratch / "model", engine->layout(), values); });
  }

  static LlamaConfig small() {
    LlamaConfig config;
    config.vocab_size = 5;
    config.hidden_size = 16;
    config.intermediate_size = 72;
    config.num_hidden_layers = 2;
    config.num_attention_heads = 2;
    config.num_key_value_heads = 1;
    config.head_dim = 8;
    return config;
  }

  std::vector<TokenArray> arrays(const std::vector<std::string>& types) const {
    return list_token_arrays(config, parse_representations(types));
  }

  const test::ScratchFolder scratch;
  const LlamaConfig config;
  const std::unique_ptr<Engine> engine;
  const std::vector<std::int32_t> ids = {0, 1, 2, 3, 4};
};

// Which two arrays of a layer, one after the other, the second of them too late.
TEST_F(States, AnArrayThatIsAskedForTooLateIsRefused) {
  using enum Representation;
  const std::vector<TokenArray> all = arrays(test::kAllTypes);
  const std::pair<Representation, Representation> wrong[] = {{kFfnGate, kFfnGate},
                                                             {kFfnUp, kFfnUp},
                                                             {kFfnUp, kFfnGate},
                                                             {kAfterBlock, kFfnUp},
                                                             {kFfnGate, kAfterAttention},
                                                             {kAfterBlock, kAfterAttention},
                                                             {kAfterAttention, kAfterAttention}};
  for (const auto& [first, second] : wrong) {
    const auto states = engine->token_states(ids, all);
    std::vector<float> out(ids.size() * 72);
    const auto ask = [&](Representation what, std::int64_t layer) {
      const auto at = std::ranges::find_if(
          all, [&](const TokenArray& array) { return array.what == what && array.layer == layer; });
      states->compute(*at, 0, 5, out.data());
    };
    ask(first, 0);
    EXPECT_THROW(ask(second, 0), Error);
    ask(kAfterBlock, 1);
    EXPECT_THROW(ask(kAfterBlock, 0), Error);
  }
}

TEST_F(States, MemoryIsTwoStreamsAndAGateThatWaitsForUp) {
  const auto memory = [&](const std::vector<std::string>& types, std::int64_t tokens) {
    return static_cast<std::int64_t>(token_states_memory_bytes(config, tokens, arrays(types))) / 4;
  };
  for (const std::vector<std::string>& types : {test::kAllTypes, {"ffn_up", "ffn_gate"}}) {
    EXPECT_EQ(memory(types, 1000) - memory(types, 0), 1000 * (2 * 16 + 72));
  }
  for (const std::string& type : test::kAllTypes) {
    EXPECT_EQ(memory({type}, 1000) - memory({type}, 0), 1000 * 2 * 16) << type;
  }
}

}  // namespace
}  // namespace strider
