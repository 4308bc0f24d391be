#include "engine/cuda/ops/order_by_token.h"
#include "engine/cuda/ops/warp.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

// Numbers that a warp counts: each id that it reads is compared with so many. A divisor of the warp's size, so that
// their rows lie between two multiples of that.
constexpr int kCounts = 8;

// counts[i] += number of rows in [begin, end) with an id below bounds[i]; each lane counts its share.
__device__ void count_below(DeviceSpan<const std::int32_t> ids, int begin, int end, const int (&bounds)[kCounts],
                            int (&counts)[kCounts]) {
  for (int row = begin + lane_of_thread(); row < end; row += kWarpSize) {
    const int id = ids[row];
    for (int i = 0; i < kCounts; ++i) counts[i] += id < bounds[i] ? 1 : 0;
  }
}

// Numbers [0, rows) are the places of the rows, numbers [rows, rows + vocab] those of the tokens.
__global__ void order_by_token_kernel(int vocab, DeviceSpan<const std::int32_t> ids,
                                      DeviceSpan<std::int32_t> rows_by_token, DeviceSpan<std::int32_t> first_of_token) {
  const int rows = static_cast<int>(ids.size);
  const int first = row_of_warp() * kCounts;
  if (first > rows + vocab) return;
  int tokens[kCounts];
  int bounds[kCounts];
  int counts[kCounts];
  for (int i = 0; i < kCounts; ++i) {
    const bool is_row = first + i < rows;
    tokens[i] = is_row ? static_cast<int>(ids[first + i]) : first + i - rows;
    bounds[i] = tokens[i] + (is_row ? 1 : 0);  // rows before it count where the token is the same, too
    counts[i] = 0;
  }
  const int own =
      first < rows ? first / kWarpSize * kWarpSize : rows;  // where the rows begin that may be among its own
  count_below(ids, 0, own, bounds, counts);
  const int row = own + lane_of_thread();
  if (row < rows) {
    const int id = ids[row];
    for (int i = 0; i < kCounts; ++i) counts[i] += id < (row < first + i ? bounds[i] : tokens[i]) ? 1 : 0;
  }
  count_below(ids, own + kWarpSize, rows, tokens, counts);
  for (int i = 0; i < kCounts; ++i) {
    const int count = warp_sum(counts[i]);
    const int number = first + i;
    if (lane_of_thread() != i || number > rows + vocab) continue;
    if (number < rows) {
      rows_by_token[count] = number;
    } else {
      first_of_token[number - rows] = count;
    }
  }
}

}  // namespace

void order_by_token(cudaStream_t stream, std::int64_t vocab, DeviceSpan<const std::int32_t> ids,
                    DeviceSpan<std::int32_t> rows_by_token, DeviceSpan<std::int32_t> first_of_token) {
  launch(stream, blocks_for(ids.size + vocab + 1, kCounts * kRowWarps), kRowThreads, order_by_token_kernel, vocab, ids,
         rows_by_token, first_of_token);
}

}  // namespace strider::cuda
