#include "data/epoch_order.h"

#include <gtest/gtest.h>

#include <bit>

#include "golden.h"
#include "sha256.h"

namespace strider {
namespace {

static_assert(std::endian::native == std::endian::little, "the golden sums are over little-endian int64");

TEST(EpochOrder, IsTheOrderOfTheTrainersSampler) {
  for (const nlohmann::json& row : test::golden_json("sampler.json")) {
    const std::vector<std::int64_t> order = epoch_order(row["n"], row["seed"], row["epoch"]);
    ASSERT_EQ(order.size(), row["n"].get<std::size_t>());
    const std::string_view bytes(reinterpret_cast<const char*>(order.data()), order.size() * sizeof(order[0]));
    EXPECT_EQ(test::sha256(bytes), row["sha256_of_le_int64"].get<std::string>())
        << "n " << row["n"] << ", seed " << row["seed"] << ", epoch " << row["epoch"];
  }
}

TEST(EpochOrder, OneWalkAndNone) {
  EXPECT_EQ(epoch_order(1, 42, 0), std::vector<std::int64_t>{0});
  EXPECT_TRUE(epoch_order(0, 42, 0).empty());
}

}  // namespace
}  // namespace strider
