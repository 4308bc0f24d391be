#include "ops/embedding.h"

#include <algorithm>

namespace strider {
namespace {

// Rows of a table come in no order that a processor could foresee.
constexpr std::int64_t kRowsAhead = 4;

void prefetch(const float* row, std::int64_t floats) {
  constexpr std::int64_t kLine = 16;
  for (std::int64_t i = 0; i < floats; i += kLine) __builtin_prefetch(row + i, 1, 3);
}

}  // namespace

void embedding_forward(std::int64_t rows, std::int64_t hidden, const std::int32_t* ids, const float* table, Rows y) {
  for (std::int64_t r = 0; r < rows; ++r) {
    if (r + kRowsAhead < rows) prefetch(table + ids[r + kRowsAhead] * hidden, hidden);
    std::copy_n(table + ids[r] * hidden, hidden, y.row(r));
  }
}

void embedding_backward(std::int64_t rows, std::int64_t hidden, const std::int32_t* ids, std::int64_t padding,
                        ConstRows dy, float* dtable) {
  for (std::int64_t r = 0; r < rows; ++r) {
    if (r + kRowsAhead < rows) prefetch(dtable + ids[r + kRowsAhead] * hidden, hidden);
    if (ids[r] == padding) continue;
    float* to = dtable + ids[r] * hidden;
    const float* from = dy.row(r);
    for (std::int64_t i = 0; i < hidden; ++i) to[i] += from[i];
  }
}

}  // namespace strider
