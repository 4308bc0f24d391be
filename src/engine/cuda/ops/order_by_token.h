#pragma once
// The rows of a batch in the order of their tokens and, for a token, in their own, as embedding_backward() takes them:
//   rows_by_token[number of rows s with (ids[s], s) < (ids[r], r)] = r        for each row r
//   first_of_token[t] = number of rows s with ids[s] < t                      for each t of 0 .. vocab
// Each of these numbers is counted by itself, rows * (rows + vocab + 1) comparisons in all (49 M for 50 walks of 128
// tokens and a vocabulary of 1200): one launch without atomics. A counting sort compares less and takes three launches,
// which wait for each other longer than that.
#include "engine/cuda/device_memory.h"

namespace strider::cuda {

/// ids [rows] in [0, vocab), rows_by_token [rows], first_of_token [vocab + 1].
void order_by_token(cudaStream_t stream, std::int64_t vocab, DeviceSpan<const std::int32_t> ids,
                    DeviceSpan<std::int32_t> rows_by_token, DeviceSpan<std::int32_t> first_of_token);

}  // namespace strider::cuda
