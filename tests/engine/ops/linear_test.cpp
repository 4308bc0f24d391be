#include "engine/cpu/ops/linear.h"

#include <tuple>

#include "engine/ops/check.h"

namespace strider {
namespace {

using test::Doubles;
using test::Floats;

struct Case {
  std::int64_t rows, in, out;
  Precision precision = Precision::kFloat32;
};

std::string case_name(const testing::TestParamInfo<Case>& info) {
  return "Rows" + std::to_string(info.param.rows) + "In" + std::to_string(info.param.in) + "Out" +
         std::to_string(info.param.out) + (info.param.precision == Precision::kBfloat16 ? "Bfloat16" : "");
}

class Linear : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const auto [rows, in, out, precision] = GetParam();
    shape = {in, out};
    weight = test::random_floats(static_cast<std::size_t>(in * out), 1);
    x = test::random_floats(static_cast<std::size_t>(rows * in), 2);
    dy = test::random_floats(static_cast<std::size_t>(rows * out), 3);
    const auto forward_size = static_cast<std::size_t>(packed_forward_size(shape, precision));
    const auto backward_size = static_cast<std::size_t>(packed_backward_size(shape, precision));
    if (precision == Precision::kBfloat16) {
      for (Floats* values : {&weight, &x, &dy}) test::round_to_bfloat16(*values);
      forward_pairs.assign(forward_size, 0);
      backward_pairs.assign(backward_size, 0);
    } else {
      forward.assign(forward_size, 0.0F);
      backward.assign(backward_size, 0.0F);
    }
    words.assign(static_cast<std::size_t>(linear_scratch_words(precision, rows, in + out)), 0);
    scratch = {words.data()};
    for (std::int64_t first = 0; first < out; first += kPanel) {  // in pieces, as the update does
      const std::int64_t last = std::min(out, first + kPanel);
      if (precision == Precision::kBfloat16) {
        pack_forward(shape, weight.data(), first, last, forward_pairs.data());
        pack_backward(shape, weight.data(), first, last, backward_pairs.data());
      } else {
        pack_forward(shape, weight.data(), first, last, forward.data());
        pack_backward(shape, weight.data(), first, last, backward.data());
      }
    }
    packed = {shape, precision, forward.data(), backward.data(), forward_pairs.data(), backward_pairs.data()};
  }

  double expected_y(std::int64_t r, std::int64_t o) const {
    double sum = 0.0;
    for (std::int64_t i = 0; i < shape.in_features; ++i) {
      sum += double{x[r * shape.in_features + i]} * double{weight[o * shape.in_features + i]};
    }
    return sum;
  }

  LinearShape shape;
  Floats weight, x, dy, forward, backward;
  std::vector<std::uint32_t> forward_pairs, backward_pairs, words;
  PackedLinear packed;
  LinearScratch scratch;
};

TEST_P(Linear, ForwardReplacesAndAdds) {
  const auto [rows, in, out, precision] = GetParam();
  Floats y(static_cast<std::size_t>(rows * out), 7.0F);
  Doubles expected(y.size());
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t o = 0; o < out; ++o) expected[r * out + o] = expected_y(r, o);
  }
  linear_forward(packed, rows, {x.data(), in}, {y.data(), out}, Write::kReplace, scratch);
  test::expect_close(y, expected, 2e-6, "y");
  linear_forward(packed, rows, {x.data(), in}, {y.data(), out}, Write::kAdd, scratch);
  for (double& value : expected) value *= 2.0;
  test::expect_close(y, expected, 2e-6, "y added");
}

TEST_P(Linear, BackwardInput) {
  const auto [rows, in, out, precision] = GetParam();
  Floats dx(static_cast<std::size_t>(rows * in), 7.0F);
  Doubles expected(dx.size());
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t i = 0; i < in; ++i) {
      for (std::int64_t o = 0; o < out; ++o) {
        expected[r * in + i] += double{dy[r * out + o]} * double{weight[o * in + i]};
      }
    }
  }
  linear_backward_input(packed, rows, {dy.data(), out}, {dx.data(), in}, Write::kReplace, scratch);
  test::expect_close(dx, expected, 2e-6, "dx");
}

TEST_P(Linear, BackwardWeight) {
  const auto [rows, in, out, precision] = GetParam();
  Floats dweight(static_cast<std::size_t>(in * out), 7.0F);
  Doubles expected(dweight.size());
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t o = 0; o < out; ++o) {
      for (std::int64_t i = 0; i < in; ++i) {
        expected[o * in + i] += double{dy[r * out + o]} * double{x[r * in + i]};
      }
    }
  }
  linear_backward_weight(shape, precision, rows, {dy.data(), out}, {x.data(), in}, dweight.data(), Write::kReplace,
                         scratch);
  test::expect_close(dweight, expected, 2e-6, "dweight");
  linear_backward_weight(shape, precision, rows, {dy.data(), out}, {x.data(), in}, dweight.data(), Write::kAdd,
                         scratch);
  for (double& value : expected) value *= 2.0;
  test::expect_close(dweight, expected, 2e-6, "dweight added");
}

TEST_P(Linear, RangesOfOutputsAddUpToTheWhole) {
  const auto [rows, in, out, precision] = GetParam();
  Floats whole(static_cast<std::size_t>(rows * in));
  Floats parts(whole.size());
  linear_backward_input(packed, rows, {dy.data(), out}, {whole.data(), in}, Write::kReplace, scratch);
  for (std::int64_t first = 0; first < out; first += kPanel) {
    const OutRange range{first, std::min(kPanel, out - first)};
    linear_backward_input(packed, range, rows, ConstRows{dy.data(), out}.from(0, first), {parts.data(), in},
                          first == 0 ? Write::kReplace : Write::kAdd, scratch);
    Floats y(static_cast<std::size_t>(rows * range.count));
    linear_forward(packed, range, rows, {x.data(), in}, {y.data(), range.count}, Write::kReplace, scratch);
    for (std::int64_t r = 0; r < rows; ++r) {
      ASSERT_NEAR(y[r * range.count], expected_y(r, first), 1e-4) << "row " << r << ", output " << first;
    }
  }
  test::expect_close(parts, test::widen(whole), 2e-6, "dx");
}

INSTANTIATE_TEST_SUITE_P(Shapes, Linear,
                         testing::Values(Case{1, 1, 1}, Case{3, 8, 5}, Case{127, 64, 192}, Case{48, 32, 64},
                                         Case{49, 40, 130}, Case{200, 96, 65}, Case{300, 128, 48},
                                         Case{1, 1, 1, Precision::kBfloat16}, Case{3, 8, 5, Precision::kBfloat16},
                                         Case{127, 64, 192, Precision::kBfloat16},
                                         Case{49, 41, 130, Precision::kBfloat16},
                                         Case{200, 96, 65, Precision::kBfloat16},
                                         Case{13, 33, 95, Precision::kBfloat16}),
                         case_name);

TEST(LinearWithoutRows, WeightGradientIsZero) {
  Floats dweight(6, 7.0F);
  linear_backward_weight({2, 3}, Precision::kFloat32, 0, {nullptr, 3}, {nullptr, 2}, dweight.data(), Write::kReplace);
  EXPECT_EQ(dweight, Floats(6, 0.0F));
}

}  // namespace
}  // namespace strider
