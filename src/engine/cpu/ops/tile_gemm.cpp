// Products for any vector unit: of float32, and of bfloat16 pairs that are widened as they are read.
// Tiles are arrays of vectors, which types without a size cannot be; such processors take the NEON version.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/cpu/ops/tile_gemm.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "engine/cpu/ops/bfloat16.h"

HWY_BEFORE_NAMESPACE();
namespace strider {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// With 32 registers 24 sums leave room for what is multiplied; with 16 it is 12.
#if HWY_TARGET <= HWY_AVX3 || HWY_TARGET == HWY_NEON
constexpr int kSums = 24;
constexpr int kWide = 4;
#else
constexpr int kSums = 12;
constexpr int kWide = 2;
#endif

// Words as they are in memory, and what a step along k adds. Vectors are in no struct of ours: its constructor would
// be compiled for another processor.
struct Float32Operands {
  using Word = float;
  template <class D>
  using Words = D;
  template <class D, class V>
  static V add(D /*d*/, V a, V b, V sum) {
    return hn::MulAdd(a, b, sum);
  }
};

struct Bfloat16Operands {
  using Word = Bfloat16Pair;
  template <class D>
  using Words = hn::RebindToUnsigned<D>;
  template <class D, class W>
  static hn::Vec<D> add(D d, W a, W b, hn::Vec<D> sum) {
    const auto first = [&](W words) { return hn::BitCast(d, hn::ShiftLeft<16>(words)); };
    const auto second = [&](W words) {
      return hn::BitCast(d, hn::And(words, hn::Set(hn::RebindToUnsigned<D>(), 0xFFFF0000U)));
    };
    return hn::MulAdd(second(a), second(b), hn::MulAdd(first(a), first(b), sum));
  }
};

// kVectors vectors of columns by kRows rows of C; kCut: the last columns, less than a vector, `inside` of which exist.
template <class Operands, int kVectors, int kRows, bool kCut, class D>
HWY_INLINE void Tile(D d, hn::Mask<D> inside, const GemmShape& shape, const typename Operands::Word* HWY_RESTRICT a,
                     const typename Operands::Word* HWY_RESTRICT b, float* HWY_RESTRICT c) {
  const typename Operands::template Words<D> words;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  hn::Vec<D> sums[kRows][kVectors];
  for (int n = 0; n < kRows; ++n) {
    for (int v = 0; v < kVectors; ++v) sums[n][v] = hn::Zero(d);
  }
  for (std::int64_t k = 0; k < shape.k; ++k) {
    hn::Vec<decltype(words)> row[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      row[v] = kCut ? hn::MaskedLoad(hn::RebindMask(words, inside), words, a) : hn::LoadU(words, a + v * lanes);
    }
    for (int n = 0; n < kRows; ++n) {
      const auto factor = hn::Set(words, b[n * shape.b_stride]);
      for (int v = 0; v < kVectors; ++v) sums[n][v] = Operands::add(d, row[v], factor, sums[n][v]);
    }
    a += shape.a_stride;
    b += shape.b_depth;
  }
  for (int n = 0; n < kRows; ++n) {
    for (int v = 0; v < kVectors; ++v) {
      float* const at = c + n * shape.c_stride + v * lanes;
      if constexpr (kCut) {
        const auto old = shape.add ? hn::MaskedLoad(inside, d, at) : hn::Zero(d);
        hn::BlendedStore(hn::Add(sums[n][v], old), inside, d, at);
      } else {
        hn::StoreU(shape.add ? hn::Add(sums[n][v], hn::LoadU(d, at)) : sums[n][v], d, at);
      }
    }
  }
}

// All rows of some columns: whole tiles, then what is left row by row.
template <class Operands, int kVectors, bool kCut, class D>
HWY_INLINE void Columns(D d, hn::Mask<D> inside, const GemmShape& shape, const typename Operands::Word* a,
                        const typename Operands::Word* b, float* c) {
  constexpr int kRows = std::min(6, kSums / kVectors);
  std::int64_t n = 0;
  for (; n + kRows <= shape.n; n += kRows) {
    Tile<Operands, kVectors, kRows, kCut>(d, inside, shape, a, b + n * shape.b_stride, c + n * shape.c_stride);
  }
  for (; n < shape.n; ++n) {
    Tile<Operands, kVectors, 1, kCut>(d, inside, shape, a, b + n * shape.b_stride, c + n * shape.c_stride);
  }
}

template <class Operands>
HWY_INLINE void Product(const GemmShape& shape, const typename Operands::Word* a, const typename Operands::Word* b,
                        float* c) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto all = hn::FirstN(d, hn::Lanes(d));
  std::int64_t m = 0;
  for (; m + kWide * lanes <= shape.m; m += kWide * lanes) {
    Columns<Operands, kWide, false>(d, all, shape, a + m, b, c + m);
  }
  for (; m + lanes <= shape.m; m += lanes) Columns<Operands, 1, false>(d, all, shape, a + m, b, c + m);
  if (m < shape.m) {
    Columns<Operands, 1, true>(d, hn::FirstN(d, static_cast<std::size_t>(shape.m - m)), shape, a + m, b, c + m);
  }
}

void Float32Gemm(const GemmShape& shape, const float* a, const float* b, float* c) {
  Product<Float32Operands>(shape, a, b, c);
}

void Bfloat16Gemm(const GemmShape& shape, const Bfloat16Pair* a, const Bfloat16Pair* b, float* c) {
  Product<Bfloat16Operands>(shape, a, b, c);
}

}  // namespace HWY_NAMESPACE
}  // namespace strider
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace strider {

HWY_EXPORT(Float32Gemm);
HWY_EXPORT(Bfloat16Gemm);

void tile_gemm(const GemmShape& shape, const float* a, const float* b, float* c) {
  HWY_DYNAMIC_DISPATCH(Float32Gemm)(shape, a, b, c);
}

void portable::gemm(const GemmShape& shape, const Bfloat16Pair* a, const Bfloat16Pair* b, float* c) {
  HWY_DYNAMIC_DISPATCH(Bfloat16Gemm)(shape, a, b, c);
}

}  // namespace strider
#endif
