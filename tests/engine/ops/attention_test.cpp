#include "engine/cpu/ops/attention.h"

#include "base/aligned_buffer.h"
#include "engine/ops/check.h"

namespace strider {
namespace {

using test::Doubles;
using test::Floats;

constexpr double kTheta = 10000.0;

struct Case {
  AttentionShape shape;
  std::int64_t length;
};

Doubles rotated(const Doubles& x, std::int64_t position) {
  if (x.size() == 1) {  // as transformers broadcasts it: two equal values
    const double turned = x[0] * (std::cos(static_cast<double>(position)) - std::sin(static_cast<double>(position)));
    return {turned, turned};
  }
  const std::size_t half = x.size() / 2;
  Doubles y(x.size());
  for (std::size_t i = 0; i < half; ++i) {
    const double angle =
        static_cast<double>(position) * std::pow(kTheta, -2.0 * static_cast<double>(i) / static_cast<double>(x.size()));
    y[i] = x[i] * std::cos(angle) - x[i + half] * std::sin(angle);
    y[i + half] = x[i + half] * std::cos(angle) + x[i] * std::sin(angle);
  }
  return y;
}

// Straight from the formula: [length, heads * head_dim].
Doubles slow_attention(const AttentionShape& shape, std::int64_t length, const Doubles& qkv) {
  const std::int64_t width = shape.qkv_width();
  auto part = [&](std::int64_t t, std::int64_t column) {
    const auto begin = qkv.begin() + t * width + column;
    return Doubles(begin, begin + shape.head_dim);
  };
  Doubles out(static_cast<std::size_t>(length * shape.heads * shape.head_dim));
  for (std::int64_t head = 0; head < shape.heads; ++head) {
    const std::int64_t kv = head / (shape.heads / shape.kv_heads);
    for (std::int64_t t = 0; t < length; ++t) {
      const Doubles q = rotated(part(t, head * shape.head_dim), t);
      Doubles weights;
      double total = 0.0;
      for (std::int64_t u = 0; u <= t; ++u) {
        const Doubles k = rotated(part(u, (shape.heads + kv) * shape.head_dim), u);
        double score = 0.0;
        for (std::size_t i = 0; i < q.size(); ++i) score += q[i] * k[i];
        weights.push_back(std::exp(score / std::sqrt(static_cast<double>(shape.head_dim))));
        total += weights.back();
      }
      for (std::int64_t u = 0; u <= t; ++u) {
        const Doubles v = part(u, (shape.heads + shape.kv_heads + kv) * shape.head_dim);
        for (std::int64_t i = 0; i < shape.head_dim; ++i) {
          out[static_cast<std::size_t>((t * shape.heads + head) * shape.head_dim + i)] +=
              weights[static_cast<std::size_t>(u)] / total * v[static_cast<std::size_t>(i)];
        }
      }
    }
  }
  return out;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  const auto& [shape, length] = info.param;
  return "Heads" + std::to_string(shape.heads) + "Kv" + std::to_string(shape.kv_heads) + "Dim" +
         std::to_string(shape.head_dim) + "Length" + std::to_string(length);
}

AlignedBuffer<std::byte> scratch_for(const AttentionShape& shape, std::int64_t length) {
  return carve([&](Carver& carver) { take_attention_scratch(carver, shape, length); });
}

class Attention : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const auto& [shape, length] = GetParam();
    out_width = shape.heads * shape.head_dim;
    qkv = test::random_floats(static_cast<std::size_t>(length * shape.qkv_width()), 1);
    out.resize(static_cast<std::size_t>(length * out_width));
    log_sum_exp.resize(static_cast<std::size_t>(length * shape.heads));
    scratch = scratch_for(shape, length);
    angles.resize(static_cast<std::size_t>(RopeTable::floats(length, shape.head_dim)));
    rope = std::make_unique<RopeTable>(length, shape.head_dim, kTheta, angles.data());
    attention_forward(AttentionKernels(shape), *rope, length, {qkv.data(), shape.qkv_width()}, {out.data(), out_width},
                      log_sum_exp.data(), scratch.data());
  }

  std::int64_t out_width = 0;
  Floats qkv, out, log_sum_exp, angles;
  AlignedBuffer<std::byte> scratch;
  std::unique_ptr<RopeTable> rope;
};

TEST_P(Attention, Forward) {
  const auto& [shape, length] = GetParam();
  test::expect_close(out, slow_attention(shape, length, test::widen(qkv)), 5e-6, "out");
}

// Central differences take length^3 steps, so only short walks; long ones are compared along a direction below.
class AttentionBackward : public Attention {};

TEST_P(AttentionBackward, ByDifferences) {
  // No structured binding: clang 14 has no lambda that captures one.
  const AttentionShape shape = GetParam().shape;
  const std::int64_t length = GetParam().length;
  const Floats dout = test::random_floats(out.size(), 2);
  const Doubles wide = test::widen(qkv);
  attention_backward(AttentionKernels(shape), *rope, length, {qkv.data(), shape.qkv_width()}, {dout.data(), out_width},
                     log_sum_exp.data(), scratch.data());
  auto f = [&](const Doubles& at) { return test::dot(slow_attention(shape, length, at), dout); };
  test::expect_close(qkv, test::numeric_gradient(f, wide), 2e-5, "dqkv");
}

INSTANTIATE_TEST_SUITE_P(Shapes, Attention,
                         testing::Values(Case{{1, 1, 2}, 1}, Case{{4, 2, 1}, 40}, Case{{2, 2, 8}, 5},
                                         Case{{4, 2, 4}, 9}, Case{{1, 1, 6}, 33}, Case{{2, 1, 16}, 127},
                                         Case{{2, 2, 48}, 300}),
                         case_name);
INSTANTIATE_TEST_SUITE_P(Shapes, AttentionBackward,
                         testing::Values(Case{{1, 1, 2}, 1}, Case{{4, 2, 1}, 40}, Case{{2, 2, 8}, 5},
                                         Case{{4, 2, 4}, 9}, Case{{4, 1, 2}, 12}, Case{{1, 1, 6}, 33},
                                         Case{{1, 1, 2}, 40}),
                         case_name);

// Along a random direction, for walks longer than a tile and than one kernel's keys.
TEST(AttentionLong, BackwardAlongADirection) {
  const AttentionShape shape{2, 1, 8};
  const std::int64_t length = 170;
  Floats qkv = test::random_floats(static_cast<std::size_t>(length * shape.qkv_width()), 1);
  const Doubles wide = test::widen(qkv);
  const Floats direction = test::random_floats(qkv.size(), 4);
  const std::int64_t out_width = shape.heads * shape.head_dim;
  Floats out(static_cast<std::size_t>(length * out_width)), log_sum_exp(static_cast<std::size_t>(length * shape.heads));
  const Floats dout = test::random_floats(out.size(), 2);
  AlignedBuffer<std::byte> scratch = scratch_for(shape, length);
  Floats angles(static_cast<std::size_t>(RopeTable::floats(length, shape.head_dim)));
  const RopeTable rope(length, shape.head_dim, kTheta, angles.data());
  const AttentionKernels kernels(shape);
  attention_forward(kernels, rope, length, {qkv.data(), shape.qkv_width()}, {out.data(), out_width}, log_sum_exp.data(),
                    scratch.data());
  attention_backward(kernels, rope, length, {qkv.data(), shape.qkv_width()}, {dout.data(), out_width},
                     log_sum_exp.data(), scratch.data());
  auto f = [&](double step) {
    Doubles at = wide;
    for (std::size_t i = 0; i < at.size(); ++i) at[i] += step * double{direction[i]};
    return test::dot(slow_attention(shape, length, at), dout);
  };
  const double expected = (f(1e-4) - f(-1e-4)) / 2e-4;
  EXPECT_NEAR(test::dot(test::widen(qkv), direction), expected, 1e-4 * std::abs(expected));
}

}  // namespace
}  // namespace strider
