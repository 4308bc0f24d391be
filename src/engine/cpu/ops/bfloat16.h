#pragma once
// Matrix products of bfloat16 operands with float32 sums. An operand comes as pairs that follow each other along the
// depth of the product, as the processor's dot-product instruction takes them: two values in one word, the first in the
// low half. So a matrix has two forms,
//   row pairs     [rows][ceil(width / 2)]   pairs of neighbours in a row, for products over the width
//   column pairs  [ceil(rows / 2)][width]   pairs of neighbours in a column, for products over the rows
// and where a width or a number of rows is odd, the last pair's second value is zero.
#include <cstdint>

#include "engine/cpu/ops/rows.h"
#include "engine/cpu/ops/small_gemm.h"

namespace strider {

using Bfloat16Pair = std::uint32_t;

inline std::int64_t pairs_of(std::int64_t values) {
  return (values + 1) / 2;
}

/// x [rows, width] to [rows][pairs_of(width)].
void to_row_pairs(std::int64_t rows, std::int64_t width, ConstRows x, Bfloat16Pair* pairs);
/// x [rows, width] to [pairs_of(rows)][width].
void to_column_pairs(std::int64_t rows, std::int64_t width, ConstRows x, Bfloat16Pair* pairs);

/// As tile_gemm(), where k counts pairs, and strides words.
void bfloat16_gemm(const GemmShape& shape, const Bfloat16Pair* a, const Bfloat16Pair* b, float* c);

/// The parts of the above for any processor.
namespace portable {
void to_row_pairs(std::int64_t rows, std::int64_t width, ConstRows x, Bfloat16Pair* pairs);
void to_column_pairs(std::int64_t rows, std::int64_t width, ConstRows x, Bfloat16Pair* pairs);
void gemm(const GemmShape& shape, const Bfloat16Pair* a, const Bfloat16Pair* b, float* c);
}  // namespace portable

/// The parts of the above for processors that have AVX512_BF16. Results may differ in the last bit from the ones for
/// other processors, since the instruction rounds after each of the two products.
namespace avx512_bf16 {
bool supported();
void to_row_pairs(std::int64_t rows, std::int64_t width, ConstRows x, Bfloat16Pair* pairs);
void to_column_pairs(std::int64_t rows, std::int64_t width, ConstRows x, Bfloat16Pair* pairs);
void gemm(const GemmShape& shape, const Bfloat16Pair* a, const Bfloat16Pair* b, float* c);
}  // namespace avx512_bf16

}  // namespace strider
