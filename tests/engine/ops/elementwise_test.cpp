// rms_norm, swiglu, embedding and sums of gradients against float64 versions and finite differences.
#include "engine/cpu/ops/embedding.h"
#include "engine/cpu/ops/rms_norm.h"
#include "engine/cpu/ops/sum_gradients.h"
#include "engine/cpu/ops/swiglu.h"
#include "engine/ops/check.h"

namespace strider {
namespace {

using test::Doubles;
using test::Floats;

constexpr double kEps = 1e-6;

class Width : public testing::TestWithParam<std::int64_t> {};
INSTANTIATE_TEST_SUITE_P(Widths, Width, testing::Values(2, 7, 16, 33, 128));

Doubles slow_rms_norm(const Doubles& x, const Doubles& weight) {
  const std::size_t hidden = weight.size();
  Doubles y(x.size());
  for (std::size_t row = 0; row < x.size(); row += hidden) {
    double squares = 0.0;
    for (std::size_t i = 0; i < hidden; ++i) squares += x[row + i] * x[row + i];
    const double inverse = 1.0 / std::sqrt(squares / static_cast<double>(hidden) + kEps);
    for (std::size_t i = 0; i < hidden; ++i) y[row + i] = weight[i] * x[row + i] * inverse;
  }
  return y;
}

TEST_P(Width, RmsNorm) {
  const std::int64_t hidden = GetParam();
  const std::int64_t rows = 3;
  const auto size = static_cast<std::size_t>(rows * hidden);
  const Floats x = test::random_floats(size, 1);
  const Floats weight = test::random_floats(static_cast<std::size_t>(hidden), 2);
  const Floats dy = test::random_floats(size, 3);
  Floats y(size), again(size), inverse(rows), dx(size, 5.0F), dweight(static_cast<std::size_t>(hidden), 0.0F);
  rms_norm_forward(rows, hidden, static_cast<float>(kEps), {x.data(), hidden}, weight.data(), {y.data(), hidden},
                   inverse.data());
  test::expect_close(y, slow_rms_norm(test::widen(x), test::widen(weight)), 2e-6, "y");
  rms_norm_apply(rows, hidden, {x.data(), hidden}, weight.data(), inverse.data(), {again.data(), hidden});
  EXPECT_EQ(y, again);
  rms_norm_backward(rows, hidden, {x.data(), hidden}, weight.data(), inverse.data(), {dy.data(), hidden},
                    {dx.data(), hidden}, Write::kReplace, dweight.data());
  auto by_x = [&](const Doubles& at) { return test::dot(slow_rms_norm(at, test::widen(weight)), dy); };
  auto by_weight = [&](const Doubles& at) { return test::dot(slow_rms_norm(test::widen(x), at), dy); };
  test::expect_close(dx, test::numeric_gradient(by_x, test::widen(x)), 1e-5, "dx");
  test::expect_close(dweight, test::numeric_gradient(by_weight, test::widen(weight)), 1e-5, "dweight");
}

Doubles slow_swiglu(const Doubles& gate_up, std::size_t ffn) {
  Doubles act;
  for (std::size_t row = 0; row < gate_up.size(); row += 2 * ffn) {
    for (std::size_t i = 0; i < ffn; ++i) {
      const double gate = gate_up[row + i];
      act.push_back(gate / (1.0 + std::exp(-gate)) * gate_up[row + ffn + i]);
    }
  }
  return act;
}

TEST_P(Width, Swiglu) {
  const std::int64_t ffn = GetParam();
  const std::int64_t rows = 2;
  Floats gate_up = test::random_floats(static_cast<std::size_t>(rows * 2 * ffn), 1, 3.0F);
  const Doubles wide = test::widen(gate_up);
  const Floats dact = test::random_floats(static_cast<std::size_t>(rows * ffn), 2);
  Floats act(dact.size()), again(dact.size());
  swiglu_forward(rows, ffn, {gate_up.data(), 2 * ffn}, {act.data(), ffn});
  test::expect_close(act, slow_swiglu(wide, static_cast<std::size_t>(ffn)), 2e-6, "act");
  swiglu_backward(rows, ffn, {gate_up.data(), 2 * ffn}, {dact.data(), ffn}, {again.data(), ffn});
  EXPECT_EQ(act, again);
  auto f = [&](const Doubles& at) { return test::dot(slow_swiglu(at, static_cast<std::size_t>(ffn)), dact); };
  test::expect_close(gate_up, test::numeric_gradient(f, wide), 1e-5, "dgate_up");
}

TEST(Swiglu, FarFromZeroItIsZeroOrTheGate) {
  Floats gate_up = {-200.0F, 200.0F, 2.0F, 2.0F};  // gates, then ups
  Floats act(2);
  swiglu_forward(1, 2, {gate_up.data(), 4}, {act.data(), 2});
  EXPECT_NEAR(act[0], 0.0F, 1e-30);
  EXPECT_EQ(act[1], 400.0F);
}

TEST(Swiglu, NotANumberComesThrough) {
  Floats gate_up = {std::nanf(""), 1.0F};
  Floats act(1);
  swiglu_forward(1, 1, {gate_up.data(), 2}, {act.data(), 1});
  EXPECT_TRUE(std::isnan(act[0]));
}

TEST(Embedding, ForwardPicksRowsAndBackwardAddsThemUp) {
  const Floats table = {0, 1, 10, 11, 20, 21};
  const std::vector<std::int32_t> ids = {2, 0, 2};
  Floats y(6);
  embedding_forward(3, 2, ids.data(), table.data(), {y.data(), 2});
  EXPECT_EQ(y, (Floats{20, 21, 0, 1, 20, 21}));
  Floats dtable(6, 0.5F);
  const Floats dy = {1, 2, 3, 4, 5, 6};
  embedding_backward(3, 2, ids.data(), -1, {dy.data(), 2}, dtable.data());
  EXPECT_EQ(dtable, (Floats{3.5F, 4.5F, 0.5F, 0.5F, 6.5F, 8.5F}));
  Floats padded(6, 0.5F);
  embedding_backward(3, 2, ids.data(), 2, {dy.data(), 2}, padded.data());
  EXPECT_EQ(padded, (Floats{3.5F, 4.5F, 0.5F, 0.5F, 0.5F, 0.5F}));
}

TEST(SumGradients, AddsPartsAndGivesTheSumOfSquares) {
  const Floats a = test::random_floats(10000, 1), b = test::random_floats(10000, 2), c = test::random_floats(10000, 3);
  Floats sum(a.size());
  const float* parts[] = {a.data(), b.data(), c.data()};
  const double squares = sum_gradients(10000, parts, sum.data());
  double expected = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(sum[i], (a[i] + c[i]) + b[i]);
    expected += double{sum[i]} * double{sum[i]};
  }
  EXPECT_NEAR(squares, expected, 1e-6 * expected);
}

// What makes the bits of several processes those of one.
TEST(SumGradients, SumsOfEverySecondOrFourthPartSumToTheSameBits) {
  constexpr std::int64_t kCount = 1000;
  std::vector<Floats> values;
  for (unsigned seed = 0; seed < kMostParts; ++seed) values.push_back(test::random_floats(kCount, seed + 1));
  for (std::size_t parts = 1; parts <= kMostParts; ++parts) {
    std::vector<const float*> all;
    for (std::size_t p = 0; p < parts; ++p) all.push_back(values[p].data());
    Floats expected(kCount);
    const double squares = sum_gradients(kCount, all, expected.data());
    for (std::size_t ranks = 2; ranks <= kMostParts; ranks *= 2) {
      std::vector<Floats> sums;
      for (std::size_t rank = 0; rank < std::min(ranks, parts); ++rank) {
        std::vector<const float*> own;
        for (std::size_t p = rank; p < parts; p += ranks) own.push_back(all[p]);
        sums.emplace_back(kCount);
        sum_gradients(kCount, own, sums.back().data());
      }
      std::vector<const float*> pointers;
      for (const Floats& sum : sums) pointers.push_back(sum.data());
      Floats sum(kCount);
      EXPECT_EQ(sum_gradients(kCount, pointers, sum.data()), squares);
      EXPECT_EQ(sum, expected) << parts << " parts, " << ranks << " ranks";
    }
  }
}

}  // namespace
}  // namespace strider
