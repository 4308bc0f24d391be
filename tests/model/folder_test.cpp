#include "model/folder.h"

#include <fmt/format.h>
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
  for (const char* name : {"run/final_model", "gradients_gqa_tied", "../golden_extra/init_gqa_tied_head_dim",
                           "../golden_extra/init_small_tensors", "../golden_extra/init_padding"}) {
    const Model model(test::golden(name));
    const test::ScratchFolder scratch;
    write_model(scratch.path(), model.config, model.layout, model.values);
    for (const char* file : {"config.json", "generation_config.json"}) {  // but for special tokens: there are none
      nlohmann::ordered_json expected = nlohmann::ordered_json::parse(test::read_text(test::golden(name) / file));
      nlohmann::ordered_json written = nlohmann::ordered_json::parse(test::read_text(scratch / file));
      for (const char* token : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
        EXPECT_TRUE(written.contains(token) && written[token].is_null()) << file << ": " << token;
        expected.erase(token);
        written.erase(token);
      }
      EXPECT_EQ(written.dump(2), expected.dump(2)) << name;
    }
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
  const double third = 1.0 / 3.0;
  write("F64", 8, std::string(reinterpret_cast<const char*>(&third), 8));
  read_weights(scratch.path(), layout, values);
  EXPECT_EQ(values, std::vector<float>(values.size(), static_cast<float>(third)));
  write("I64", 8, std::string(8, '\0'));
  try {
    read_weights(scratch.path(), layout, values);
    ADD_FAILURE() << "I64 was accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("model.embed_tokens.weight"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("I64"), std::string::npos) << error.what();
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
  EXPECT_NE(message(other).find("the weights have no tensor"), std::string::npos) << message(other);
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
  ASSERT_EQ(tokenizer["added_tokens"].size(), 1U);  // what pads: a node, which is found as a whole word only
  EXPECT_EQ(tokenizer["added_tokens"][0]["content"], "0");
  EXPECT_EQ(tokenizer["added_tokens"][0]["single_word"], true);
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

// Weights of other makers: the same values under other names, in other files.
class OtherMakers : public testing::Test {
 protected:
  using Tensors = std::vector<TensorToWrite>;

  Tensors tensors(const std::string& dropped_prefix = "") const {
    Tensors all;
    for (const ParameterInfo& tensor : model.layout.tensors()) {
      std::string name = tensor.name;
      if (!dropped_prefix.empty() && name.starts_with(dropped_prefix)) name.erase(0, dropped_prefix.size());
      all.push_back({name, tensor.shape, model.values.data() + tensor.offset});
    }
    return all;
  }

  std::string refusal(Head head = Head::kNeeded) const {
    std::vector<float> values(model.values.size());
    try {
      read_weights(scratch.path(), model.layout, values, head);
    } catch (const Error& error) {
      return error.what();
    }
    return values == model.values ? "the same" : "others";
  }

  // The first half of the tensors in one shard, the rest in the other.
  nlohmann::json write_shards() const {
    nlohmann::json index = {{"metadata", {{"total_size", 1}}}, {"weight_map", nlohmann::json::object()}};
    Tensors shards[2];
    const Tensors all = tensors();
    for (std::size_t i = 0; i < all.size(); ++i) {
      const std::size_t shard = i < all.size() / 2 ? 0 : 1;
      shards[shard].push_back(all[i]);
      index["weight_map"][all[i].name] = fmt::format("model-0000{}-of-00002.safetensors", shard + 1);
    }
    for (int shard = 0; shard < 2; ++shard) {
      write_safetensors(scratch / fmt::format("model-0000{}-of-00002.safetensors", shard + 1), shards[shard], {});
    }
    scratch.write("model.safetensors.index.json", index.dump());
    return index;
  }

  const Model model{test::golden("run/init")};
  const test::ScratchFolder scratch;
};

TEST_F(OtherMakers, ShardsAreReadAsOne) {
  nlohmann::json index = write_shards();
  EXPECT_EQ(refusal(), "the same");
  index["weight_map"]["lm_head.weight"] = "../model-00001-of-00002.safetensors";
  scratch.write("model.safetensors.index.json", index.dump());
  EXPECT_NE(refusal().find("is no plain file name"), std::string::npos) << refusal();
  index["weight_map"]["lm_head.weight"] = "model-00003-of-00002.safetensors";
  scratch.write("model.safetensors.index.json", index.dump());
  EXPECT_NE(refusal().find("a shard of the weights is missing"), std::string::npos) << refusal();
  write_safetensors(scratch / "model-00003-of-00002.safetensors", {tensors().front()}, {});
  EXPECT_NE(refusal().find("a tensor is in two shards"), std::string::npos) << refusal();
  scratch.write("model.safetensors.index.json", "{}");
  EXPECT_NE(refusal().find("weight_map"), std::string::npos) << refusal();
}

TEST_F(OtherMakers, AModelWithoutItsPrefixAndWithBuffers) {
  Tensors all = tensors("model.");
  const float buffer[4] = {};
  all.push_back({"layers.0.self_attn.rotary_emb.inv_freq", {4}, buffer});
  write_safetensors(scratch / "model.safetensors", all, {});
  EXPECT_EQ(refusal(), "the same");
  all.push_back({"layers.0.self_attn.q_proj.bias", {4}, buffer});
  write_safetensors(scratch / "model.safetensors", all, {});
  EXPECT_NE(refusal().find("self_attn.q_proj.bias"), std::string::npos) << refusal();
}

TEST_F(OtherMakers, OnlyTrainingNeedsAHead) {
  Tensors all = tensors();
  std::erase_if(all, [](const TensorToWrite& tensor) { return tensor.name == "lm_head.weight"; });
  write_safetensors(scratch / "model.safetensors", all, {});
  EXPECT_NE(refusal().find("no tensor \"lm_head.weight\""), std::string::npos) << refusal();
  EXPECT_EQ(refusal(Head::kOptional), "others");  // zeros where the head is
}

TEST_F(OtherMakers, WeightsOfOtherKindsAreNamed) {
  EXPECT_NE(refusal().find("neither model.safetensors nor"), std::string::npos) << refusal();
  for (const char* name :
       {"pytorch_model.bin", "tf_model.h5", "consolidated.00.pth", "small.gguf", "adapter_model.safetensors"}) {
    const std::filesystem::path file = scratch.write(name, "weights");
    EXPECT_NE(refusal().find(name), std::string::npos) << refusal();
    std::filesystem::remove(file);
  }
  scratch.write("pytorch_model.bin", "weights");
  EXPECT_NE(refusal().find("save_pretrained"), std::string::npos) << refusal();
}

}  // namespace
}  // namespace strider
