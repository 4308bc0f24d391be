// Every draw that torch makes, in torch's order: golden_extra/torch_generator.json takes one generator through all of
// them, so that a wrong count of draws shows in what comes after.
#include "base/random/mt19937.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random/box_muller.h"
#include "golden.h"

namespace strider {
namespace {

TEST(TorchGenerator, DrawsWhatTorchDraws) {
  for (const nlohmann::json& run : test::golden_json("../golden_extra/torch_generator.json")) {
    const auto seed = run["seed"].get<std::uint64_t>();
    TorchGenerator generator(seed);
    std::vector<std::uint64_t> integers(400);  // Tensor.random_() of int64: 63 bits of two draws
    for (std::uint64_t& integer : integers) integer = generator.random64() & INT64_MAX;
    for (std::size_t i = 0; i < run["random63"].size(); ++i) {
      EXPECT_EQ(integers[run["random63_at"][i].get<std::size_t>()], run["random63"][i].get<std::uint64_t>()) << seed;
    }
    for (const nlohmann::json& expected : run["normals"]) {
      std::vector<float> values(expected.size());
      generator.normal(values, 0.5, 2.0);
      for (std::size_t i = 0; i < values.size(); ++i) {
        EXPECT_NEAR(values[i], expected[i].get<float>(), 2e-6F) << seed << ", " << i << " of " << values.size();
      }
    }
    for (const nlohmann::json& expected : run["uniforms"]) EXPECT_EQ(generator.uniform(), expected.get<float>());
    EXPECT_EQ(generator.permutation(12), run["permutation"].get<std::vector<std::int64_t>>()) << seed;
    EXPECT_TRUE(generator.permutation(0).empty());
    EXPECT_EQ(generator.uniform(), run["last_uniform"].get<float>()) << seed;
  }
}

TEST(TorchGenerator, SkippingIsDrawing) {
  for (const std::uint64_t draws : {0ULL, 1ULL, 623ULL, 624ULL, 625ULL, 100'000ULL}) {
    TorchGenerator drawn(3);
    TorchGenerator skipped(3);
    for (std::uint64_t i = 0; i < draws; ++i) drawn.random();
    skipped.skip(draws);
    EXPECT_EQ(drawn.random(), skipped.random()) << draws;
  }
  // A short normal leaves the second number of a pair behind, which a skip must leave as well.
  TorchGenerator drawn(3);
  TorchGenerator skipped(3);
  std::vector<float> values(5);
  drawn.normal(values, 0.0, 1.0);
  skipped.skip_normal(5);
  float after_drawn = 0.0F;
  float after_skipped = 0.0F;
  drawn.normal({&after_drawn, 1}, 0.0, 1.0);
  skipped.normal({&after_skipped, 1}, 0.0, 1.0);
  EXPECT_EQ(after_drawn, after_skipped);
}

TEST(TorchGenerator, MoreThanTorchPutsInOrderThisWayIsRefused) {
  EXPECT_THROW(TorchGenerator(1).permutation(1LL << 32), Error);
}

// The ends of what uniform numbers can be, against the formula in float64.
TEST(BoxMuller, HoldsAtTheEndsOfItsRange) {
  const float largest = 1.0F - 0x1p-24F;
  for (const float u1 : {0.0F, 0x1p-24F, 0.5F, largest}) {
    for (const float u2 : {0.0F, 0x1p-24F, 0.25F, 0.5F, 0.75F, largest}) {
      float block[kNormalBlock];
      for (std::size_t i = 0; i < kNormalBlock; ++i) block[i] = i < kNormalBlock / 2 ? u1 : u2;
      box_muller(block, 1, 0.0F, 1.0F);
      const double radius = std::sqrt(-2.0 * std::log(1.0 - double{u1}));
      const double angle = 2.0 * 3.14159265358979323846 * double{u2};
      for (std::size_t i = 0; i < kNormalBlock / 2; ++i) {
        EXPECT_NEAR(block[i], radius * std::cos(angle), 3e-6) << u1 << " " << u2;
        EXPECT_NEAR(block[i + kNormalBlock / 2], radius * std::sin(angle), 3e-6) << u1 << " " << u2;
      }
    }
  }
}

}  // namespace
}  // namespace strider
