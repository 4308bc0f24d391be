// Highway does not know AVX512_BF16 yet, so these are written with the processor's own instructions: vdpbf16ps makes
// sixteen sums of two products, twice what a fused multiply-add does.
#include "engine/cpu/ops/bfloat16.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>

#define STRIDER_AVX512_BF16 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,prfchw")))

namespace strider::avx512_bf16 {
namespace {

constexpr std::int64_t kLanes = 16;

// Less than 16 columns are left: the ones that exist.
STRIDER_AVX512_BF16 inline __mmask16 first(std::int64_t count) {
  return static_cast<__mmask16>(count >= kLanes ? 0xFFFFU : (1U << count) - 1U);
}

// kVectors vectors of columns (of the last one those in `last`) by kRows rows of C. All 24 sums, the vectors of A and
// one of B are in registers.
template <int kVectors, int kRows>
STRIDER_AVX512_BF16 inline void tile(__mmask16 last, const GemmShape& shape, const Bfloat16Pair* a,
                                     const Bfloat16Pair* b, float* c) {
  __m512 sums[kRows][kVectors];
#pragma GCC unroll 12
  for (int n = 0; n < kRows; ++n) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      // By the time it is written it is in the cache.
      __builtin_prefetch(c + n * shape.c_stride + v * kLanes, 1, 3);
      sums[n][v] = _mm512_setzero_ps();
    }
  }
  for (std::int64_t k = 0; k < shape.k; ++k) {
    __m512bh row[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors - 1; ++v) row[v] = (__m512bh)_mm512_loadu_si512(a + v * kLanes);
    row[kVectors - 1] = (__m512bh)_mm512_maskz_loadu_epi32(last, a + (kVectors - 1) * kLanes);
#pragma GCC unroll 12
    for (int n = 0; n < kRows; ++n) {
      const auto factor = (__m512bh)_mm512_set1_epi32(static_cast<int>(b[n * shape.b_stride]));
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[n][v] = _mm512_dpbf16_ps(sums[n][v], row[v], factor);
    }
    a += shape.a_stride;
    b += shape.b_depth;
  }
#pragma GCC unroll 12
  for (int n = 0; n < kRows; ++n) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      float* const at = c + n * shape.c_stride + v * kLanes;
      const __mmask16 mask = v == kVectors - 1 ? last : first(kLanes);
      __m512 sum = sums[n][v];
      if (shape.add) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, at));
      _mm512_mask_storeu_ps(at, mask, sum);
    }
  }
}

// The rows that are left, fewer than a tile has.
template <int kVectors, int kRows>
STRIDER_AVX512_BF16 void last_rows(std::int64_t rows, __mmask16 last, const GemmShape& shape, const Bfloat16Pair* a,
                                   const Bfloat16Pair* b, float* c) {
  if constexpr (kRows > 0) {
    if (rows == kRows) {
      tile<kVectors, kRows>(last, shape, a, b, c);
    } else {
      last_rows<kVectors, kRows - 1>(rows, last, shape, a, b, c);
    }
  }
}

template <int kVectors>
STRIDER_AVX512_BF16 void columns(__mmask16 last, const GemmShape& shape, const Bfloat16Pair* a, const Bfloat16Pair* b,
                                 float* c) {
  constexpr int kRows = std::min(12, 24 / kVectors);
  std::int64_t n = 0;
  for (; n + kRows <= shape.n; n += kRows) {
    tile<kVectors, kRows>(last, shape, a, b + n * shape.b_stride, c + n * shape.c_stride);
  }
  last_rows<kVectors, kRows - 1>(shape.n - n, last, shape, a, b + n * shape.b_stride, c + n * shape.c_stride);
}

}  // namespace

bool supported() {
  static const bool found = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                            __builtin_cpu_supports("avx512bf16");
  return found;
}

STRIDER_AVX512_BF16 void gemm(const GemmShape& shape, const Bfloat16Pair* a, const Bfloat16Pair* b, float* c) {
  for (std::int64_t m = 0; m < shape.m; m += 4 * kLanes) {
    const std::int64_t left = std::min(4 * kLanes, shape.m - m);
    const __mmask16 last = first((left - 1) % kLanes + 1);
    switch ((left + kLanes - 1) / kLanes) {
      case 1:
        columns<1>(last, shape, a + m, b, c + m);
        break;
      case 2:
        columns<2>(last, shape, a + m, b, c + m);
        break;
      case 3:
        columns<3>(last, shape, a + m, b, c + m);
        break;
      default:
        columns<4>(last, shape, a + m, b, c + m);
    }
  }
}

STRIDER_AVX512_BF16 void to_row_pairs(std::int64_t rows, std::int64_t width, ConstRows x, Bfloat16Pair* pairs) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* in = x.row(r);
    std::int64_t i = 0;
    for (; i + 2 * kLanes <= width; i += 2 * kLanes) {
      const __m512 low = _mm512_loadu_ps(in + i);
      const __m512 high = _mm512_loadu_ps(in + i + kLanes);
      _mm512_storeu_si512(pairs + i / 2, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
    for (; i < width; i += kLanes) {
      const std::int64_t left = std::min(kLanes, width - i);
      const auto words = (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(first(left), in + i));
      _mm256_mask_storeu_epi32(pairs + i / 2, static_cast<__mmask8>(first(pairs_of(left))), words);
    }
    pairs += pairs_of(width);
  }
}

STRIDER_AVX512_BF16 void to_column_pairs(std::int64_t rows, std::int64_t width, ConstRows x, Bfloat16Pair* pairs) {
  // The two converted rows follow one another; their values go side by side.
  const __m512i side_by_side = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22,
                                                6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  for (std::int64_t r = 0; r < rows; r += 2) {
    const float* upper = x.row(r);
    const float* lower = r + 1 < rows ? x.row(r + 1) : nullptr;
    for (std::int64_t i = 0; i < width; i += kLanes) {
      const __mmask16 mask = first(width - i);
      const __m512 one = _mm512_maskz_loadu_ps(mask, upper + i);
      const __m512 two = lower == nullptr ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(mask, lower + i);
      const auto words = (__m512i)_mm512_cvtne2ps_pbh(two, one);
      _mm512_mask_storeu_epi32(pairs + i, mask, _mm512_permutexvar_epi16(side_by_side, words));
    }
    pairs += width;
  }
}

}  // namespace strider::avx512_bf16

#else

#include "base/error.h"

namespace strider::avx512_bf16 {

// Never called: supported() says so.
bool supported() {
  return false;
}
void to_row_pairs(std::int64_t, std::int64_t, ConstRows, Bfloat16Pair*) {
  throw Error("AVX512_BF16 on a processor of another kind");
}
void to_column_pairs(std::int64_t, std::int64_t, ConstRows, Bfloat16Pair*) {
  throw Error("AVX512_BF16 on a processor of another kind");
}
void gemm(const GemmShape&, const Bfloat16Pair*, const Bfloat16Pair*, float*) {
  throw Error("AVX512_BF16 on a processor of another kind");
}

}  // namespace strider::avx512_bf16

#endif
