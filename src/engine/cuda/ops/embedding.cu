#include "engine/cuda/ops/embedding.h"
#include "engine/cuda/ops/warp.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

// y[r, j] = table[ids[r], j], a warp for each row.
__global__ void embedding_forward_kernel(int rows, int hidden, DeviceSpan<const std::int32_t> ids,
                                         DeviceSpan<const float> table, DeviceSpan<float> y) {
  const int row = row_of_warp();
  if (row >= rows) return;
  const std::int64_t from = std::int64_t{ids[row]} * hidden;
  const std::int64_t to = std::int64_t{row} * hidden;
  for (int j = lane_of_thread(); j < hidden; j += kWarpSize) y[to + j] = table[from + j];
}

// dtable[t, j] += sum over r with ids[r] = t of dy[r, j], a block for each token t and a thread for each j.
__global__ void embedding_backward_kernel(int hidden, int padding, DeviceSpan<const std::int32_t> rows_by_token,
                                          DeviceSpan<const std::int32_t> first_of_token, DeviceSpan<const float> dy,
                                          DeviceSpan<float> dtable) {
  const int token = static_cast<int>(blockIdx.x);
  const int first = first_of_token[token];
  const int last = first_of_token[token + 1];
  if (first == last || token == padding) return;
  for (int j = static_cast<int>(threadIdx.x); j < hidden; j += static_cast<int>(blockDim.x)) {
    float sum = 0.0F;
    for (int i = first; i < last; ++i) sum += dy[std::int64_t{rows_by_token[i]} * hidden + j];
    dtable[std::int64_t{token} * hidden + j] += sum;
  }
}

}  // namespace

void embedding_forward(cudaStream_t stream, std::int64_t rows, std::int64_t hidden, DeviceSpan<const std::int32_t> ids,
                       DeviceSpan<const float> table, DeviceSpan<float> y) {
  launch(stream, blocks_for(rows, kRowWarps), kRowThreads, embedding_forward_kernel, rows, hidden, ids, table, y);
}

void embedding_backward(cudaStream_t stream, std::int64_t vocab, std::int64_t hidden, std::int64_t padding,
                        DeviceSpan<const std::int32_t> rows_by_token, DeviceSpan<const std::int32_t> first_of_token,
                        DeviceSpan<const float> dy, DeviceSpan<float> dtable) {
  constexpr int kThreads = 128;
  launch(stream, static_cast<unsigned>(vocab), kThreads, embedding_backward_kernel, hidden, padding, rows_by_token,
         first_of_token, dy, dtable);
}

}  // namespace strider::cuda
