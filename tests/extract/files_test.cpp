// The files that an extraction leaves, and what it refuses.
#include <sys/resource.h>

#include <csignal>

#include "base/error.h"
#include "scene.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using test::kAllTypes;
using test::ScratchFolder;

class ExtractFiles : public testing::Test {
 protected:
  ExtractFiles() {
    fs::copy(test::golden("run/final_model"), scratch / "final_model");
    write_tokenizer(scratch / "final_model", 48);
  }

  ExtractSettings settings(std::vector<std::string> types = {"after_block"}) const {
    return {scratch / "final_model", scratch / "out", std::move(types), false, 2};
  }

  std::string message_of(const ExtractSettings& wanted) const {
    try {
      test::run_extract(wanted);
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing was thrown";
  }

  static std::vector<std::string> names_in(const fs::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
  }

  const std::vector<std::string> four = {"extraction_summary.json", "representation_info.json", "token_metadata.json",
                                         "token_representations.npz"};
  const ScratchFolder scratch;
};

TEST_F(ExtractFiles, AreTheFourThatStageThreeReads) {
  test::run_extract(settings({"after_block", "ffn_gate"}));
  EXPECT_EQ(names_in(scratch / "out"), four);
  const auto metadata = nlohmann::json::parse(test::read_text(scratch / "out/token_metadata.json"));
  ASSERT_EQ(metadata.size(), 48U);
  EXPECT_EQ(metadata[47], nlohmann::json::parse(R"({"token_id": 47, "token_str": "47"})"));
  const auto info = nlohmann::json::parse(test::read_text(scratch / "out/representation_info.json"));
  EXPECT_EQ(info["vocab_size"], 48);
  EXPECT_EQ(info["model"]["hidden_size"], 32);
  EXPECT_EQ(info["arrays"]["layer_1_ffn_gate"], nlohmann::json({48, 64}));
}

TEST_F(ExtractFiles, SummaryHasTheReferencesKeysInItsOrder) {
  test::run_extract(settings({"residual_before,after_block", "ffn_up"}));
  nlohmann::ordered_json expected = {
      {"model_dir", (scratch / "final_model").string()},
      {"vocab_file", (scratch / "final_model/vocab.json").string()},
      {"vocab_size", 48},
      {"num_layers", 2},
      {"hidden_size", 32},
      {"intermediate_size", 64},
      {"representations_extracted", {"residual_before", "after_block", "ffn_up"}},
      {"representation_keys",
       {"layer_0_ffn_up", "layer_0_after_block", "layer_0_residual_before", "layer_1_ffn_up", "layer_1_after_block",
        "layer_1_residual_before", "input_embeds", "final_hidden"}},
      {"representation_shape", "[vocab_size=48, hidden_dim]"},
  };
  EXPECT_EQ(test::read_text(scratch / "out/extraction_summary.json"), expected.dump(2));
  std::vector<std::string> names;
  for (const NpzEntry& entry : read_npz_entries(scratch / "out/token_representations.npz")) names.push_back(entry.name);
  EXPECT_EQ(nlohmann::ordered_json(names), expected["representation_keys"]);
}

TEST_F(ExtractFiles, RowsAreTheIdsOfTheVocabulary) {
  test::run_extract(settings());
  const NpzFloats whole = read_npz_floats(scratch / "out/token_representations.npz", "layer_1_after_block");
  scratch.write("final_model/vocab.json", R"({"30": 30, "2": 2, "47": 47})");
  ExtractSettings few = settings();
  few.output_dir = scratch / "few";
  test::run_extract(few);
  const NpzFloats rows = read_npz_floats(scratch / "few/token_representations.npz", "layer_1_after_block");
  EXPECT_EQ(rows.shape, (std::vector<std::int64_t>{3, 32}));
  std::vector<float> expected;
  for (const std::int64_t id : {2, 30, 47}) {
    expected.insert(expected.end(), whole.values.begin() + id * 32, whole.values.begin() + (id + 1) * 32);
  }
  test::expect_close(rows.values, expected, 1e-6, "rows 2, 30 and 47");
}

TEST_F(ExtractFiles, ReplacesOnlyWhenAskedAndKeepsOtherFiles) {
  test::run_extract(settings());
  scratch.write("out/notes.txt", "mine");
  const std::string before = test::read_text(scratch / "out/token_representations.npz");
  ExtractSettings again = settings(kAllTypes);
  const std::string message = message_of(again);
  EXPECT_NE(message.find("already exist in " + (scratch / "out").string()), std::string::npos) << message;
  EXPECT_NE(message.find("--overwrite"), std::string::npos) << message;
  EXPECT_EQ(test::read_text(scratch / "out/token_representations.npz"), before);

  again.overwrite = true;
  test::run_extract(again);
  EXPECT_EQ(read_npz_entries(scratch / "out/token_representations.npz").size(), 12U);
  std::vector<std::string> names = four;
  names.insert(names.begin() + 1, "notes.txt");
  EXPECT_EQ(names_in(scratch / "out"), names);
  EXPECT_EQ(test::read_text(scratch / "out/notes.txt"), "mine");
}

TEST_F(ExtractFiles, AFullDiskLeavesWhatWasThere) {
  test::run_extract(settings());
  const std::string arrays = test::read_text(scratch / "out/token_representations.npz");
  const std::string summary = test::read_text(scratch / "out/extraction_summary.json");
  ExtractSettings again = settings(kAllTypes);
  again.overwrite = true;
  ExtractSettings fresh = settings(kAllTypes);
  fresh.output_dir = scratch / "fresh";

  const auto signal_before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit lower{50'000, limit.rlim_max};  // all types take 111 kB
  setrlimit(RLIMIT_FSIZE, &lower);
  const std::string replacing = message_of(again);
  const std::string making = message_of(fresh);
  setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, signal_before);

  EXPECT_NE(replacing.find("File too large"), std::string::npos) << replacing;
  EXPECT_NE(making.find("token_representations.npz"), std::string::npos) << making;
  EXPECT_EQ(names_in(scratch / "out"), four);
  EXPECT_EQ(test::read_text(scratch / "out/token_representations.npz"), arrays);
  EXPECT_EQ(test::read_text(scratch / "out/extraction_summary.json"), summary);
  EXPECT_EQ(names_in(scratch.path()), (std::vector<std::string>{"final_model", "out"}));
}

TEST_F(ExtractFiles, UnknownTypesAreRefusedWithTheList) {
  for (const char* word : {"after_blocks", "after_block,ffn", "input_embeds"}) {
    const std::string message = message_of(settings({word}));
    EXPECT_NE(message.find("Unknown representation type"), std::string::npos) << message;
    for (const std::string& type : kAllTypes) EXPECT_NE(message.find(type), std::string::npos) << message;
  }
  EXPECT_NE(message_of(settings({" , "})).find("No representation type"), std::string::npos);
  EXPECT_FALSE(fs::exists(scratch / "out"));
}

TEST_F(ExtractFiles, AMissingModelIsToldAsTheReferenceTellsIt) {
  ExtractSettings missing = settings();
  missing.model_dir = "no/final_model";
  const std::string message = message_of(missing);
  EXPECT_NE(message.find("Model directory no/final_model not found!"), std::string::npos) << message;
  EXPECT_NE(message.find("Please run ./02a_model_training.sh first"), std::string::npos) << message;
}

TEST_F(ExtractFiles, WeightsThatDoNotFitLeaveNothing) {
  std::string config = test::read_text(scratch / "final_model/config.json");
  config.replace(config.find("\"intermediate_size\": 64"), 23, "\"intermediate_size\": 96");
  scratch.write("final_model/config.json", config);
  const std::string message = message_of(settings());
  EXPECT_NE(message.find("model.safetensors"), std::string::npos) << message;
  EXPECT_NE(message.find("gate_proj"), std::string::npos) << message;
  EXPECT_FALSE(fs::exists(scratch / "out"));
}

TEST_F(ExtractFiles, AnOutputThatCannotBeAFolderIsRefused) {
  scratch.write("out", "a file");
  EXPECT_NE(message_of(settings()).find((scratch / "out").string()), std::string::npos);
  ExtractSettings below = settings();
  below.output_dir = scratch / "out/deeper";
  EXPECT_NE(message_of(below).find((scratch / "out").string()), std::string::npos);
  EXPECT_EQ(test::read_text(scratch / "out"), "a file");
}

TEST_F(ExtractFiles, AnEmptyVocabularyIsRefused) {
  scratch.write("final_model/vocab.json", "{}");
  const std::string message = message_of(settings());
  EXPECT_NE(message.find("vocab.json"), std::string::npos) << message;
}

}  // namespace
}  // namespace strider
