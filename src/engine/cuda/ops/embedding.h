#pragma once
// Token embedding: y[r] = table[ids[r]]. Backward: dtable[ids[r]] += dy[r], where a token's rows are added one after
// the other in their order, but for the padding token's row, which learns nothing.
#include "engine/cuda/device_memory.h"

namespace strider::cuda {

/// table [vocab, hidden], ids [rows], y [rows, hidden].
void embedding_forward(cudaStream_t stream, std::int64_t rows, std::int64_t hidden, DeviceSpan<const std::int32_t> ids,
                       DeviceSpan<const float> table, DeviceSpan<float> y);

/// rows_by_token [rows]: the rows in the order of their tokens and, for a token, in their own; token t's are at
/// [first_of_token[t], first_of_token[t + 1]). padding: the padding token's id, or -1.
void embedding_backward(cudaStream_t stream, std::int64_t vocab, std::int64_t hidden, std::int64_t padding,
                        DeviceSpan<const std::int32_t> rows_by_token, DeviceSpan<const std::int32_t> first_of_token,
                        DeviceSpan<const float> dy, DeviceSpan<float> dtable);

}  // namespace strider::cuda
