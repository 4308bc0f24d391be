// The kernels by themselves, for sizes that no tile divides, against the CPU's operations (whose own tests hold them to
// slow versions in double and to finite differences).
#include <algorithm>
#include <numeric>

#include "base/aligned_buffer.h"
#include "engine/cpu/ops/attention.h"
#include "engine/cpu/ops/rms_norm.h"
#include "engine/cuda/ops/attention.h"
#include "engine/cuda/ops/cross_entropy.h"
#include "engine/cuda/ops/embedding.h"
#include "engine/cuda/ops/rms_norm.h"
#include "engine/cuda/ops/sum_gradients.h"
#include "engine/cuda/runtime.h"
#include "engine/ops/check.h"
#include "gpu_under_test.h"

namespace strider {
namespace {

using cuda::DeviceSpan;
using test::Doubles;
using test::Floats;

class CudaOps : public testing::Test {
 protected:
  template <typename T>
  DeviceSpan<T> to_device(const std::vector<T>& values) {
    const DeviceSpan<T> span = on_device<T>(values.size());
    stream.copy_to_device(span, values.data());
    stream.wait();
    return span;
  }
  template <typename T = float>
  DeviceSpan<T> on_device(std::size_t count) {
    memory.emplace_back(count * sizeof(T));
    return {reinterpret_cast<T*>(memory.back().data()), static_cast<std::int64_t>(count)};
  }
  template <typename T>
  std::vector<T> to_host(DeviceSpan<T> span) {
    std::vector<T> values(static_cast<std::size_t>(span.size));
    stream.copy_to_host<T>(values.data(), span);
    stream.wait();
    return values;
  }

  cuda::Stream stream;
  std::vector<cuda::DeviceBytes> memory;
  const std::unique_ptr<cuda::MatrixProducts> made_products = test::make_products();
  cuda::MatrixProducts& products = *made_products;
};

struct AttentionCase {
  int heads, kv_heads, head_dim;
  std::vector<std::int64_t> lengths;
};

class CudaAttention : public CudaOps, public testing::WithParamInterface<AttentionCase> {
 protected:
  AttentionCase c = GetParam();
  cuda::AttentionShape shape{c.heads, c.kv_heads, c.head_dim};
  std::int64_t width = shape.qkv_width();
  std::int64_t out_width = c.heads * c.head_dim;
  std::int64_t rows = std::accumulate(c.lengths.begin(), c.lengths.end(), std::int64_t{0});
  float scale = score_scale(c.head_dim);

  struct Result {
    Floats out, log_sum_exp, dqkv;
  };

  // Of the CPU, walk by walk.
  Result of_the_cpu(const RopeTable& table, const Floats& qkv, const Floats& dout) const {
    const AttentionShape cpu_shape{c.heads, c.kv_heads, c.head_dim};
    const std::int64_t longest = *std::max_element(c.lengths.begin(), c.lengths.end());
    const AttentionKernels kernels(cpu_shape);
    const AlignedBuffer<std::byte> scratch =
        carve([&](Carver& carver) { take_attention_scratch(carver, cpu_shape, longest); });
    Result result{Floats(static_cast<std::size_t>(rows * out_width)), Floats(static_cast<std::size_t>(rows * c.heads)),
                  qkv};  // the gradient replaces q, k, v
    std::int64_t row = 0;
    for (const std::int64_t length : c.lengths) {
      attention_forward(kernels, table, length, {result.dqkv.data() + row * width, width},
                        {result.out.data() + row * out_width, out_width}, result.log_sum_exp.data() + row * c.heads,
                        const_cast<std::byte*>(scratch.data()));
      attention_backward(kernels, table, length, {result.dqkv.data() + row * width, width},
                         {dout.data() + row * out_width, out_width}, result.log_sum_exp.data() + row * c.heads,
                         const_cast<std::byte*>(scratch.data()));
      row += length;
    }
    return result;
  }

  // With one at the end that is passed over.
  std::vector<std::int32_t> tiles_of(std::int64_t tile) const {
    std::vector<std::int32_t> tiles;
    std::int64_t row = 0;
    for (const std::int64_t length : c.lengths) {
      for (std::int64_t first = 0; first < length; first += tile) {
        for (const std::int64_t number : {row, length, first}) tiles.push_back(static_cast<std::int32_t>(number));
      }
      row += length;
    }
    tiles.insert(tiles.end(), cuda::kTileNumbers, 0);
    return tiles;
  }
};

INSTANTIATE_TEST_SUITE_P(Shapes, CudaAttention,
                         testing::Values(AttentionCase{2, 1, 8, {37, 1, 5}}, AttentionCase{2, 2, 1, {33}},
                                         AttentionCase{2, 2, 16, {16, 20}}, AttentionCase{3, 1, 24, {40}},
                                         AttentionCase{1, 1, 40, {18}}, AttentionCase{2, 1, 128, {9, 34}}));

TEST_P(CudaAttention, IsTheCpus) {
  const std::int64_t longest = *std::max_element(c.lengths.begin(), c.lengths.end());
  const Floats qkv = test::random_floats(static_cast<std::size_t>(rows * width), 1);
  const Floats dout = test::random_floats(static_cast<std::size_t>(rows * out_width), 2);
  Floats angles(static_cast<std::size_t>(RopeTable::floats(longest, c.head_dim)));
  const RopeTable table(longest, c.head_dim, 10000.0, angles.data());
  const Result cpu = of_the_cpu(table, qkv, dout);

  std::vector<std::int32_t> positions;
  for (const std::int64_t length : c.lengths) {
    for (std::int64_t t = 0; t < length; ++t) positions.push_back(static_cast<std::int32_t>(t));
  }
  const std::vector<std::int32_t> tiles = tiles_of(cuda::attention_tile<float>(c.head_dim));
  const auto half = static_cast<std::int64_t>(angles.size() / 2);
  const DeviceSpan<float> cosines = to_device(Floats(table.cos(0), table.cos(0) + half));
  const DeviceSpan<float> sines = to_device(Floats(table.sin(0), table.sin(0) + half));
  const DeviceSpan<std::int32_t> d_positions = to_device(positions);
  const DeviceSpan<std::int32_t> d_tiles = to_device(tiles);
  const auto tile_count = static_cast<std::int64_t>(tiles.size()) / cuda::kTileNumbers;
  const DeviceSpan<float> d_qkv = to_device(qkv);
  const DeviceSpan<float> d_out = on_device(cpu.out.size());
  const DeviceSpan<float> d_dout = to_device(dout);
  const DeviceSpan<float> d_lse = on_device(cpu.log_sum_exp.size());
  const DeviceSpan<float> d_products = on_device(cpu.log_sum_exp.size());
  const DeviceSpan<float> d_dqkv = on_device(qkv.size());
  cuda::rope(stream.get(), rows, shape, 1.0F, d_positions, cosines, sines, d_qkv);
  cuda::attention_forward<float>(stream.get(), shape, scale, tile_count, d_tiles, d_qkv, d_out, d_lse);
  cuda::attention_backward<float>(stream.get(), shape, scale, tile_count, d_tiles, d_qkv, d_out, d_dout, d_lse,
                                  d_products, d_dqkv);
  cuda::rope(stream.get(), rows, shape, -1.0F, d_positions, cosines, sines, d_dqkv);
  test::expect_close(to_host(d_out), test::widen(cpu.out), 5e-6, "out");
  test::expect_close(to_host(d_dqkv), test::widen(cpu.dqkv), 1e-5, "dqkv");
}

// q, k, v as they are, not rotated: of what is rounded before, the CPU gets the same numbers. So what differs is that
// P, dS and the results are rounded to 8 bits of mantissa. The same bits in either order of threads and blocks.
class CudaBfloat16Attention : public CudaAttention {};

INSTANTIATE_TEST_SUITE_P(Shapes, CudaBfloat16Attention,
                         testing::Values(AttentionCase{2, 1, 8, {37, 1, 5}}, AttentionCase{2, 2, 1, {33}},
                                         AttentionCase{2, 2, 16, {16, 20, 127}}, AttentionCase{3, 1, 24, {40}},
                                         AttentionCase{1, 1, 32, {64, 129}}, AttentionCase{1, 1, 40, {18}},
                                         AttentionCase{2, 2, 48, {65, 3}}, AttentionCase{4, 2, 64, {70}},
                                         AttentionCase{1, 1, 100, {35}}, AttentionCase{2, 1, 128, {9, 34, 65}}));

TEST_P(CudaBfloat16Attention, IsTheCpusButForRounding) {
  const std::int64_t longest = *std::max_element(c.lengths.begin(), c.lengths.end());
  Floats qkv = test::random_floats(static_cast<std::size_t>(rows * width), 1);
  Floats dout = test::random_floats(static_cast<std::size_t>(rows * out_width), 2);
  test::round_to_bfloat16(qkv);
  test::round_to_bfloat16(dout);
  Floats angles(static_cast<std::size_t>(RopeTable::floats(longest, c.head_dim)), 0.0F);
  const RopeTable table(longest, c.head_dim, 10000.0, angles.data());
  std::fill(angles.begin(), angles.begin() + static_cast<std::ptrdiff_t>(angles.size() / 2), 1.0F);
  std::fill(angles.begin() + static_cast<std::ptrdiff_t>(angles.size() / 2), angles.end(), 0.0F);
  const Result cpu = of_the_cpu(table, qkv, dout);

  const auto rounded = [](const Floats& values) {
    std::vector<cuda::Bfloat16> result;
    for (const float value : values) result.push_back(cuda::to_bfloat16(value));
    return result;
  };
  const auto widened = [&](DeviceSpan<cuda::Bfloat16> span) {
    Floats result;
    for (const cuda::Bfloat16 value : to_host(span)) result.push_back(cuda::to_float(value));
    return result;
  };
  const std::vector<std::int32_t> tiles = tiles_of(cuda::attention_tile<cuda::Bfloat16>(c.head_dim));
  const auto tile_count = static_cast<std::int64_t>(tiles.size()) / cuda::kTileNumbers;
  const DeviceSpan<std::int32_t> d_tiles = to_device(tiles);
  const DeviceSpan<cuda::Bfloat16> d_qkv = to_device(rounded(qkv));
  const DeviceSpan<cuda::Bfloat16> d_dout = to_device(rounded(dout));
  std::vector<Result> results;
  for (const bool backwards : {false, true}) {
    test::run_backwards(backwards);
    const DeviceSpan<cuda::Bfloat16> d_out = on_device<cuda::Bfloat16>(cpu.out.size());
    const DeviceSpan<cuda::Bfloat16> d_dqkv = on_device<cuda::Bfloat16>(qkv.size());
    const DeviceSpan<float> d_lse = on_device(cpu.log_sum_exp.size());
    const DeviceSpan<float> d_products = on_device(cpu.log_sum_exp.size());
    cuda::attention_forward<cuda::Bfloat16>(stream.get(), shape, scale, tile_count, d_tiles, d_qkv, d_out, d_lse);
    cuda::attention_backward<cuda::Bfloat16>(stream.get(), shape, scale, tile_count, d_tiles, d_qkv, d_out, d_dout,
                                             d_lse, d_products, d_dqkv);
    results.push_back({widened(d_out), to_host(d_lse), widened(d_dqkv)});
  }
  test::run_backwards(false);
  test::expect_close(results[0].out, test::widen(cpu.out), 1e-2, "out");
  Doubles log_sum_exp;  // the CPU has it to base 2, and head by head
  std::int64_t row = 0;
  for (const std::int64_t length : c.lengths) {
    for (std::int64_t i = 0; i < length * c.heads; ++i) {
      const std::int64_t from = row * c.heads + i % c.heads * length + i / c.heads;
      log_sum_exp.push_back(std::log(2.0) * cpu.log_sum_exp[static_cast<std::size_t>(from)]);
    }
    row += length;
  }
  test::expect_close(results[0].log_sum_exp, log_sum_exp, 1e-5, "log_sum_exp");
  test::expect_close(results[0].dqkv, test::widen(cpu.dqkv), 1e-2, "dqkv");
  EXPECT_EQ(results[0].out, results[1].out);
  EXPECT_EQ(results[0].log_sum_exp, results[1].log_sum_exp);
  EXPECT_EQ(results[0].dqkv, results[1].dqkv);
}

// A vocabulary in blocks, the last one not full, is what it is in one; both are the formula's.
TEST_F(CudaOps, CrossEntropyInBlocks) {
  constexpr std::int64_t kRows = 9;
  constexpr std::int64_t kVocab = 50;
  constexpr std::int64_t kHidden = 7;
  const Floats x = test::random_floats(kRows * kHidden, 1);
  const Floats weight = test::random_floats(kVocab * kHidden, 2);
  std::vector<std::int32_t> targets = {0, 49, 15, 16, 31, 32, cuda::kNoTarget, 48, 3};
  Doubles losses(kRows), dx(x.size()), dweight(weight.size());
  constexpr float kScale = 0.25F;
  for (std::int64_t r = 0; r < kRows; ++r) {
    if (targets[static_cast<std::size_t>(r)] == cuda::kNoTarget) continue;
    Doubles logits(kVocab);
    double sum = 0.0;
    for (std::int64_t v = 0; v < kVocab; ++v) {
      for (std::int64_t j = 0; j < kHidden; ++j) {
        logits[static_cast<std::size_t>(v)] +=
            double{x[static_cast<std::size_t>(r * kHidden + j)]} * weight[static_cast<std::size_t>(v * kHidden + j)];
      }
      sum += std::exp(logits[static_cast<std::size_t>(v)]);
    }
    const auto target = static_cast<std::size_t>(targets[static_cast<std::size_t>(r)]);
    losses[static_cast<std::size_t>(r)] = std::log(sum) - logits[target];
    for (std::size_t v = 0; v < kVocab; ++v) {
      const double d = kScale * (std::exp(logits[v]) / sum - (v == target ? 1.0 : 0.0));
      for (std::size_t j = 0; j < kHidden; ++j) {
        dx[static_cast<std::size_t>(r) * kHidden + j] += d * weight[v * kHidden + j];
        dweight[v * kHidden + j] += d * x[static_cast<std::size_t>(r) * kHidden + j];
      }
    }
  }
  const DeviceSpan<float> d_x = to_device(x);
  const DeviceSpan<float> d_weight = to_device(weight);
  const DeviceSpan<std::int32_t> d_targets = to_device(targets);
  const DeviceSpan<float> scale = to_device(Floats{kScale});
  for (const std::int64_t columns : {kVocab, std::int64_t{16}, std::int64_t{1}}) {
    const std::int64_t stride = columns + 3;
    const DeviceSpan<float> logits = on_device(static_cast<std::size_t>(kRows * stride));
    const cuda::LossBuffers<float> buffers{.logits = logits,
                                           .dlogits = logits,
                                           .columns = columns,
                                           .stride = stride,
                                           .log_sum_exp = on_device(kRows),
                                           .target_logits = on_device(kRows)};
    const DeviceSpan<float> d_losses = on_device(kRows);
    const DeviceSpan<float> d_dx = on_device(x.size());
    const DeviceSpan<float> d_dweight = to_device(Floats(weight.size()));
    cuda::cross_entropy_forward<float>(products, stream.get(), {kHidden, kVocab}, kRows, d_x, d_weight, d_targets,
                                       buffers, d_losses);
    cuda::cross_entropy_backward<float>(products, stream.get(), {kHidden, kVocab}, kRows, d_x, d_weight, d_targets,
                                        scale, buffers, d_dx, d_dweight);
    test::expect_close(to_host(d_losses), losses, 2e-6, "losses");
    test::expect_close(to_host(d_dx), dx, 2e-6, "dx");
    test::expect_close(to_host(d_dweight), dweight, 2e-6, "dweight");
  }
}

// More rows than one partial sum has, and columns that no warp divides.
TEST_F(CudaOps, RmsNormIsTheCpus) {
  constexpr std::int64_t kRows = 131;
  constexpr std::int64_t kHidden = 45;
  constexpr std::size_t kSize = kRows * kHidden;
  const Floats x = test::random_floats(kSize, 1);
  const Floats weight = test::random_floats(kHidden, 2);
  const Floats dy = test::random_floats(kSize, 3);
  for (const bool adds : {false, true}) {
    Floats y(kSize), inverse(kRows), dx = test::random_floats(kSize, 4), dweight = test::random_floats(kHidden, 5);
    const DeviceSpan<float> d_dx = to_device(dx);
    const DeviceSpan<float> d_dweight = to_device(dweight);
    rms_norm_forward(kRows, kHidden, 1e-6F, {x.data(), kHidden}, weight.data(), {y.data(), kHidden}, inverse.data());
    rms_norm_backward(kRows, kHidden, {x.data(), kHidden}, weight.data(), inverse.data(), {dy.data(), kHidden},
                      {dx.data(), kHidden}, adds ? Write::kAdd : Write::kReplace, dweight.data());
    const DeviceSpan<float> d_x = to_device(x);
    const DeviceSpan<float> d_weight = to_device(weight);
    const DeviceSpan<float> d_y = on_device(kSize);
    const DeviceSpan<float> d_inverse = on_device(kRows);
    const DeviceSpan<float> scratch =
        on_device(static_cast<std::size_t>(cuda::rms_norm_scratch_floats(kRows, kHidden)));
    cuda::rms_norm_forward(stream.get(), kRows, kHidden, 1e-6F, d_x, d_weight, d_y, d_inverse);
    cuda::rms_norm_backward<float>(stream.get(), kRows, kHidden, d_x, d_weight, d_inverse, to_device(dy), d_dx,
                                   adds ? cuda::Write::kAdd : cuda::Write::kReplace, {}, d_dweight, scratch);
    test::expect_close(to_host(d_y), test::widen(y), 2e-6, "y");
    test::expect_close(to_host(d_dx), test::widen(dx), 5e-6, "dx");
    test::expect_close(to_host(d_dweight), test::widen(dweight), 5e-6, "dweight");
  }
}

TEST_F(CudaOps, EmbeddingAddsATokensRowsAndNoneOfPadding) {
  constexpr std::int64_t kHidden = 130;
  const std::vector<std::int32_t> ids = {2, 0, 2, 3, 0, 2};
  const std::vector<std::int32_t> rows_by_token = {1, 4, 0, 2, 5, 3};
  const std::vector<std::int32_t> first_of_token = {0, 2, 2, 5, 6};
  const Floats dy = test::random_floats(ids.size() * kHidden, 1);
  const Floats before = test::random_floats(4 * kHidden, 2);
  Doubles expected = test::widen(before);
  for (std::size_t r = 0; r < ids.size(); ++r) {
    if (ids[r] == 0) continue;
    for (std::size_t j = 0; j < kHidden; ++j)
      expected[static_cast<std::size_t>(ids[r]) * kHidden + j] += dy[r * kHidden + j];
  }
  const DeviceSpan<float> dtable = to_device(before);
  cuda::embedding_backward(stream.get(), 4, kHidden, 0, to_device(rows_by_token), to_device(first_of_token),
                           to_device(dy), dtable);
  test::expect_close(to_host(dtable), expected, 1e-6, "dtable");
}

TEST_F(CudaOps, NormAndClipFactor) {
  const Floats gradient = test::random_floats(9001, 1);  // three blocks, the last one not full
  double squares = 0.0;
  for (const float g : gradient) squares += double{g} * double{g};
  const DeviceSpan<float> d_gradient = to_device(gradient);
  const DeviceSpan<double> scratch = on_device<double>(static_cast<std::size_t>(cuda::norm_scratch_doubles(9001)));
  const DeviceSpan<double> norm = on_device<double>(1);
  const DeviceSpan<float> factor = on_device(1);
  cuda::gradient_norm(stream.get(), d_gradient, scratch, norm);
  EXPECT_NEAR(to_host(norm)[0], std::sqrt(squares), 1e-12 * std::sqrt(squares));
  const struct {
    float most, factor;
  } cases[] = {{0.0F, 1.0F}, {1e6F, 1.0F}, {1.0F, static_cast<float>(1.0 / (std::sqrt(squares) + 1e-6))}};
  for (const auto& c : cases) {
    cuda::clip_factor(stream.get(), norm, to_device(Floats{c.most}), factor);
    EXPECT_FLOAT_EQ(to_host(factor)[0], c.factor);
  }
}

}  // namespace
}  // namespace strider
