#include "engine/cuda/ops/rope.h"
#include "engine/cuda/ops/warp.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

// With h = head_dim / 2:  x[i] <- x[i] cos - x[i + h] sin,  x[i + h] <- x[i + h] cos + x[i] sin, a thread for each row,
// head of q or k, and i < h; for head_dim 1:  x <- x (cos - sin), whose gradient is the same.
__global__ void rope_kernel(int rows, AttentionShape shape, float direction, DeviceSpan<const std::int32_t> positions,
                            DeviceSpan<const float> cosines, DeviceSpan<const float> sines, DeviceSpan<float> qkv) {
  const int frequencies = (shape.head_dim + 1) / 2;
  const int rotated = (shape.heads + shape.kv_heads) * frequencies;
  const std::int64_t element = element_of_thread();
  if (element >= std::int64_t{rows} * rotated) return;
  const int row = static_cast<int>(element / rotated);
  const int pair = static_cast<int>(element % rotated);
  const int i = pair % frequencies;
  const std::int64_t angle = std::int64_t{positions[row]} * frequencies + i;
  const std::int64_t at = std::int64_t{row} * shape.qkv_width() + pair / frequencies * shape.head_dim + i;
  if (shape.head_dim == 1) {
    qkv[at] *= cosines[angle] - sines[angle];
    return;
  }
  const float cosine = cosines[angle];
  const float sine = direction * sines[angle];
  const float low = qkv[at];
  const float high = qkv[at + frequencies];
  qkv[at] = low * cosine - high * sine;
  qkv[at + frequencies] = high * cosine + low * sine;
}

}  // namespace

void rope(cudaStream_t stream, std::int64_t rows, AttentionShape shape, float direction,
          DeviceSpan<const std::int32_t> positions, DeviceSpan<const float> cosines, DeviceSpan<const float> sines,
          DeviceSpan<float> qkv) {
  const std::int64_t pairs = rows * (shape.heads + shape.kv_heads) * ((shape.head_dim + 1) / 2);
  launch(stream, blocks_for(pairs, kElementThreads), kElementThreads, rope_kernel, rows, shape, direction, positions,
         cosines, sines, qkv);
}

}  // namespace strider::cuda
