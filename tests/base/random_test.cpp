// The generators against what torch and numpy gave.
#include <gtest/gtest.h>

#include "base/random/mt19937.h"
#include "base/random/pcg64.h"
#include "golden.h"

namespace strider {
namespace {

TEST(TorchGenerator, PermutationsBeginAsTorchs) {
  for (const nlohmann::json& row : test::golden_json("sampler.json")) {
    TorchGenerator generator(row["seed"].get<std::uint64_t>() + row["epoch"].get<std::uint64_t>());
    const std::vector<std::int64_t> order = generator.permutation(row["n"]);
    const auto first = row["first"].get<std::vector<std::int64_t>>();
    ASSERT_EQ(std::vector<std::int64_t>(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(first.size())),
              first);
  }
}

// torch.manual_seed(7); torch.empty(n).normal_() skipped, then torch.empty(3).uniform_(), against drawing the same
// values.
TEST(TorchGenerator, SkippingConsumesWhatDrawingConsumes) {
  for (const std::size_t count : {1UL, 5UL, 15UL, 16UL, 17UL, 40UL, 1000UL, 1248UL}) {
    TorchGenerator drawn(7);
    TorchGenerator skipped(7);
    std::vector<float> values(count);
    drawn.normal(values, 0.0, 1.0);
    skipped.skip_normal(count);
    EXPECT_EQ(drawn.random(), skipped.random()) << count;
    for (std::size_t i = 0; i < count; ++i) drawn.uniform();
    skipped.skip_uniform(count);
    EXPECT_EQ(drawn.random(), skipped.random()) << count;
  }
}

TEST(NumpyGenerator, PermutationsBeginAsNumpys) {
  for (const nlohmann::json& row : test::golden_json("split.json")) {
    const std::int64_t walks = row["walks"];
    const std::int64_t validation = row["validation"];
    const std::vector<std::int64_t> order = NumpyGenerator(row["seed"].get<std::uint64_t>()).permutation(walks);
    const auto first = row["validation_first"].get<std::vector<std::int64_t>>();
    const auto then = row["train_first"].get<std::vector<std::int64_t>>();
    for (std::size_t i = 0; i < first.size(); ++i) ASSERT_EQ(order[i], first[i]) << walks;
    for (std::size_t i = 0; i < then.size(); ++i)
      ASSERT_EQ(order[static_cast<std::size_t>(validation) + i], then[i]) << walks;
  }
}

}  // namespace
}  // namespace strider
