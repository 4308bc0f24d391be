#include "engine/cpu/ops/bfloat16.h"

#include <bit>
#include <cmath>

#include "engine/precision.h"

namespace strider {
namespace {

// To nearest, ties to even. A NaN stays one, though its low bits may be all it has.
std::uint32_t rounded(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t up = bits + 0x7FFFU + ((bits >> 16) & 1U);
  return (std::isnan(value) ? bits | 0x400000U : up) >> 16;
}

Bfloat16Pair pair_of(float first, float second) {
  return rounded(first) | (rounded(second) << 16);
}

}  // namespace

void portable::to_row_pairs(std::int64_t rows, std::int64_t width, ConstRows x, Bfloat16Pair* pairs) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* in = x.row(r);
    for (std::int64_t i = 0; i + 1 < width; i += 2) *pairs++ = pair_of(in[i], in[i + 1]);
    if (width % 2 != 0) *pairs++ = pair_of(in[width - 1], 0.0F);
  }
}

void portable::to_column_pairs(std::int64_t rows, std::int64_t width, ConstRows x, Bfloat16Pair* pairs) {
  for (std::int64_t r = 0; r < rows; r += 2) {
    const float* first = x.row(r);
    for (std::int64_t i = 0; i < width; ++i) *pairs++ = pair_of(first[i], r + 1 < rows ? x.row(r + 1)[i] : 0.0F);
  }
}

void to_row_pairs(std::int64_t rows, std::int64_t width, ConstRows x, Bfloat16Pair* pairs) {
  const auto own = avx512_bf16::supported() ? avx512_bf16::to_row_pairs : portable::to_row_pairs;
  own(rows, width, x, pairs);
}

void to_column_pairs(std::int64_t rows, std::int64_t width, ConstRows x, Bfloat16Pair* pairs) {
  const auto own = avx512_bf16::supported() ? avx512_bf16::to_column_pairs : portable::to_column_pairs;
  own(rows, width, x, pairs);
}

void bfloat16_gemm(const GemmShape& shape, const Bfloat16Pair* a, const Bfloat16Pair* b, float* c) {
  const auto own = avx512_bf16::supported() ? avx512_bf16::gemm : portable::gemm;
  own(shape, a, b, c);
}

bool has_bfloat16_products() {
  return avx512_bf16::supported();
}

}  // namespace strider
