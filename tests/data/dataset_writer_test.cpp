#include "data/dataset_writer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <numeric>

#include "data/train_split.h"
#include "scene.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::ScratchFolder;
using test::Walks;
using test::walks_of;

fs::path write_csv(const ScratchFolder& scratch, const Walks& walks) {
  std::string text = "walk_id,length,sequence_labels\r\n";
  for (std::size_t i = 0; i < walks.size(); ++i) {
    text += fmt::format("{},{},{}\r\n", i, walks[i].size(), fmt::join(walks[i], " "));
  }
  return scratch.write("walks.csv", text);
}

std::vector<std::int64_t> rows_from_to(std::int64_t first, std::int64_t last) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(last - first));
  std::iota(rows.begin(), rows.end(), first);
  return rows;
}

nlohmann::json read(const fs::path& file) {
  return nlohmann::json::parse(test::read_text(file));
}

std::shared_ptr<arrow::Table> read_table(const fs::path& file, std::vector<std::int64_t>* batch_rows) {
  const auto mapped = arrow::io::MemoryMappedFile::Open(file.string(), arrow::io::FileMode::READ).ValueOrDie();
  const auto reader = arrow::ipc::RecordBatchStreamReader::Open(mapped).ValueOrDie();
  const auto batches = reader->ToRecordBatches().ValueOrDie();
  for (const auto& batch : batches) batch_rows->push_back(batch->num_rows());
  return arrow::Table::FromRecordBatches(reader->schema(), batches).ValueOrDie();
}

void expect_same_state(const fs::path& ours, const fs::path& theirs) {
  nlohmann::json our_state = read(ours);
  nlohmann::json their_state = read(theirs);
  EXPECT_EQ(our_state["_fingerprint"].get<std::string>().size(), 16U);
  our_state.erase("_fingerprint");
  their_state.erase("_fingerprint");
  EXPECT_EQ(our_state, their_state);
}

// The word for a list's type in the features: `datasets` 4 writes List, which version 3 cannot read, and reads both.
std::string with_the_older_word(std::string text) {
  const std::string word = "\"List\"";
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word)) {
    text.replace(at, word.size(), "\"Sequence\"");
  }
  return text;
}

std::shared_ptr<arrow::Table> with_the_older_word(const std::shared_ptr<arrow::Table>& table) {
  const std::string features = table->schema()->metadata()->Get("huggingface").ValueOrDie();
  return table->ReplaceSchemaMetadata(arrow::key_value_metadata({"huggingface"}, {with_the_older_word(features)}));
}

// golden/run/dataset was written by `datasets` itself: 1140 walks to train, so two record batches, and 60 to validate.
TEST(DatasetWriter, WritesWhatDatasetsWrites) {
  const fs::path golden = test::golden("run/dataset");
  const WalkDataset theirs = open_dataset(golden);
  Walks walks = walks_of(theirs.train);
  for (auto& walk : walks_of(*theirs.validation)) walks.push_back(std::move(walk));

  const ScratchFolder scratch;
  const fs::path ours = scratch / "made/dataset";
  const auto train = rows_from_to(0, theirs.train.size());
  const auto validation = rows_from_to(theirs.train.size(), static_cast<std::int64_t>(walks.size()));
  const std::vector<SplitToWrite> splits{{"train", train}, {"validation", validation}};
  write_dataset(ours, WalksCsv(write_csv(scratch, walks)), splits, {});

  EXPECT_EQ(test::read_text(ours / "dataset_dict.json"), test::read_text(golden / "dataset_dict.json"));
  for (const char* split : {"train", "validation"}) {
    EXPECT_EQ(test::read_text(ours / split / "dataset_info.json"),
              with_the_older_word(test::read_text(golden / split / "dataset_info.json")));
    expect_same_state(ours / split / "state.json", golden / split / "state.json");
    constexpr const char* kShard = "data-00000-of-00001.arrow";
    std::vector<std::int64_t> our_batches;
    std::vector<std::int64_t> their_batches;
    const auto our_table = read_table(ours / split / kShard, &our_batches);
    const auto their_table = with_the_older_word(read_table(golden / split / kShard, &their_batches));
    EXPECT_TRUE(our_table->schema()->Equals(*their_table->schema(), true)) << our_table->schema()->ToString(true);
    EXPECT_TRUE(our_table->Equals(*their_table));
    EXPECT_EQ(our_batches, their_batches);
  }
}

TEST(DatasetWriter, VocabInfo) {
  const ScratchFolder scratch;
  const WalksCsv csv(write_csv(scratch, {{3, 1, 2}, {7, 2}}));
  const auto rows = rows_from_to(0, 2);
  const std::vector<SplitToWrite> splits{{"train", rows}};
  write_dataset(scratch / "dataset", csv, splits, {});
  EXPECT_EQ(read(scratch / "dataset/vocab_info.json"), nlohmann::json::parse(R"({
    "vocab_size": 8, "min_id": 1, "max_id": 7, "ids_seen": 4, "times_seen": {"min": 1, "median": 1.0, "max": 2},
    "never_seen_ids": [[0, 0], [4, 6]], "best_loss": null, "walk_rule": null})"));
  EXPECT_EQ(test::read_text(scratch / "dataset/dataset_dict.json"), R"({"splits": ["train"]})");

  write_dataset(scratch / "dataset", csv, splits, {.best_loss = 1.5, .walk_rule = R"({"no_repeat_window": 32})"});
  const nlohmann::json info = read(scratch / "dataset/vocab_info.json");
  EXPECT_EQ(info["best_loss"], 1.5);
  EXPECT_EQ(info["walk_rule"]["no_repeat_window"], 32);
  EXPECT_EQ(open_dataset(scratch / "dataset").vocab.best_loss, 1.5);
}

TEST(DatasetWriter, SplitsAndShardsHoldTheWalksInTheirOrder) {
  const ScratchFolder scratch;
  Walks walks;
  for (std::int32_t i = 0; i < 500; ++i) walks.emplace_back(static_cast<std::size_t>(1 + i % 9), i);
  const WalksCsv csv(write_csv(scratch, walks));
  const TrainSplit split = train_test_split(csv.size(), 0.9);
  const std::vector<SplitToWrite> splits{{"train", split.train}, {"validation", split.validation}};
  constexpr std::int64_t kShardBytes = 4000;
  write_dataset(scratch / "dataset", csv, splits, {}, kShardBytes);

  // What `datasets` counts: (500 * 16 + 501 * 4 + 2490 * 4) * 450 / 500 bytes, in files of 4000.
  EXPECT_EQ(csv.tokens(), 2490);
  EXPECT_EQ(read(scratch / "dataset/train/state.json")["_data_files"].size(), 5U);
  const WalkDataset dataset = open_dataset(scratch / "dataset");
  ASSERT_EQ(dataset.train.size(), 450);
  ASSERT_EQ(dataset.validation->size(), 50);
  for (const auto& [rows, written] : {std::pair(split.train, dataset.train), {split.validation, *dataset.validation}}) {
    const Walks found = walks_of(written);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(written.walk_id(static_cast<std::int64_t>(i)), rows[i]);
      EXPECT_EQ(found[i], walks[static_cast<std::size_t>(rows[i])]);
    }
  }
}

TEST(DatasetWriter, TheFingerprintNamesTheContent) {
  const ScratchFolder scratch;
  const auto fingerprint = [&](const Walks& walks) {
    const auto rows = rows_from_to(0, static_cast<std::int64_t>(walks.size()));
    const std::vector<SplitToWrite> splits{{"train", rows}};
    write_dataset(scratch / "dataset", WalksCsv(write_csv(scratch, walks)), splits, {});
    return read(scratch / "dataset/train/state.json")["_fingerprint"].get<std::string>();
  };
  const std::string first = fingerprint({{1, 2}, {3}});
  EXPECT_EQ(fingerprint({{1, 2}, {3}}), first);
  EXPECT_NE(fingerprint({{1, 2}, {4}}), first);
  EXPECT_NE(fingerprint({{1}, {2, 3}}), first);
}

class DatasetWriterReplaces : public testing::Test {
 protected:
  void write() const {
    const std::vector<std::int64_t> rows{0};
    const std::vector<SplitToWrite> splits{{"train", rows}};
    write_dataset(scratch_ / "dataset", WalksCsv(write_csv(scratch_, {{5, 4}})), splits, {});
  }
  // Refused before anything is written: what is there stays, and nothing is left beside it.
  void expect_refused() const {
    const std::string advice = error_of([&] { write(); }).advice;
    EXPECT_NE(advice.find("DATASET_DIR"), std::string::npos) << advice;
    for (const fs::directory_entry& entry : fs::directory_iterator(scratch_.path())) {
      EXPECT_TRUE(entry.path().filename() == "dataset" || entry.path().filename() == "walks.csv") << entry.path();
    }
  }
  ScratchFolder scratch_;
};

TEST_F(DatasetWriterReplaces, AnOldDatasetAndNothingOfItIsLeft) {
  test::copy_golden(scratch_, "two_shards");
  write();
  EXPECT_EQ(walks_of(open_dataset(scratch_ / "dataset").train), (Walks{{5, 4}}));
  EXPECT_FALSE(fs::exists(scratch_ / "dataset/validation"));
}

TEST_F(DatasetWriterReplaces, ADatasetWithoutSplitsAndAnEmptyFolder) {
  test::copy_golden(scratch_, "no_split_extra_column");
  write();
  EXPECT_FALSE(fs::exists(scratch_ / "dataset/state.json"));
  fs::remove_all(scratch_ / "dataset");
  fs::create_directory(scratch_ / "dataset");
  write();
  EXPECT_TRUE(fs::exists(scratch_ / "dataset/train/state.json"));
}

TEST_F(DatasetWriterReplaces, NoFolderOfOtherThings) {
  const fs::path thesis = scratch_.write("dataset/thesis.tex", "years of work");
  expect_refused();
  EXPECT_EQ(test::read_text(thesis), "years of work");
}

TEST_F(DatasetWriterReplaces, NoDatasetWithOtherThingsInIt) {
  for (const char* name : {"dataset/notes.md", "dataset/train/notes.md", "dataset/graph/A.npy"}) {
    test::copy_golden(scratch_, "two_shards");
    const fs::path notes = scratch_.write(name, "mine");
    expect_refused();
    EXPECT_EQ(test::read_text(notes), "mine");
  }
}

TEST_F(DatasetWriterReplaces, NoFile) {
  const fs::path file = scratch_.write("dataset", "a file");
  expect_refused();
  EXPECT_EQ(test::read_text(file), "a file");
}

// A limit on the size of files plays a full disk: small files fit, the walks do not.
TEST(DatasetWriter, NothingIsLeftWhereTheDiskIsFull) {
  constexpr rlim_t kMostBytes = 20000;
  const ScratchFolder scratch;
  const WalksCsv csv(write_csv(scratch, Walks(5000, {1, 2, 3})));
  const auto rows = rows_from_to(0, csv.size());
  const std::vector<SplitToWrite> splits{{"train", rows}};
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{.rlim_cur = kMostBytes, .rlim_max = before.rlim_max};
  const auto old_action = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string message;
  const ErrorDetails details = error_of([&] { write_dataset(scratch / "dataset", csv, splits, {}); }, &message);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, old_action);
  EXPECT_NE(message.find("File too large"), std::string::npos) << message;
  EXPECT_NE(details.file.find("data-00000-of-00001.arrow"), std::string::npos) << details.file;
  EXPECT_EQ(std::distance(fs::directory_iterator(scratch.path()), fs::directory_iterator()), 1);  // walks.csv
}

TEST_F(DatasetWriterReplaces, NothingWhenTheNewOneFails) {
  const fs::path folder = test::copy_golden(scratch_, "two_shards");
  const std::vector<std::int64_t> rows{0};
  const std::vector<SplitToWrite> splits{{"train", rows}, {"no/such/folder", rows}};
  EXPECT_ANY_THROW(write_dataset(folder, WalksCsv(write_csv(scratch_, {{5, 4}})), splits, {}));
  EXPECT_EQ(walks_of(open_dataset(folder).train), test::golden_json("datasets/walks.json")["base"].get<Walks>());
}

}  // namespace
}  // namespace strider
