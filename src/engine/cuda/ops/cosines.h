#pragma once
// Cosines of rows of length 1, and of each row the nearest others.
//   cosines[i, j] = sum over k of rows[first + i, k] rows[j, k]      the terms added in the order of k
#include <cstdint>

#include "engine/cuda/device_memory.h"

namespace strider::cuda {

/// rows [nodes, width], cosines [count, nodes] of the rows from `first` on.
void cosines(cudaStream_t stream, std::int64_t nodes, std::int64_t width, std::int64_t first,
             DeviceSpan<const double> rows, DeviceSpan<double> cosines);

/// The `each` largest cosines of rows `first` and on, and which nodes they are with, descending; of equal ones the
/// lower node first. A row itself is left out. nearest [count, each], nearest_cosines [count, each].
void nearest_nodes(cudaStream_t stream, std::int64_t nodes, std::int64_t first, std::int64_t each,
                   DeviceSpan<const double> cosines, DeviceSpan<std::int32_t> nearest,
                   DeviceSpan<double> nearest_cosines);

}  // namespace strider::cuda
