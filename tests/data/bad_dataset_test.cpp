// Folders that are no datasets, or damaged ones: each gives an Error that says where, and never more than that.
#include <gtest/gtest.h>

#include <fstream>

#include "scene.h"

namespace strider {
namespace {

using test::error_of;
using test::list_column;
using test::ScratchFolder;
using test::Walks;
using test::write_columns;

const auto kList = arrow::list(arrow::int32());

TEST(BadDataset, Missing) {
  const ScratchFolder scratch;
  std::string message;
  const ErrorDetails details = error_of([&] { open_dataset(scratch / "dataset"); }, &message);
  EXPECT_EQ(message, "Dataset directory " + (scratch / "dataset").string() + " not found!");
  EXPECT_EQ(details.advice, "Name a dataset folder with DATASET_DIR; 01c_dataset_preparation.sh makes one.");
}

TEST(BadDataset, NoVocabInfo) {
  const ScratchFolder scratch;
  const auto folder = test::copy_golden(scratch, "int16");
  std::filesystem::remove(folder / "vocab_info.json");
  EXPECT_NE(error_of([&] { open_dataset(folder); }).advice.find("{\"vocab_size\": N}"), std::string::npos);
  std::filesystem::remove(folder / "dataset_dict.json");  // now it is no dataset at all
  EXPECT_NE(error_of([&] { open_dataset(folder); }).advice.find("01c_dataset_preparation.sh"), std::string::npos);
}

TEST(BadDataset, BrokenJson) {
  for (const char* name : {"vocab_info.json", "dataset_dict.json", "train/state.json"}) {
    const ScratchFolder scratch;
    const auto folder = test::copy_golden(scratch, "int16");
    const auto file = scratch.write(std::string("dataset/") + name, "{\n  \"a\": ]");
    const ErrorDetails details = error_of([&] { open_dataset(folder); });
    EXPECT_EQ(details.file, file.string());
    EXPECT_EQ(details.place, "line 2, column 8");
  }
}

TEST(BadDataset, JsonOfAnotherShape) {
  for (
      const auto& [name, text] : std::vector<std::pair<std::string, std::string>>{
          {"vocab_info.json", "[]"},
          {"vocab_info.json", R"({"vocab_size": "12"})"},
          {"vocab_info.json", R"({"vocab_size": 0})"},
          {"vocab_info.json", R"({"vocab_size": 3000000000})"},
          {"vocab_info.json", R"({"vocab_size": 12, "best_loss": "low"})"},
          {"dataset_dict.json", "{}"},
          {"dataset_dict.json", R"({"splits": [1]})"},
          {"dataset_dict.json", R"({"splits": ["validation"]})"},
          {"train/state.json", "{}"},
          {"train/state.json", R"({"_data_files": [7]})"},
          {"train/state.json", R"({"_data_files": [{"filename": "no.arrow"}]})"},
          {"train/state.json", R"({"_data_files": [{"filename": ""}]})"},
          {"train/state.json", R"({"_data_files": [{"filename": ".."}]})"},
          {"train/state.json", R"({"_data_files": [{"filename": "../../other/data.arrow"}]})"},
          {"train/state.json", R"({"_data_files": [{"filename": "/etc/hostname"}]})"},
          {"train/state.json",
           R"({"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_indices_data_files": [{"filename": "i"}]})"}}) {
    const ScratchFolder scratch;
    const auto folder = test::copy_golden(scratch, "int16");
    scratch.write("dataset/" + name, text);
    EXPECT_FALSE(error_of([&] { open_dataset(folder); }).file.empty()) << name << ": " << text;
  }
}

TEST(BadDataset, AnIdOutsideTheVocabulary) {
  const ScratchFolder scratch;
  const auto folder = test::copy_golden(scratch, "two_shards");
  scratch.write("dataset/vocab_info.json", R"({"vocab_size": 11})");
  std::string message;
  const ErrorDetails details = error_of([&] { open_dataset(folder); }, &message);
  EXPECT_EQ(message, "the id 11 is outside the vocabulary of 11 (ids 0 to 10)");
  EXPECT_EQ(details.file, (folder / "train/data-00000-of-00002.arrow").string());
  EXPECT_EQ(details.place, "train walk 5, position 0");  // the first 11 of walks.json
  EXPECT_FALSE(details.advice.empty());
}

TEST(BadDataset, ANegativeIdAndOneTooWide) {
  for (const std::int32_t id : {-5, 1000}) {
    const ScratchFolder scratch;
    const auto folder = write_columns(scratch, {{"input_ids", list_column(kList, {{1, 2}, {3, id, 4}})}});
    EXPECT_EQ(error_of([&] { open_dataset(folder); }).place, "train walk 1, position 1");
  }
}

TEST(BadDataset, AWalkWithoutAToken) {
  const ScratchFolder scratch;
  const auto folder = write_columns(scratch, {{"input_ids", list_column(kList, {{1}, {2}, {}})}});
  std::string message;
  EXPECT_EQ(error_of([&] { open_dataset(folder); }, &message).place, "train walk 2");
  EXPECT_EQ(message, "a walk without a token");
}

TEST(BadDataset, AnEmptySplit) {
  const ScratchFolder scratch;
  std::string message;
  error_of([&] { open_dataset(write_columns(scratch, {{"input_ids", list_column(kList, {})}})); }, &message);
  EXPECT_EQ(message, "the split train is empty");
  scratch.write("dataset/state.json", R"({"_data_files": []})");
  error_of([&] { open_dataset(scratch / "dataset"); }, &message);
  EXPECT_EQ(message, "the split train is empty");
}

TEST(BadDataset, DamageComesWithTheWayToMakeItAgain) {
  const ScratchFolder scratch;
  const auto folder = test::copy_golden(scratch, "int16");
  scratch.write("dataset/train/state.json", "{}");
  EXPECT_NE(error_of([&] { open_dataset(folder); }).advice.find("save_to_disk"), std::string::npos);
  scratch.write("dataset/vocab_info.json", R"({"vocab_size": 12, "walk_rule": null})");  // by strider dataset
  EXPECT_NE(error_of([&] { open_dataset(folder); }).advice.find("01c_dataset_preparation.sh"), std::string::npos);
}

TEST(BadDataset, ColumnsOfAnotherKind) {
  const auto numbers = list_column(kList, {{1}, {2}});
  const std::vector<std::vector<test::Column>> cases{
      {{"ids", numbers}},
      {{"input_ids", numbers}, {"input_ids", numbers}},
      {{"input_ids", list_column(arrow::list(arrow::float32()), {{1}, {2}})}},
      {{"input_ids", arrow::MakeArrayOfNull(arrow::utf8(), 2).ValueOrDie()}},
      {{"input_ids", list_column(kList, {{1}, {-1}})}},     // a null walk
      {{"input_ids", list_column(kList, {{1}, {2, -2}})}},  // a null id
      {{"input_ids", numbers}, {"labels", arrow::MakeArrayOfNull(kList, 2).ValueOrDie()}},
      {{"input_ids", numbers}, {"labels", numbers}, {"labels", numbers}},
      {{"input_ids", numbers}, {"attention_mask", list_column(arrow::list(arrow::float32()), {{1}, {1}})}},
      {{"input_ids", numbers}, {"inputs_embeds", numbers}},
  };
  for (const auto& columns : cases) {
    const ScratchFolder scratch;
    const auto folder = write_columns(scratch, columns);
    EXPECT_EQ(error_of([&] { open_dataset(folder); }).file, (folder / "data.arrow").string());
  }
}

TEST(BadDataset, FilesThatAreNoArrowStream) {
  const std::string zeros(4096, '\0');
  for (const std::string& bytes :
       std::vector<std::string>{"", "walk_id,length,sequence_labels\n0,1,5\n", "ARROW1", "PAR1", "\xFF\xFF\xFF\xFF",
                                zeros, std::string(64, '\xFF')}) {
    const ScratchFolder scratch;
    const auto folder = test::copy_golden(scratch, "int16");
    const auto file = scratch.write("dataset/train/data-00000-of-00001.arrow", bytes);
    EXPECT_EQ(error_of([&] { open_dataset(folder); }).file, file.string());
  }
}

TEST(BadDataset, CutAnywhere) {
  const ScratchFolder scratch;
  const auto folder = test::copy_golden(scratch, "two_shards");
  const auto file = folder / "train/data-00001-of-00002.arrow";
  // Shorter and shorter in place: writing it anew each time makes filesystems flush it each time.
  for (std::uintmax_t size = std::filesystem::file_size(file); size-- > 0;) {
    std::filesystem::resize_file(file, size);
    EXPECT_EQ(error_of([&] { open_dataset(folder); }).file, file.string()) << size;
  }
}

void set_byte(const std::filesystem::path& file, std::size_t at, char value) {
  std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
  stream.seekp(static_cast<std::streamoff>(at));
  stream.put(value);
}

bool is_refused(const std::filesystem::path& folder) {
  try {
    for (const auto& walk : test::walks_of(open_dataset(folder).train)) {
      EXPECT_FALSE(walk.empty());
      for (const std::int32_t id : walk) EXPECT_TRUE(id >= 0 && id < 12);
    }
    return false;
  } catch (const Error&) {
    return true;
  }
}

// Any damage either is seen, or leaves a dataset that is sound (another id of the vocabulary, say).
TEST(BadDataset, DamagedAnywhere) {
  const ScratchFolder scratch;
  const auto folder = test::copy_golden(scratch, "large_list");
  const auto file = folder / "train/data-00000-of-00001.arrow";
  const std::string bytes = test::read_text(file);
  std::size_t refused = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (const char flip : {'\x01', '\x80', '\xFF'}) {
      set_byte(file, at, static_cast<char>(bytes[at] ^ flip));
      refused += is_refused(folder) ? 1 : 0;
    }
    set_byte(file, at, bytes[at]);
  }
  EXPECT_GT(refused, bytes.size());  // a third of all damage at least
  EXPECT_FALSE(is_refused(folder));
}

}  // namespace
}  // namespace strider
