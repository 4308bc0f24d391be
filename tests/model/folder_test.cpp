#include "model/folder.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "golden.h"
#include "io/safetensors.h"

namespace strider {
namespace {

struct Model {
  LlamaConfig config;
  ParameterLayout layout;
  std::vector<float> values;
  explicit Model(const std::filesystem::path& folder) : config(read_config(folder / "config.json")), layout(config) {
    values.resize(static_cast<std::size_t>(layout.total()));
    read_weights(folder, layout, values);
  }
};

TEST(ModelFolder, WhatIsWrittenIsWhatTransformersWrote) {
  for (const char* name : {"run/final_model", "gradients_gqa_tied"}) {
    const Model model(test::golden(name));
    const test::ScratchFolder scratch;
    write_model(scratch.path(), model.config, model.layout, model.values);
    EXPECT_EQ(test::read_text(scratch / "config.json"), test::read_text(test::golden(name) / "config.json"));
    EXPECT_EQ(test::read_text(scratch / "generation_config.json"),
              test::read_text(test::golden(name) / "generation_config.json"));
    EXPECT_EQ(Model(scratch.path()).values, model.values);
    const SafetensorsFile file(scratch / "model.safetensors");
    ASSERT_EQ(file.metadata().size(), 1U);
    EXPECT_EQ(file.metadata()[0], (std::pair<std::string, std::string>("format", "pt")));
  }
}

TEST(ModelFolder, TensorsThatDoNotFitTheConfigurationAreNamed) {
  const Model model(test::golden("run/init"));
  const test::ScratchFolder scratch;
  write_model(scratch.path(), model.config, model.layout, model.values);
  auto message = [&](const LlamaConfig& config) -> std::string {
    const ParameterLayout layout(config);
    std::vector<float> values(static_cast<std::size_t>(layout.total()));
    try {
      read_weights(scratch.path(), layout, values);
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  LlamaConfig other = model.config;
  other.intermediate_size = 128;
  EXPECT_NE(message(other).find("model.layers.0.mlp.gate_proj.weight"), std::string::npos) << message(other);
  EXPECT_NE(message(other).find("[64, 32], the configuration asks for [128, 32]"), std::string::npos) << message(other);
  other = model.config;
  other.num_hidden_layers = 3;
  EXPECT_NE(message(other).find("a tensor is missing"), std::string::npos) << message(other);
  EXPECT_NE(message(other).find("model.layers.2."), std::string::npos) << message(other);
  other = model.config;
  other.num_hidden_layers = 1;
  EXPECT_NE(message(other).find("no place in this model"), std::string::npos) << message(other);
}

TEST(Tokenizer, VocabularyIsTheIds) {
  const test::ScratchFolder scratch;
  write_tokenizer(scratch.path(), 12);
  const auto vocab = nlohmann::json::parse(test::read_text(scratch / "vocab.json"));
  ASSERT_EQ(vocab.size(), 12U);
  EXPECT_EQ(vocab["11"], 11);
  EXPECT_EQ(nlohmann::json::parse(test::read_text(scratch / "tokenizer.json"))["model"]["vocab"], vocab);
  std::vector<std::int64_t> ids(12);
  for (std::int64_t i = 0; i < 12; ++i) ids[static_cast<std::size_t>(i)] = i;
  EXPECT_EQ(read_token_ids(scratch.path(), 12), ids);
  EXPECT_THROW(read_token_ids(scratch.path(), 11), Error);
}

}  // namespace
}  // namespace strider
