#pragma once
// Token embedding: y[r] = table[ids[r]]. Backward: dtable[ids[r]] += dy[r], row after row.
#include <cstdint>

#include "ops/rows.h"

namespace strider {

/// table [vocab, hidden], y [rows, hidden].
void embedding_forward(std::int64_t rows, std::int64_t hidden, const std::int32_t* ids, const float* table, Rows y);
void embedding_backward(std::int64_t rows, std::int64_t hidden, const std::int32_t* ids, ConstRows dy, float* dtable);

}  // namespace strider
