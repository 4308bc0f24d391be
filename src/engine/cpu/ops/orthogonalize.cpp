#include "engine/cpu/ops/orthogonalize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>

#include "engine/cpu/ops/linear.h"
#include "engine/cpu/ops/small_gemm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/cpu/ops/orthogonalize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/cpu/ops/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace strider {
namespace HWY_NAMESPACE {

double SumOfSquares(std::int64_t rows, std::int64_t width, ConstRows x) {
  double sum = 0.0;
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* const row = x.row(r);
    sum += static_cast<double>(sum_vectors(width, [&](auto d, std::int64_t i) {
      const auto value = hn::LoadU(d, row + i);
      return hn::Mul(value, value);
    }));
  }
  return sum;
}

void Scale(std::int64_t rows, std::int64_t width, float factor, Rows x) {
  for (std::int64_t r = 0; r < rows; ++r) {
    float* const row = x.row(r);
    for_vectors(width, [&](auto d, std::int64_t i) {
      hn::StoreU(hn::Mul(hn::LoadU(d, row + i), hn::Set(d, factor)), d, row + i);
    });
  }
}

// factor = a I + b gram + c factor, in the lower half; factor comes with gram^2.
void CombineLowerHalf(const Quintic& step, std::int64_t size, ConstRows gram, Rows factor) {
  const auto b = static_cast<float>(step.b);
  const auto c = static_cast<float>(step.c);
  for (std::int64_t r = 0; r < size; ++r) {
    const float* const first = gram.row(r);
    float* const row = factor.row(r);
    for_vectors(r + 1, [&](auto d, std::int64_t i) {
      const auto square = hn::Mul(hn::LoadU(d, row + i), hn::Set(d, c));
      hn::StoreU(hn::MulAdd(hn::LoadU(d, first + i), hn::Set(d, b), square), d, row + i);
    });
    row[r] += static_cast<float>(step.a);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace strider
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace strider {
namespace {

HWY_EXPORT(SumOfSquares);
HWY_EXPORT(Scale);
HWY_EXPORT(CombineLowerHalf);

// The smallest norm that a matrix is divided by, as in torch.optim.Muon.
constexpr double kSmallestNorm = 1e-7;

constexpr double kPolarExpressSafety = 1.01;

constexpr std::array<Quintic, 8> kPolarExpressSteps = {{
    {8.28721201814563, -23.595886519098837, 17.300387312530933},
    {4.107059111542203, -2.9478499167379106, 0.5448431082926601},
    {3.9486908534822946, -2.908902115962949, 0.5518191394370137},
    {3.3184196573706015, -2.488488024314874, 0.51004894012372},
    {2.300652019954817, -1.6689039845747493, 0.4188073119525673},
    {1.891301407787398, -1.2679958271945868, 0.37680408948524835},
    {1.8750014808534479, -1.2500016453999487, 0.3750001645474248},
    {1.875, -1.25, 0.375},  // of this and all later steps; the one without the safety factor
}};

Quintic polar_express_step(std::int64_t step) {
  const auto last = static_cast<std::int64_t>(kPolarExpressSteps.size()) - 1;
  if (step >= last) return kPolarExpressSteps.back();
  const Quintic& published = kPolarExpressSteps[static_cast<std::size_t>(step)];
  const double s = kPolarExpressSafety;
  return {published.a / s, published.b / (s * s * s), published.c / (s * s * s * s * s)};
}

Quintic step_of(Orthogonalization method, std::int64_t step) {
  if (method == Orthogonalization::kPolarExpress) return polar_express_step(step);
  return {3.4445, -4.7750, 2.0315};
}

// Rows begin on cache lines, an odd number of them apart, so that a column does not fall into a few cache sets.
Rows take_spread_rows(Carver& carver, std::int64_t rows, std::int64_t width) {
  constexpr auto kFloats = static_cast<std::int64_t>(kCacheLine / sizeof(float));
  const std::int64_t lines = (width + kFloats - 1) / kFloats;
  return take_rows(carver, rows, (lines | 1) * kFloats);
}

// Narrow panels follow the diagonal more closely: of 128 x 128 they compute 63% and not 75%, which took 5 to 10% off a
// matrix of 512 x 128.
constexpr std::int64_t kHalfPanel = kPanel / 2;

enum class Part { kAll, kLowerHalf };

// A product as GemmKernel's, cut into as many as kernels take. Of kLowerHalf only those come that have elements on or
// below the diagonal.
void multiply(const GemmShape& whole, const float* a, const float* b, float* c, Part part) {
  KeptKernel first, middle, last;
  const std::int64_t panel = part == Part::kAll ? kPanel : kHalfPanel;
  for (std::int64_t m = 0; m < whole.m; m += panel) {
    GemmShape tile = whole;
    tile.m = std::min(panel, whole.m - m);
    for (std::int64_t n = part == Part::kAll ? 0 : m; n < whole.n; n += kGemmRows) {
      tile.n = std::min(kGemmRows, whole.n - n);
      for (std::int64_t k = 0; k < whole.k; k += kGemmDepth) {
        tile.k = std::min(kGemmDepth, whole.k - k);
        tile.add = k > 0;
        KeptKernel& kept = k == 0 ? first : k + kGemmDepth < whole.k ? middle : last;
        kept.of(tile)(a + k * whole.a_stride + m, b + n * whole.b_stride + k * whole.b_depth,
                      c + n * whole.c_stride + m);
      }
    }
  }
}

constexpr std::int64_t kTransposeTile = 16;  // floats of a cache line

void transpose(std::int64_t rows, std::int64_t columns, ConstRows from, Rows to) {
  for (std::int64_t r0 = 0; r0 < rows; r0 += kTransposeTile) {
    const std::int64_t r1 = std::min(rows, r0 + kTransposeTile);
    for (std::int64_t c = 0; c < columns; ++c) {
      float* const row = to.row(c);
      for (std::int64_t r = r0; r < r1; ++r) row[r] = from.row(r)[c];
    }
  }
}

void mirror_lower_half(std::int64_t size, Rows x) {
  for (std::int64_t c0 = 0; c0 < size; c0 += kTransposeTile) {
    for (std::int64_t r = c0 + 1; r < size; ++r) {
      const float* const row = x.row(r);
      const std::int64_t c1 = std::min(r, c0 + kTransposeTile);
      for (std::int64_t c = c0; c < c1; ++c) x.row(c)[r] = row[c];
    }
  }
}

// gram = x^T x, of x [rows, size].
void make_gram(std::int64_t rows, std::int64_t size, ConstRows x, Rows gram) {
  multiply({.m = size,
            .n = size,
            .k = rows,
            .a_stride = x.stride,
            .b_stride = 1,
            .b_depth = x.stride,
            .c_stride = gram.stride},
           x.data, x.data, gram.data, Part::kLowerHalf);
  mirror_lower_half(size, gram);
}

// The lower half of a product of symmetric matrices that commute, and so have a symmetric product.
void multiply_symmetric(std::int64_t size, ConstRows a, ConstRows b, Rows product) {
  multiply({.m = size, .n = size, .k = size, .a_stride = a.stride, .b_stride = b.stride, .c_stride = product.stride},
           a.data, b.data, product.data, Part::kLowerHalf);
}

// factor = a I + b A + c A^2.
void make_factor(const Quintic& step, std::int64_t size, ConstRows gram, Rows factor) {
  multiply_symmetric(size, gram, gram, factor);
  HWY_DYNAMIC_DISPATCH(CombineLowerHalf)(step, size, gram, factor);
  mirror_lower_half(size, factor);
}

// next = x factor. x and next [rows, size].
void apply_factor(std::int64_t rows, std::int64_t size, ConstRows x, ConstRows factor, Rows next) {
  multiply({.m = size, .n = rows, .k = size, .a_stride = factor.stride, .b_stride = x.stride, .c_stride = next.stride},
           factor.data, x.data, next.data, Part::kAll);
}

// How many steps the Gram form takes from one product of x with itself. Three of kPolarExpress, the steepest, amplify
// what is rounded in A by 1.7e4, to below 1e-2 of the largest eigenvalue.
constexpr std::int64_t kGramSteps = 3;

bool has_gram_form(std::int64_t longer, std::int64_t shorter) {
  return longer >= 2 * shorter;
}

// The product of the steps' factors; memory.gram belongs to the first of them, and is used up.
ConstRows factor_of(std::span<const Quintic> steps, std::int64_t size, const OrthogonalizeMemory& memory) {
  Rows gram = memory.gram;
  Rows all = memory.factor;
  Rows factor = memory.step_factor;
  Rows spare = memory.spare;
  const auto symmetric_product = [&](ConstRows a, ConstRows b, Rows product) {
    multiply_symmetric(size, a, b, product);
    mirror_lower_half(size, product);
  };
  make_factor(steps.front(), size, gram, all);
  for (std::size_t i = 1; i < steps.size(); ++i) {
    const ConstRows before = i == 1 ? all : factor;
    symmetric_product(gram, before, spare);
    symmetric_product(spare, before, gram);
    make_factor(steps[i], size, gram, factor);
    symmetric_product(all, factor, spare);
    std::swap(all, spare);
  }
  return all;
}

}  // namespace

std::vector<Quintic> orthogonalization_steps(Orthogonalization method, std::int64_t steps) {
  std::vector<Quintic> all;
  for (std::int64_t step = 0; step < steps; ++step) all.push_back(step_of(method, step));
  return all;
}

double orthogonalization_norm_factor(Orthogonalization method) {
  return method == Orthogonalization::kPolarExpress ? kPolarExpressSafety : 1.0;
}

void OrthogonalizeMemory::lay_out(Carver& carver, std::int64_t rows, std::int64_t columns) {
  const std::int64_t longer = std::max(rows, columns);
  const std::int64_t shorter = std::min(rows, columns);
  matrix = take_spread_rows(carver, rows, columns);
  tall = rows >= columns ? matrix : take_spread_rows(carver, longer, shorter);
  tall_next = take_spread_rows(carver, longer, shorter);
  gram = take_spread_rows(carver, shorter, shorter);
  factor = take_spread_rows(carver, shorter, shorter);
  if (!has_gram_form(longer, shorter)) return;
  step_factor = take_spread_rows(carver, shorter, shorter);
  spare = take_spread_rows(carver, shorter, shorter);
}

ConstRows orthogonalize(Orthogonalization method, std::int64_t steps, std::int64_t rows, std::int64_t columns,
                        const OrthogonalizeMemory& memory) {
  const bool is_wide = columns > rows;
  const std::int64_t longer = std::max(rows, columns);
  const std::int64_t shorter = std::min(rows, columns);
  Rows x = memory.tall;
  Rows next = memory.tall_next;
  if (is_wide) transpose(rows, columns, memory.matrix, x);
  double norm = std::sqrt(HWY_DYNAMIC_DISPATCH(SumOfSquares)(longer, shorter, x));
  norm *= orthogonalization_norm_factor(method);
  HWY_DYNAMIC_DISPATCH(Scale)(longer, shorter, static_cast<float>(1.0 / std::max(norm, kSmallestNorm)), x);
  const std::vector<Quintic> polynomials = orthogonalization_steps(method, steps);
  const std::int64_t at_once = has_gram_form(longer, shorter) ? kGramSteps : 1;
  for (std::int64_t step = 0; step < steps; step += at_once) {
    make_gram(longer, shorter, x, memory.gram);
    const auto some =
        std::span(polynomials)
            .subspan(static_cast<std::size_t>(step), static_cast<std::size_t>(std::min(at_once, steps - step)));
    apply_factor(longer, shorter, x, factor_of(some, shorter, memory), next);
    std::swap(x, next);
  }
  if (!is_wide) return x;
  transpose(columns, rows, x, memory.matrix);
  return memory.matrix;
}

}  // namespace strider
#endif
