#include "engine/cpu/ops/cross_entropy.h"

#include "base/aligned_buffer.h"
#include "engine/ops/check.h"

namespace strider {
namespace {

using test::Doubles;
using test::Floats;

Doubles slow_losses(std::int64_t rows, std::int64_t hidden, std::int64_t vocab, const Doubles& x, const Doubles& weight,
                    const std::vector<std::int32_t>& targets) {
  Doubles losses;
  for (std::int64_t r = 0; r < rows; ++r) {
    Doubles logits;
    for (std::int64_t v = 0; v < vocab; ++v) {
      double sum = 0.0;
      for (std::int64_t i = 0; i < hidden; ++i) {
        sum += x[static_cast<std::size_t>(r * hidden + i)] * weight[static_cast<std::size_t>(v * hidden + i)];
      }
      logits.push_back(sum);
    }
    double total = 0.0;
    for (const double logit : logits) total += std::exp(logit);
    losses.push_back(std::log(total) - logits[static_cast<std::size_t>(targets[static_cast<std::size_t>(r)])]);
  }
  return losses;
}

struct Case {
  std::int64_t rows, hidden, vocab;
};

// The last one has more columns than the buffer and more rows than a chunk.
class CrossEntropy : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Sizes, CrossEntropy,
                         testing::Values(Case{1, 4, 2}, Case{5, 8, 70}, Case{130, 4, 48}, Case{131, 3, 9000}));

TEST_P(CrossEntropy, LossesAndGradients) {
  // No structured binding: clang 14 has no lambda that captures one.
  const std::int64_t rows = GetParam().rows, hidden = GetParam().hidden, vocab = GetParam().vocab;
  const LinearShape shape{hidden, vocab};
  const Floats x = test::random_floats(static_cast<std::size_t>(rows * hidden), 1);
  const Floats weight = test::random_floats(static_cast<std::size_t>(vocab * hidden), 2);
  std::vector<std::int32_t> targets;
  for (std::int64_t r = 0; r < rows; ++r) targets.push_back(static_cast<std::int32_t>((r * 7919 + vocab - 1) % vocab));
  Floats forward(static_cast<std::size_t>(packed_forward_size(shape, Precision::kFloat32)));
  Floats backward(static_cast<std::size_t>(packed_backward_size(shape, Precision::kFloat32)));
  pack_forward(shape, weight.data(), 0, vocab, forward.data());
  pack_backward(shape, weight.data(), 0, vocab, backward.data());
  const PackedLinear packed{.shape = shape, .forward = forward.data(), .backward = backward.data()};
  AlignedBuffer<float> scratch(static_cast<std::size_t>(cross_entropy_scratch_floats(vocab)));
  Floats losses(static_cast<std::size_t>(rows)), again(losses.size()), dx(x.size(), 3.0F), dweight(weight.size(), 3.0F);

  const Doubles expected = slow_losses(rows, hidden, vocab, test::widen(x), test::widen(weight), targets);
  cross_entropy_forward(packed, rows, {x.data(), hidden}, targets.data(), losses.data(), scratch.data());
  test::expect_close(losses, expected, 2e-6, "losses");

  const float scale = 0.25F;
  cross_entropy_forward_backward(packed, rows, {x.data(), hidden}, targets.data(), scale, again.data(),
                                 {dx.data(), hidden}, dweight.data(), Write::kReplace, scratch.data());
  EXPECT_EQ(losses, again);

  // dlogits = scale (softmax - onehot), in float64, and what follows from it
  Doubles expected_dx(x.size()), expected_dweight(weight.size());
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto target = targets[static_cast<std::size_t>(r)];
    double target_logit = 0.0;
    for (std::int64_t i = 0; i < hidden; ++i)
      target_logit += double{x[r * hidden + i]} * double{weight[target * hidden + i]};
    const double log_total = expected[static_cast<std::size_t>(r)] + target_logit;
    for (std::int64_t v = 0; v < vocab; ++v) {
      double logit = 0.0;
      for (std::int64_t i = 0; i < hidden; ++i) logit += double{x[r * hidden + i]} * double{weight[v * hidden + i]};
      const double dlogit = double{scale} * (std::exp(logit - log_total) - (v == target ? 1.0 : 0.0));
      for (std::int64_t i = 0; i < hidden; ++i) {
        expected_dx[r * hidden + i] += dlogit * double{weight[v * hidden + i]};
        expected_dweight[v * hidden + i] += dlogit * double{x[r * hidden + i]};
      }
    }
  }
  // float32 sums over the vocabulary lose a little more the longer they are
  const double tolerance = vocab > 1000 ? 2e-5 : 5e-6;
  test::expect_close(dx, expected_dx, tolerance, "dx");
  test::expect_close(dweight, expected_dweight, tolerance, "dweight");

  if (vocab <= 100) {  // and the formula itself, by central differences
    auto f = [&](const Doubles& at) {
      double sum = 0.0;
      for (const double loss : slow_losses(rows, hidden, vocab, at, test::widen(weight), targets)) sum += loss;
      return double{scale} * sum;
    };
    test::expect_close(dx, test::numeric_gradient(f, test::widen(x)), 2e-5, "dx by differences");
  }
}

TEST(CrossEntropyExtremes, LargeLogitsStayFiniteAndNotANumberShows) {
  const LinearShape shape{1, 3};
  const Floats weight = {1.0F, -1.0F, 0.5F};
  Floats forward(static_cast<std::size_t>(packed_forward_size(shape, Precision::kFloat32)));
  pack_forward(shape, weight.data(), 0, 3, forward.data());
  AlignedBuffer<float> scratch(static_cast<std::size_t>(cross_entropy_scratch_floats(3)));
  const Floats x = {1000.0F, std::nanf("")};
  const std::vector<std::int32_t> targets = {1, 1};
  Floats losses(2);
  cross_entropy_forward({.shape = shape, .forward = forward.data()}, 2, {x.data(), 1}, targets.data(), losses.data(),
                        scratch.data());
  EXPECT_FLOAT_EQ(losses[0], 2000.0F);
  EXPECT_TRUE(std::isnan(losses[1]));
}

}  // namespace
}  // namespace strider
