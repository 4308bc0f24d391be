#include "model/config.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "golden.h"

namespace strider {
namespace {

using nlohmann::json;

json valid() {
  return {{"hidden_size", 32}, {"intermediate_size", 64}, {"num_hidden_layers", 2}, {"num_attention_heads", 4}};
}

LlamaConfig read(const json& object) {
  const test::ScratchFolder scratch;
  return read_config(scratch.write("config.json", object.dump()), 10);
}

std::string message_of(const json& object) {
  try {
    read(object);
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("config.json"), std::string::npos) << "the file is not named";
    return error.message();
  }
  return "accepted";
}

TEST(Config, PresetsTakeTheVocabularyAndTheDefaults) {
  const LlamaConfig config = read_config(std::filesystem::path(STRIDER_CONFIGS) / "config_2M_llama.json", 1200);
  EXPECT_EQ(config.vocab_size, 1200);
  EXPECT_EQ(config.hidden_size, 128);
  EXPECT_EQ(config.num_hidden_layers, 8);
  EXPECT_EQ(config.head_dim, 16);
  EXPECT_EQ(config.rms_norm_eps, 1e-6);
  EXPECT_EQ(config.rope_theta, 10000.0);
  EXPECT_FALSE(config.tie_word_embeddings);
}

TEST(Config, WhatTransformersWroteComesOutTheSame) {
  for (const char* name : {"run/init", "gradients", "gradients_gqa_tied", "../golden_extra/init_gqa_tied_head_dim",
                           "../golden_extra/init_padding"}) {
    const std::filesystem::path file = test::golden(name) / "config.json";
    json expected = json::parse(test::read_text(file));
    for (const char* token : {"bos_token_id", "eos_token_id", "pad_token_id"}) expected[token] = nullptr;
    EXPECT_EQ(config_json(read_config(file)), expected.dump(2) + "\n") << name;
  }
}

TEST(Config, HeadsThatDoNotDivideAreRoundedDown) {
  json object = valid();
  object.update({{"hidden_size", 512}, {"num_attention_heads", 12}});
  EXPECT_EQ(read(object).head_dim, 42);
  object.update({{"hidden_size", 12}});
  EXPECT_EQ(read(object).head_dim, 1);
}

TEST(Config, TheBaseMayBeAmongTheRopeParameters) {
  json object = valid();
  object["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 5e5}};
  EXPECT_EQ(read(object).rope_theta, 5e5);
  EXPECT_EQ(read(object), [&] {
    json same = valid();
    same.update({{"rope_theta", 5e5}, {"rope_scaling", {{"rope_type", "default"}}}});
    return read(same);
  }());
}

TEST(Config, KeepsWhatTheFileSays) {
  json object = valid();
  object.update({{"num_key_value_heads", 2},
                 {"head_dim", 6},
                 {"rope_theta", 5e4},
                 {"rms_norm_eps", 1e-5},
                 {"initializer_range", 0.1},
                 {"tie_word_embeddings", true}});
  const LlamaConfig config = read(object);
  EXPECT_EQ(config.num_key_value_heads, 2);
  EXPECT_EQ(config.head_dim, 6);
  EXPECT_EQ(config.rope_theta, 5e4);
  EXPECT_EQ(config.rms_norm_eps, 1e-5);
  EXPECT_EQ(config.initializer_range, 0.1);
  EXPECT_TRUE(config.tie_word_embeddings);
  EXPECT_EQ(config.vocab_size, 10);
}

TEST(Config, WhatCannotBeDoneIsRefusedByName) {
  const std::pair<const char*, json> cases[] = {{"attention_bias", true},
                                                {"mlp_bias", true},
                                                {"hidden_act", "gelu"},
                                                {"model_type", "mamba"},
                                                {"rope_scaling", {{"rope_type", "llama3"}, {"factor", 8.0}}},
                                                {"rope_scaling", {{"type", "linear"}, {"factor", 8.0}}},
                                                {"rope_scaling", "linear"},
                                                {"rope_parameters", {{"rope_type", "yarn"}}},
                                                {"rope_parameters", {{"type", "linear"}, {"rope_theta", 1e4}}},
                                                {"rope_parameters", {{"partial_rotary_factor", 0.5}}},
                                                {"rope_parameters", {{"full_attention", {{"rope_type", "default"}}}}},
                                                {"rope_parameters", {{"stretch", 2.0}}},
                                                {"partial_rotary_factor", 0.5},
                                                {"architectures", {"Qwen2ForCausalLM"}},
                                                {"architectures", {"MambaForCausalLM"}},
                                                {"quantization_config", {{"bits", 4}}}};
  for (const auto& [field, value] : cases) {
    json object = valid();
    object[field] = value;
    EXPECT_NE(message_of(object).find(field), std::string::npos) << field << ": " << message_of(object);
  }
  json harmless = valid();
  harmless.update({{"attention_bias", false},
                   {"rope_scaling", nullptr},
                   {"rope_parameters",
                    {{"rope_type", "default"}, {"type", "linear"}, {"factor", 8.0}, {"partial_rotary_factor", 1.0}}},
                   {"attention_dropout", 0.1},
                   {"hidden_act", "swish"},
                   {"pretraining_tp", 2},
                   {"sliding_window", 4096},
                   {"num_key_value_heads", nullptr},
                   {"head_dim", nullptr},
                   {"pad_token_id", -1},
                   {"use_cache", true},
                   {"torch_dtype", "bfloat16"},
                   {"architectures", {"LlamaForCausalLM"}}});
  EXPECT_EQ(message_of(harmless), "accepted");
}

TEST(Config, SizesThatDoNotFitAreNamed) {
  const std::pair<json, const char*> cases[] = {
      {{{"hidden_size", 3}}, "head_dim is 0"},
      {{{"num_key_value_heads", 3}}, "num_attention_heads 4 is not divisible by num_key_value_heads 3"},
      {{{"head_dim", 7}}, "head_dim 7 is odd"},
      {{{"hidden_size", 0}}, "hidden_size is 0"},
      {{{"num_hidden_layers", -1}}, "num_hidden_layers is -1"},
      {{{"num_attention_heads", 0}}, "num_attention_heads is 0"},
      {{{"rms_norm_eps", 0}}, "rms_norm_eps"},
      {{{"rope_theta", -1.0}}, "rope_theta"},
      {{{"hidden_size", "64"}}, "\"hidden_size\" is \"64\", where a whole number is expected"},
      {{{"hidden_size", 1.5}}, "\"hidden_size\" is 1.5"},
      {{{"intermediate_size", 99999999999}}, "intermediate_size is 99999999999"},
      {{{"hidden_size", 1 << 20}, {"num_hidden_layers", 4000}, {"intermediate_size", 1 << 24}}, "parameters"},
      {{{"tie_word_embeddings", 1}}, "tie_word_embeddings"},
      {{{"pad_token_id", 10}}, "pad_token_id 10 is outside the vocabulary of 10"},
      {{{"num_key_value_heads", INT64_MAX}}, "num_key_value_heads is 9223372036854775807"},
      {{{"hidden_size", UINT64_MAX}}, "hidden_size"},
      {{{"head_dim", 1 << 24}, {"num_attention_heads", 1 << 24}, {"num_hidden_layers", 4096}}, "parameters"},
  };
  for (const auto& [change, expected] : cases) {
    json object = valid();
    object.update(change);
    EXPECT_NE(message_of(object).find(expected), std::string::npos) << message_of(object);
  }
  json missing = valid();
  missing.erase("intermediate_size");
  EXPECT_NE(message_of(missing).find("\"intermediate_size\" is missing"), std::string::npos);
}

}  // namespace
}  // namespace strider
