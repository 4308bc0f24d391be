#include "engine/cpu/ops/embedding.h"

#include <algorithm>

#include "engine/cpu/ops/prefetch.h"

namespace strider {
namespace {

// Rows of a table come in no order that a processor could foresee.
constexpr std::int64_t kRowsAhead = 4;

}  // namespace

void embedding_forward(std::int64_t rows, std::int64_t hidden, const std::int32_t* ids, const float* table, Rows y) {
  for (std::int64_t r = 0; r < rows; ++r) {
    if (r + kRowsAhead < rows) prefetch_rows(table + ids[r + kRowsAhead] * hidden, 1, hidden, 0);
    std::copy_n(table + ids[r] * hidden, hidden, y.row(r));
  }
}

void embedding_backward(std::int64_t rows, std::int64_t hidden, const std::int32_t* ids, std::int64_t padding,
                        ConstRows dy, float* dtable) {
  for (std::int64_t r = 0; r < rows; ++r) {
    if (r + kRowsAhead < rows) prefetch_rows(dtable + ids[r + kRowsAhead] * hidden, 1, hidden, 0);
    if (ids[r] == padding) continue;
    float* to = dtable + ids[r] * hidden;
    const float* from = dy.row(r);
    for (std::int64_t i = 0; i < hidden; ++i) to[i] += from[i];
  }
}

}  // namespace strider
