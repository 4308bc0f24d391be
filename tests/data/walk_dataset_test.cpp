#include "data/walk_dataset.h"

#include <gtest/gtest.h>

#include "scene.h"

namespace strider {
namespace {

using test::error_of;
using test::list_column;
using test::ScratchFolder;
using test::Walks;
using test::walks_of;
using test::write_columns;

Walks golden_walks(const char* name) {
  return test::golden_json("datasets/walks.json")[name].get<Walks>();
}

class GoldenDataset : public testing::TestWithParam<const char*> {};

TEST_P(GoldenDataset, HoldsTheWalks) {
  const WalkDataset dataset = open_dataset(test::golden("datasets") / GetParam());
  EXPECT_EQ(walks_of(dataset.train), golden_walks("base"));
  for (std::int64_t i = 0; i < dataset.train.size(); ++i) EXPECT_EQ(dataset.train.walk_id(i), i);
  EXPECT_EQ(dataset.vocab.vocab_size, 12);
  EXPECT_EQ(dataset.vocab.min_id, 0);
  EXPECT_EQ(dataset.vocab.max_id, 11);
  EXPECT_FALSE(dataset.vocab.best_loss.has_value());
}

INSTANTIATE_TEST_SUITE_P(AsDatasetsWritesThem, GoldenDataset,
                         testing::Values("two_shards", "int16", "int64", "large_list", "no_split_extra_column"),
                         [](const auto& folder) { return std::string(folder.param); });

TEST(WalkDataset, ShuffledBeforeItWasSaved) {
  const WalkDataset dataset = open_dataset(test::golden("datasets/shuffled"));
  EXPECT_EQ(walks_of(dataset.train), golden_walks("shuffled"));
  const Walks base = golden_walks("base");
  for (std::int64_t i = 0; i < dataset.train.size(); ++i) {
    EXPECT_EQ(golden_walks("shuffled")[static_cast<std::size_t>(i)],
              base[static_cast<std::size_t>(dataset.train.walk_id(i))]);
  }
}

// Of the mappings of files below a folder, as /proc/self/smaps gives it.
std::int64_t resident_kilobytes(const std::filesystem::path& folder) {
  std::ifstream maps("/proc/self/smaps");
  std::int64_t sum = 0;
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.starts_with("Rss:")) sum += inside ? std::stoll(line.substr(4)) : 0;
    if (line.find('-') < line.find(' ')) inside = line.find(folder.string()) != std::string::npos;
  }
  return sum;
}

TEST(WalkDataset, ReleasedPagesAreGoneAndComeBackWithTheSameWalks) {
  const ScratchFolder scratch;
  const auto folder = test::copy_golden(scratch, "two_shards");
  const WalkDataset dataset = open_dataset(folder);
  const Walks walks = walks_of(dataset.train);
  walks_of(*dataset.validation);
  const std::int64_t before = resident_kilobytes(folder);
  dataset.train.release_pages();
  const std::int64_t validation = resident_kilobytes(folder);
  dataset.validation->release_pages();
  EXPECT_LT(validation, before);
  EXPECT_GT(validation, 0);
  EXPECT_EQ(resident_kilobytes(folder), 0);
  EXPECT_EQ(walks_of(dataset.train), walks);
  EXPECT_EQ(walks, golden_walks("base"));
}

TEST(WalkDataset, AFileThatIsOpenedLeavesLittleOfItInMemory) {
  const ScratchFolder scratch;
  const Walks walks(20'000, std::vector<std::int32_t>(128, 7));
  const auto folder = write_columns(scratch, {{"input_ids", list_column(arrow::list(arrow::int64()), walks)}});
  ASSERT_GT(std::filesystem::file_size(folder / "data.arrow"), 20'000'000U);
  const WalkDataset dataset = open_dataset(folder);
  EXPECT_EQ(dataset.train.size(), 20'000);
  EXPECT_LT(resident_kilobytes(folder), 2'000);
}

TEST(WalkDataset, ValidationOnlyWhereThereIsOne) {
  const WalkDataset dataset = open_dataset(test::golden("datasets/two_shards"));
  const Walks base = golden_walks("base");
  ASSERT_TRUE(dataset.validation.has_value());
  EXPECT_EQ(walks_of(*dataset.validation), Walks(base.begin(), base.begin() + 5));
  EXPECT_FALSE(open_dataset(test::golden("datasets/int16")).validation.has_value());
}

TEST(WalkDataset, ASplitOfAnotherNameServesAsValidation) {
  const ScratchFolder scratch;
  const auto folder = test::copy_golden(scratch, "two_shards");
  EXPECT_TRUE(open_dataset(folder).notices.empty());
  std::filesystem::rename(folder / "validation", folder / "test");
  scratch.write("dataset/dataset_dict.json", R"({"splits": ["train", "test"]})");
  const WalkDataset dataset = open_dataset(folder);
  EXPECT_EQ(dataset.validation.value().size(), open_dataset(test::golden("datasets/two_shards")).validation->size());
  EXPECT_EQ(dataset.notices,
            std::vector<std::string>{"The dataset has no split validation; its split test serves as one."});

  std::filesystem::rename(folder / "test", folder / "extra");
  scratch.write("dataset/dataset_dict.json", R"({"splits": ["train", "extra"]})");
  EXPECT_FALSE(open_dataset(folder).validation.has_value());
}

TEST(WalkDataset, TheRunsBatchesAreInIt) {
  const WalkDataset dataset = open_dataset(test::golden("run/dataset"));
  EXPECT_EQ(dataset.train.size(), 1140);
  EXPECT_EQ(dataset.validation->size(), 60);
  EXPECT_EQ(dataset.validation->walk_id(0), 1140);
  // The last row lies in the second record batch of the file.
  EXPECT_EQ(dataset.train.walk_id(1139), 1139);
}

TEST(WalkDataset, ReadsAtMostWhatFits) {
  const WalkSplit train = open_dataset(test::golden("datasets/two_shards")).train;
  const Walks base = golden_walks("base");
  constexpr std::size_t kMost = 6;
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < base.size(); ++i) {
    std::vector<std::int32_t> ids(kMost, -7);
    const std::size_t count = train.read(static_cast<std::int64_t>(i), ids);
    ASSERT_EQ(count, std::min(kMost, base[i].size()));
    EXPECT_TRUE(std::equal(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count), base[i].begin()));
    EXPECT_TRUE(
        std::all_of(ids.begin() + static_cast<std::ptrdiff_t>(count), ids.end(), [](auto id) { return id == -7; }));
    tokens += static_cast<std::int64_t>(count);
  }
  EXPECT_EQ(train.tokens(kMost), tokens);
}

TEST(WalkDataset, StriderKeepsTheBestLoss) {
  const ScratchFolder scratch;
  const auto folder = test::copy_golden(scratch, "int16");
  scratch.write("dataset/vocab_info.json", R"({"vocab_size": 12, "best_loss": 1.71})");
  EXPECT_EQ(open_dataset(folder).vocab.best_loss, 1.71);
  scratch.write("dataset/vocab_info.json", R"({"vocab_size": 12, "best_loss": null})");
  EXPECT_FALSE(open_dataset(folder).vocab.best_loss.has_value());
}

TEST(WalkDataset, EveryWidthOfIds) {
  const Walks walks{{1, 2}, {127, 0}, {5, 6}};
  using namespace arrow;  // NOLINT: the names of a dozen types
  for (const auto& item : {int8(), int16(), int32(), int64(), uint8(), uint16(), uint32(), uint64()}) {
    for (const auto& type : {list(item), large_list(item), fixed_size_list(item, 2)}) {
      const ScratchFolder scratch;
      const WalkDataset dataset = open_dataset(write_columns(scratch, {{"input_ids", list_column(type, walks)}}));
      EXPECT_EQ(walks_of(dataset.train), walks) << type->ToString();
      EXPECT_EQ(dataset.train.walk_id(2), 2);
    }
  }
}

TEST(WalkDataset, LargeUnsignedIdsStayLarge) {
  const ScratchFolder scratch;
  const Walks walks{{40000, 65535}};
  const auto folder = write_columns(scratch, {{"input_ids", list_column(arrow::list(arrow::uint16()), walks)}}, 65536);
  EXPECT_EQ(walks_of(open_dataset(folder).train), walks);
}

}  // namespace
}  // namespace strider
