#include "ops/embedding.h"

#include <algorithm>

namespace strider {

void embedding_forward(std::int64_t rows, std::int64_t hidden, const std::int32_t* ids, const float* table, Rows y) {
  for (std::int64_t r = 0; r < rows; ++r) std::copy_n(table + ids[r] * hidden, hidden, y.row(r));
}

void embedding_backward(std::int64_t rows, std::int64_t hidden, const std::int32_t* ids, std::int64_t padding,
                        ConstRows dy, float* dtable) {
  for (std::int64_t r = 0; r < rows; ++r) {
    if (ids[r] == padding) continue;
    float* to = dtable + ids[r] * hidden;
    const float* from = dy.row(r);
    for (std::int64_t i = 0; i < hidden; ++i) to[i] += from[i];
  }
}

}  // namespace strider
