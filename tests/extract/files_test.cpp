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

TEST_F(ExtractFiles, OfTheSameModelAreKept) {
  test::run_extract(settings({"after_block", "ffn_up"}));
  const std::string arrays = test::read_text(scratch / "out/token_representations.npz");
  const auto written = fs::last_write_time(scratch / "out/token_representations.npz");
  EXPECT_EQ(plan_extraction(settings({"ffn_up"})).earlier, EarlierOutput::kComplete);
  test::run_extract(settings({"ffn_up"}));
  EXPECT_EQ(test::read_text(scratch / "out/token_representations.npz"), arrays);
  EXPECT_EQ(fs::last_write_time(scratch / "out/token_representations.npz"), written);
}

TEST_F(ExtractFiles, MissingTypesAreAddedAsIfAllHadComeAtOnce) {
  test::run_extract(settings({"after_block"}));
  scratch.write("out/notes.txt", "mine");
  EXPECT_EQ(plan_extraction(settings({"ffn_up"})).earlier, EarlierOutput::kLacksTypes);
  test::run_extract(settings({"ffn_up"}));
  test::run_extract(settings({"residual_before", "after_block", "ffn_gate"}));

  ExtractSettings at_once = settings({"ffn_gate", "ffn_up", "after_block", "residual_before"});
  at_once.output_dir = scratch / "at_once";
  test::run_extract(at_once);
  for (const std::string& file : four) {
    EXPECT_EQ(test::read_text(scratch / "out" / file), test::read_text(scratch / "at_once" / file)) << file;
  }
  std::vector<std::string> names = four;
  names.insert(names.begin() + 1, "notes.txt");
  EXPECT_EQ(names_in(scratch / "out"), names);
}

// A kill while types are added can leave the new arrays beside the old descriptions: still an extraction of its types.
TEST_F(ExtractFiles, ArraysThatCameWithoutTheirDescriptionsAreAddedAgain) {
  test::run_extract(settings({"after_block"}));
  ExtractSettings both = settings({"ffn_up", "after_block"});
  both.output_dir = scratch / "both";
  test::run_extract(both);
  fs::copy_file(scratch / "both/token_representations.npz", scratch / "out/token_representations.npz",
                fs::copy_options::overwrite_existing);
  EXPECT_EQ(plan_extraction(settings({"ffn_up"})).earlier, EarlierOutput::kLacksTypes);
  test::run_extract(settings({"ffn_up"}));
  for (const std::string& file : four) {
    EXPECT_EQ(test::read_text(scratch / "out" / file), test::read_text(scratch / "both" / file)) << file;
  }
}

class OtherOutput : public ExtractFiles {
 protected:
  OtherOutput() { test::run_extract(settings()); }

  void expect_refused(const std::string& why) const {
    const std::string arrays = test::read_text(scratch / "out/token_representations.npz");
    for (const char* type : {"after_block", "ffn_up"}) {
      const std::string message = message_of(settings({type}));
      EXPECT_NE(message.find("already exist in " + (scratch / "out").string()), std::string::npos) << message;
      EXPECT_NE(message.find(why), std::string::npos) << message;
      EXPECT_NE(message.find("OVERWRITE=true"), std::string::npos) << message;
    }
    EXPECT_EQ(test::read_text(scratch / "out/token_representations.npz"), arrays);
    ExtractSettings again = settings({"ffn_up"});
    again.overwrite = true;
    test::run_extract(again);
    EXPECT_EQ(plan_extraction(settings({"ffn_up"})).earlier, EarlierOutput::kComplete);
    EXPECT_EQ(plan_extraction(settings()).earlier, EarlierOutput::kLacksTypes);
  }

  void edit(const std::string& file, const std::string& before, const std::string& after) const {
    std::string text = test::read_text(scratch / file);
    const std::size_t at = text.find(before);
    ASSERT_NE(at, std::string::npos) << before;
    scratch.write(file, text.replace(at, before.size(), after));
  }
};

TEST_F(OtherOutput, OfOtherWeights) {
  std::string weights = test::read_text(scratch / "final_model/model.safetensors");
  weights.back() = static_cast<char>(weights.back() ^ 1);
  scratch.write("final_model/model.safetensors", weights);
  expect_refused("the weights' checksum was crc32 ");
}

TEST_F(OtherOutput, OfAnotherConfiguration) {
  edit("final_model/config.json", "\"rms_norm_eps\": 1e-06", "\"rms_norm_eps\": 1e-05");
  expect_refused("rms_norm_eps was 1e-06, now 1e-05");
}

TEST_F(OtherOutput, OfAnotherVocabulary) {
  scratch.write("final_model/vocab.json", R"({"30": 30, "2": 2, "47": 47})");
  expect_refused("the vocabulary was 48 ids, crc32 ");
}

TEST_F(OtherOutput, WithoutAFingerprint) {
  scratch.write("out/representation_info.json", R"({"vocab_size": 48, "representations_extracted": ["after_block"]})");
  expect_refused("no fingerprint");
}

TEST_F(OtherOutput, WithoutItsDescription) {
  fs::remove(scratch / "out/representation_info.json");
  expect_refused("there is no representation_info.json");
}

TEST_F(OtherOutput, WithADamagedDescription) {
  scratch.write("out/representation_info.json", R"({"fingerprint": )");
  expect_refused("representation_info.json");
}

TEST_F(OtherOutput, WithoutItsMetadata) {
  fs::remove(scratch / "out/token_metadata.json");
  expect_refused("token_metadata.json");
}

TEST_F(OtherOutput, WithADamagedArray) {
  std::string arrays = test::read_text(scratch / "out/token_representations.npz");
  arrays[arrays.size() / 2] = static_cast<char>(arrays[arrays.size() / 2] ^ 1);
  scratch.write("out/token_representations.npz", arrays);
  expect_refused("token_representations.npz");
}

TEST_F(OtherOutput, CutOff) {
  fs::resize_file(scratch / "out/token_representations.npz", 5000);
  expect_refused("token_representations.npz");
}

TEST_F(OtherOutput, WithArraysOfAnotherExtraction) {
  const std::string info = test::read_text(scratch / "out/representation_info.json");
  std::string weights = test::read_text(scratch / "final_model/model.safetensors");
  weights.back() = static_cast<char>(weights.back() ^ 1);
  const fs::path other = scratch / "other_model";
  fs::copy(scratch / "final_model", other);
  scratch.write("other_model/model.safetensors", weights);
  ExtractSettings of_other = settings();
  of_other.model_dir = other;
  of_other.overwrite = true;
  test::run_extract(of_other);
  scratch.write("out/representation_info.json", info);
  expect_refused("is not the one that representation_info.json describes");
}

TEST_F(ExtractFiles, TooLittleMemoryNamesWhatWouldFit) {
  ExtractPlan plan = plan_extraction(settings(kAllTypes));
  EXPECT_NO_THROW(check_extraction_memory(plan, plan.memory_bytes));
  const auto message = [&](std::uint64_t available) -> std::string {
    try {
      check_extraction_memory(plan, available);
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_NE(message(plan.memory_bytes - 1).find("THREADS=1"), std::string::npos) << message(plan.memory_bytes - 1);
  EXPECT_NE(message(1 << 20).find("1 MB are available"), std::string::npos) << message(1 << 20);
  EXPECT_NE(message(1 << 20).find("smaller model"), std::string::npos) << message(1 << 20);

  plan.settings.threads = 1;
  ExtractSettings one_type = settings();
  one_type.threads = 1;
  const std::uint64_t enough_for_one = plan_extraction(one_type).memory_bytes;
  EXPECT_NE(message(enough_for_one).find("fewer REPRESENTATIONS"), std::string::npos) << message(enough_for_one);
}

TEST_F(ExtractFiles, OverwritingKeepsOtherFiles) {
  test::run_extract(settings());
  scratch.write("out/notes.txt", "mine");
  ExtractSettings again = settings(kAllTypes);
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
  EXPECT_NE(message.find("Please run 02a_model_training.sh first"), std::string::npos) << message;
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
