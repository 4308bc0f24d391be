#include "engine/cuda/ops/take_rows.h"
#include "engine/cuda/ops/warp.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

// A thread for each element of the result.
template <typename T>
__global__ void take_rows_kernel(DeviceSpan<const std::int32_t> rows, DeviceSpan<const T> from, ColumnRange columns,
                                 DeviceSpan<float> to) {
  const std::int64_t element = element_of_thread();
  if (element >= rows.size * columns.count) return;
  const std::int64_t row = rows[element / columns.count];
  to[element] = load(from, row * columns.stride + columns.first + element % columns.count);
}

}  // namespace

template <typename T>
void take_rows(cudaStream_t stream, DeviceSpan<const std::int32_t> rows, DeviceSpan<const T> from, ColumnRange columns,
               DeviceSpan<float> to) {
  launch(stream, blocks_for(rows.size * columns.count, kElementThreads), kElementThreads, take_rows_kernel<T>, rows,
         from, columns, to);
}

template void take_rows<float>(cudaStream_t, DeviceSpan<const std::int32_t>, DeviceSpan<const float>, ColumnRange,
                               DeviceSpan<float>);
template void take_rows<Bfloat16>(cudaStream_t, DeviceSpan<const std::int32_t>, DeviceSpan<const Bfloat16>, ColumnRange,
                                  DeviceSpan<float>);

}  // namespace strider::cuda
