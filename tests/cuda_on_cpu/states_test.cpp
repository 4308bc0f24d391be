// Representations on the GPU against the CPU's, which tests/extract holds to transformers' own.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/cuda/cuda_engine.h"
#include "golden_batch.h"
#include "gpu_under_test.h"

namespace strider {
namespace {

class CudaStates : public testing::TestWithParam<const char*>, protected test::GoldenBatch {
 protected:
  void SetUp() override {
    read(GetParam());
    std::vector<Representation> types;
    for (const RepresentationType& type : representation_types()) types.push_back(type.what);
    arrays = list_token_arrays(config, types);
  }

  std::unique_ptr<Engine> gpu(Precision precision, std::int64_t rows) {
    return with_golden_weights(
        cuda::make_engine_with(config, engine_settings(1, precision, {}), test::make_products(precision), rows));
  }
  std::unique_ptr<Engine> cpu() { return GoldenBatch::engine(1, Precision::kFloat32, {}); }

  // The bound is relative to the largest of the vector.
  static void expect_near(std::span<const float> a, std::span<const float> b, double bound, const std::string& name) {
    double largest = 0.0;
    for (const float value : b) largest = std::max(largest, std::abs(double{value}));
    for (std::size_t i = 0; i < b.size(); ++i) ASSERT_NEAR(a[i], b[i], bound * largest) << name << ", " << i;
  }

  std::vector<TokenArray> arrays;
};

INSTANTIATE_TEST_SUITE_P(Golden, CudaStates,
                         testing::Values("gradients", "gradients_gqa_tied", "../golden_extra/gradients_head_dim_1",
                                         "../golden_extra/gradients_uneven_heads"));

constexpr struct {
  Precision precision;
  double bound;
} kCases[] = {{Precision::kFloat32, 2e-5}, {Precision::kBfloat16, 0.05}};

TEST_P(CudaStates, OfTokensAloneAreTheCpus) {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(config.vocab_size));
  std::iota(ids.begin(), ids.end(), 0);
  const auto tokens = static_cast<std::int64_t>(ids.size());
  const auto theirs_of = cpu();
  for (const auto& c : kCases) {
    const auto engine = gpu(c.precision, cuda::kBatchRows);
    const auto ours = engine->token_states(ids, arrays);
    const auto theirs = theirs_of->token_states(ids, arrays);
    for (const TokenArray& array : arrays) {
      std::vector<float> a(static_cast<std::size_t>(tokens * array.width)), b(a.size());
      // In pieces, as they are written.
      for (std::int64_t first = 0; first < tokens; first += TokenStates::kBlock) {
        const std::int64_t count = std::min(TokenStates::kBlock, tokens - first);
        ours->compute(array, first, count, a.data() + first * array.width);
        theirs->compute(array, first, count, b.data() + first * array.width);
      }
      expect_near(a, b, c.bound, array.name);
    }
  }
}

TEST_P(CudaStates, InContextAreTheCpus) {
  std::vector<WalkPlace> places;
  for (std::size_t walk = 0; walk < views.size(); walk += 2) {
    for (std::size_t position = walk % 3; position < views[walk].size(); position += 3) {
      places.push_back({static_cast<std::int64_t>(walk), static_cast<std::int64_t>(position)});
    }
  }
  const auto width = static_cast<std::size_t>(states_width(arrays));
  std::vector<float> theirs(places.size() * width);
  cpu()->walk_states(views, places, arrays, theirs);
  for (const auto& c : kCases) {
    for (const std::int64_t rows : {cuda::kBatchRows, std::int64_t{64}}) {
      std::vector<float> ours(theirs.size());
      gpu(c.precision, rows)->walk_states(views, places, arrays, ours);
      std::size_t column = 0;
      for (const TokenArray& array : arrays) {
        const auto columns = static_cast<std::size_t>(array.width);
        for (std::size_t row = 0; row < places.size(); ++row) {
          const auto part = [&](const std::vector<float>& of) {
            return std::span(of).subspan(row * width + column, columns);
          };
          expect_near(part(ours), part(theirs), c.bound, array.name);
        }
        column += columns;
      }
    }
  }
}

}  // namespace
}  // namespace strider
