#pragma once
// Some columns of some rows of a matrix of either type, as float32 without gaps: what is copied to the host of it.
#include "engine/cuda/bfloat16.h"

namespace strider::cuda {

/// Where the columns are.
struct ColumnRange {
  std::int64_t stride = 0, first = 0, count = 0;
};

/// to[i, c] = from[rows[i], columns.first + c]; to [rows.size, columns.count].
template <typename T>
void take_rows(cudaStream_t stream, DeviceSpan<const std::int32_t> rows, DeviceSpan<const T> from, ColumnRange columns,
               DeviceSpan<float> to);

}  // namespace strider::cuda
