#include "engine/cuda/ops/rope.h"
#include "engine/cuda/ops/warp.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

// With h = head_dim / 2:  x[i] <- x[i] cos - x[i + h] sin,  x[i + h] <- x[i + h] cos + x[i] sin, a thread for each row,
// head of q or k, and i < h; for head_dim 1:  x <- x (cos - sin), whose gradient is the same.
template <typename T>
__global__ void rope_kernel(int rows, AttentionShape shape, float direction, DeviceSpan<const std::int32_t> positions,
                            DeviceSpan<const float> cosines, DeviceSpan<const float> sines, DeviceSpan<T> qkv) {
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
    store(qkv, at, load(qkv, at) * (cosines[angle] - sines[angle]));
    return;
  }
  const float cosine = cosines[angle];
  const float sine = direction * sines[angle];
  const float low = load(qkv, at);
  const float high = load(qkv, at + frequencies);
  store(qkv, at, low * cosine - high * sine);
  store(qkv, at + frequencies, high * cosine + low * sine);
}

}  // namespace

template <typename T>
void rope(cudaStream_t stream, std::int64_t rows, AttentionShape shape, float direction,
          DeviceSpan<const std::int32_t> positions, DeviceSpan<const float> cosines, DeviceSpan<const float> sines,
          DeviceSpan<T> qkv) {
  const std::int64_t pairs = rows * (shape.heads + shape.kv_heads) * ((shape.head_dim + 1) / 2);
  launch(stream, blocks_for(pairs, kElementThreads), kElementThreads, rope_kernel<T>, rows, shape, direction, positions,
         cosines, sines, qkv);
}

template void rope<float>(cudaStream_t, std::int64_t, AttentionShape, float, DeviceSpan<const std::int32_t>,
                          DeviceSpan<const float>, DeviceSpan<const float>, DeviceSpan<float>);
template void rope<Bfloat16>(cudaStream_t, std::int64_t, AttentionShape, float, DeviceSpan<const std::int32_t>,
                             DeviceSpan<const float>, DeviceSpan<const float>, DeviceSpan<Bfloat16>);

}  // namespace strider::cuda
