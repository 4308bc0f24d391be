#include "data/train_split.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>

#include "base/error.h"
#include "golden.h"
#include "sha256.h"

namespace strider {
namespace {

static_assert(std::endian::native == std::endian::little, "the golden sums are over little-endian int64");

std::string sum_of(const std::vector<std::int64_t>& rows) {
  return test::sha256({reinterpret_cast<const char*>(rows.data()), rows.size() * sizeof(rows[0])});
}

TEST(TrainSplit, IsWhatDatasetsDecides) {
  for (const nlohmann::json& row : test::golden_json("split.json")) {
    const TrainSplit split = train_test_split(row["walks"], row["train_split"]);
    EXPECT_EQ(split.train.size(), row["train"].get<std::size_t>());
    EXPECT_EQ(split.validation.size(), row["validation"].get<std::size_t>());
    EXPECT_EQ(sum_of(split.train), row["train_sha256_of_le_int64"].get<std::string>()) << row["walks"];
    EXPECT_EQ(sum_of(split.validation), row["validation_sha256_of_le_int64"].get<std::string>()) << row["walks"];
  }
}

TEST(TrainSplit, OneTakesAllInTheirOrder) {
  const TrainSplit split = train_test_split(4, 1.0);
  EXPECT_EQ(split.train, (std::vector<std::int64_t>{0, 1, 2, 3}));
  EXPECT_TRUE(split.validation.empty());
}

TEST(TrainSplit, RefusesWhatIsNoShare) {
  for (const double share : {0.0, -0.5, 1.5, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THROW(train_test_split(10, share), Error) << share;
  }
}

TEST(TrainSplit, NoSplitIsEmpty) {
  EXPECT_THROW(train_test_split(1, 0.95), Error);
  EXPECT_THROW(train_test_split(3, 0.3), Error);  // floor(0.9) walks to train on
  EXPECT_EQ(train_test_split(3, 0.34).train.size(), 1U);
  for (std::int64_t walks = 2; walks < 100; ++walks) {
    EXPECT_EQ(train_test_split(walks, 1 - 0x1p-53).validation.size(), 1U) << walks;
  }
}

}  // namespace
}  // namespace strider
