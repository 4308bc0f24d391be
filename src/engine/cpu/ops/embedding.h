#pragma once
// Token embedding: y[r] = table[ids[r]]. Backward: dtable[ids[r]] += dy[r], row after row, but for the padding token's
// row, which learns nothing (torch.nn.Embedding's padding_idx).
#include <cstdint>

#include "engine/cpu/ops/rows.h"

namespace strider {

/// table [vocab, hidden], y [rows, hidden].
void embedding_forward(std::int64_t rows, std::int64_t hidden, const std::int32_t* ids, const float* table, Rows y);
/// padding: the padding token's id, or -1.
void embedding_backward(std::int64_t rows, std::int64_t hidden, const std::int32_t* ids, std::int64_t padding,
                        ConstRows dy, float* dtable);

}  // namespace strider
