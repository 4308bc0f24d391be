#include "model/folder.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "golden.h"

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
  for (const char* name : {"run/final_model", "gradients_gqa_tied", "../golden_extra/init_gqa_tied_head_dim",
                           "../golden_extra/init_small_tensors", "../golden_extra/init_padding"}) {
    const Model model(test::golden(name));
    const test::ScratchFolder scratch;
    write_model(scratch.path(), model.config, model.layout, model.values);
    EXPECT_EQ(test::read_text(scratch / "config.json"), test::read_text(test::golden(name) / "config.json"));
    EXPECT_EQ(test::read_text(scratch / "generation_config.json"),
              test::read_text(test::golden(name) / "generation_config.json"));
    EXPECT_EQ(Model(scratch.path()).values, model.values);
    EXPECT_EQ(test::read_text(scratch / "model.safetensors"), test::read_text(test::golden(name) / "model.safetensors"))
        << name;
  }
}

TEST(ModelFolder, HalfPrecisionWeightsAreWidenedAndOtherTypesRefused) {
  const test::ScratchFolder scratch;
  LlamaConfig config = read_config(test::golden("run/init/config.json"));
  config.num_hidden_layers = 1;
  const ParameterLayout layout(config);
  auto write = [&](const char* dtype, std::int64_t width, const std::string& element) {
    nlohmann::json header;
    std::string data;
    for (const ParameterInfo& tensor : layout.tensors()) {
      header[tensor.name] = {{"dtype", dtype}, {"shape", tensor.shape}, {"data_offsets", {0, 0}}};
    }
    std::int64_t offset = 0;
    for (auto& [name, tensor] : header.items()) {
      std::int64_t elements = 1;
      for (const std::int64_t size : tensor["shape"]) elements *= size;
      tensor["data_offsets"] = {offset, offset + width * elements};
      offset += width * elements;
      for (std::int64_t i = 0; i < elements; ++i) data += element;
    }
    const std::string text = header.dump();
    const std::uint64_t length = text.size();
    scratch.write("model.safetensors", std::string(reinterpret_cast<const char*>(&length), 8) + text + data);
  };
  std::vector<float> values(static_cast<std::size_t>(layout.total()));
  write("BF16", 2, std::string("\xC0\x3F", 2));  // 1.5
  read_weights(scratch.path(), layout, values);
  EXPECT_EQ(values, std::vector<float>(values.size(), 1.5F));
  write("F16", 2, std::string("\x00\x3E", 2));  // 1.5
  std::fill(values.begin(), values.end(), 0.0F);
  read_weights(scratch.path(), layout, values);
  EXPECT_EQ(values, std::vector<float>(values.size(), 1.5F));
  write("F64", 8, std::string(8, '\0'));
  try {
    read_weights(scratch.path(), layout, values);
    ADD_FAILURE() << "F64 was accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("model.embed_tokens.weight"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("F64"), std::string::npos) << error.what();
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

// Read by transformers 4.57.1: AutoTokenizer gives these ids back and decodes them; a word outside is an error there.
TEST(Tokenizer, SplitsOnSpacesAndKnowsNoOtherWord) {
  const test::ScratchFolder scratch;
  write_tokenizer(scratch.path(), 3);
  const auto tokenizer = nlohmann::json::parse(test::read_text(scratch / "tokenizer.json"));
  EXPECT_EQ(tokenizer["pre_tokenizer"]["type"], "WhitespaceSplit");
  EXPECT_EQ(tokenizer["model"]["type"], "WordLevel");
  EXPECT_FALSE(tokenizer["model"]["vocab"].contains(tokenizer["model"]["unk_token"].get<std::string>()));
  EXPECT_TRUE(tokenizer["added_tokens"].empty());
  EXPECT_TRUE(tokenizer["decoder"].is_null());
  EXPECT_EQ(test::read_text(scratch / "vocab.json"), "{\n  \"0\": 0,\n  \"1\": 1,\n  \"2\": 2\n}");
}

TEST(Tokenizer, VocabulariesThatAreNoneAreRefused) {
  const test::ScratchFolder scratch;
  EXPECT_EQ(read_token_ids(scratch.path(), 3), (std::vector<std::int64_t>{0, 1, 2})) << "no vocab.json";
  for (const char* text : {"{}", "[0, 1]", "{\"0\": 0, \"1\": 0}", "{\"0\": -1}", "{\"0\": \"0\"}", "{\"0\": 0.5}",
                           "{\"0\": 18446744073709551615}", "{\"0\": 0"}) {
    scratch.write("vocab.json", text);
    EXPECT_THROW(read_token_ids(scratch.path(), 3), Error) << text;
  }
  scratch.write("vocab.json", "{\"b\": 2, \"a\": 0}");
  EXPECT_EQ(read_token_ids(scratch.path(), 3), (std::vector<std::int64_t>{0, 2}));
}

}  // namespace
}  // namespace strider
