#include <cmath>
#include <type_traits>

#include "engine/cuda/ops/attention.h"
#include "engine/cuda/ops/attention_bfloat16.h"
#include "engine/cuda/ops/attention_tile.h"
#include "engine/cuda/ops/warp.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

// A warp owns kOwn rows (queries, or keys in the kernel for dk and dv) and goes over kWarpSize others at a time, one of
// them for each thread; so what a thread reads of the others from shared memory serves kOwn products. kDim is head_dim
// rounded up: the columns after head_dim are zeros.
constexpr int kOwn = 4;
// Blocks that an SM should hold at least; asked for more, ptxas spills registers for compute capability 8.0.
[[maybe_unused]] constexpr int kBlocks = 4;

template <int kDim>
struct Tiling {
  static constexpr int kWarps = kDim > 64 ? 2 : 4;  // what fits into 48 KB of shared memory
  static constexpr int kThreads = kWarps * kWarpSize;
  static constexpr int kRows = kOwn * kWarps;                          // that a block owns
  static constexpr int kStride = kDim + 1;                             // of the others: no two threads meet in a bank
  static constexpr int kColumns = (kDim + kWarpSize - 1) / kWarpSize;  // of a result that a thread sums
  using Own = SharedArray<float, kRows * kDim>;
  using Others = SharedArray<float, kWarpSize * kStride>;
  using Weights = SharedArray<float, kRows * kWarpSize>;
};

// Rows [first, first + kCount) of one head into shared memory; those from `end` on are zeros.
template <int kDim, int kCount, int kStride, typename Shared>
__device__ void load_rows(DeviceSpan<const float> from, int width, int column, int head_dim, int first, int end,
                          Shared& to) {
  for (int i = static_cast<int>(threadIdx.x); i < kCount * kDim; i += static_cast<int>(blockDim.x)) {
    const int row = i / kDim;
    const int c = i % kDim;
    const bool is_there = first + row < end && c < head_dim;
    to[row * kStride + c] = is_there ? from[std::int64_t{first + row} * width + column + c] : 0.0F;
  }
}

// sums[i] = sum_c own[row i of this warp, c] others[row of this thread, c]
template <int kDim, typename Own, typename Others>
__device__ void dot_products(int own_row, int lane, Own& own, Others& others, float (&sums)[kOwn]) {
  for (int i = 0; i < kOwn; ++i) sums[i] = 0.0F;
  for (int c = 0; c < kDim; ++c) {
    const float value = others[lane * Tiling<kDim>::kStride + c];
    for (int i = 0; i < kOwn; ++i) sums[i] += own[(own_row + i) * kDim + c] * value;
  }
}

// sums[i, this thread's columns] += sum_j weights[row i of this warp, j] others[j, the column]
template <int kDim, typename Weights, typename Others>
__device__ void add_weighted(int own_row, int lane, Weights& weights, Others& others,
                             float (&sums)[kOwn][Tiling<kDim>::kColumns]) {
  for (int j = 0; j < kWarpSize; ++j) {
    for (int o = 0; o < Tiling<kDim>::kColumns; ++o) {
      const int c = lane + o * kWarpSize;
      if (c >= kDim) break;
      const float value = others[j * Tiling<kDim>::kStride + c];
      for (int i = 0; i < kOwn; ++i) sums[i][o] += weights[(own_row + i) * kWarpSize + j] * value;
    }
  }
}

// out[t] = sum_u exp(S[t, u] - m) v[u] / l with m and l the maximum and sum so far; log_sum_exp[t] = m + log l. A block
// for each tile of queries and head.
template <int kDim>
__global__ void __launch_bounds__(Tiling<kDim>::kThreads, kBlocks)
    attention_forward_kernel(AttentionShape shape, float scale, DeviceSpan<const std::int32_t> tiles,
                             DeviceSpan<const float> qkv, DeviceSpan<float> out, DeviceSpan<float> log_sum_exp) {
  using Tile = Tiling<kDim>;
  __shared__ typename Tile::Own q;
  __shared__ typename Tile::Others k;
  __shared__ typename Tile::Others v;
  __shared__ typename Tile::Weights p;
  const auto [start, length, first] = tile_of_block(tiles);
  if (length == 0) return;
  const int head = static_cast<int>(blockIdx.y);
  const HeadColumns column(shape, head, head / (shape.heads / shape.kv_heads));
  const int width = shape.qkv_width();
  const int lane = lane_of_thread();
  const int own_row = static_cast<int>(threadIdx.x) / kWarpSize * kOwn;
  const int end = start + length;

  load_rows<kDim, Tile::kRows, kDim>(qkv, width, column.q, shape.head_dim, start + first, end, q);
  float most[kOwn];
  float sum[kOwn];
  float result[kOwn][Tile::kColumns];
  for (int i = 0; i < kOwn; ++i) {
    most[i] = -INFINITY;
    sum[i] = 0.0F;
    for (int o = 0; o < Tile::kColumns; ++o) result[i][o] = 0.0F;
  }
  const int keys = first + Tile::kRows < length ? first + Tile::kRows : length;
  for (int key = 0; key < keys; key += kWarpSize) {
    __syncthreads();
    load_rows<kDim, kWarpSize, Tile::kStride>(qkv, width, column.k, shape.head_dim, start + key, end, k);
    load_rows<kDim, kWarpSize, Tile::kStride>(qkv, width, column.v, shape.head_dim, start + key, end, v);
    __syncthreads();
    float scores[kOwn];
    dot_products<kDim>(own_row, lane, q, k, scores);
    for (int i = 0; i < kOwn; ++i) {
      const int t = first + own_row + i;
      const bool is_seen = key + lane <= t && key + lane < length;
      const float score = is_seen ? scale * scores[i] : -INFINITY;
      const float most_now = fmaxf(most[i], warp_max(score));  // finite: every query sees the first key
      const float faded = expf(most[i] - most_now);
      const float weight = expf(score - most_now);
      most[i] = most_now;
      sum[i] = sum[i] * faded + warp_sum(weight);
      for (int o = 0; o < Tile::kColumns; ++o) result[i][o] *= faded;
      p[(own_row + i) * kWarpSize + lane] = weight;
    }
    __syncwarp();
    add_weighted<kDim>(own_row, lane, p, v, result);
  }
  for (int i = 0; i < kOwn; ++i) {
    const int t = first + own_row + i;
    if (t >= length) break;
    const std::int64_t row = start + t;
    for (int o = 0; o < Tile::kColumns; ++o) {
      const int c = lane + o * kWarpSize;
      if (c < shape.head_dim) out[(row * shape.heads + head) * shape.head_dim + c] = result[i][o] / sum[i];
    }
    if (lane == 0) log_sum_exp[row * shape.heads + head] = most[i] + logf(sum[i]);
  }
}

// D[t] = dout[t] . out[t],  dq[t] = scale sum_u P (dP - D) k[u]. A block for each tile of queries and head.
template <int kDim>
__global__ void __launch_bounds__(Tiling<kDim>::kThreads, kBlocks)
    attention_backward_queries_kernel(AttentionShape shape, float scale, DeviceSpan<const std::int32_t> tiles,
                                      DeviceSpan<const float> qkv, DeviceSpan<const float> out,
                                      DeviceSpan<const float> dout, DeviceSpan<const float> log_sum_exp,
                                      DeviceSpan<float> products, DeviceSpan<float> dqkv) {
  using Tile = Tiling<kDim>;
  __shared__ typename Tile::Own q;
  __shared__ typename Tile::Own dy;
  __shared__ typename Tile::Others k;
  __shared__ typename Tile::Others v;
  __shared__ typename Tile::Weights ds;
  const auto [start, length, first] = tile_of_block(tiles);
  if (length == 0) return;
  const int head = static_cast<int>(blockIdx.y);
  const HeadColumns column(shape, head, head / (shape.heads / shape.kv_heads));
  const int width = shape.qkv_width();
  const int lane = lane_of_thread();
  const int own_row = static_cast<int>(threadIdx.x) / kWarpSize * kOwn;
  const int end = start + length;

  load_rows<kDim, Tile::kRows, kDim>(qkv, width, column.q, shape.head_dim, start + first, end, q);
  load_rows<kDim, Tile::kRows, kDim>(dout, shape.heads * shape.head_dim, column.q, shape.head_dim, start + first, end,
                                     dy);
  float lse[kOwn];
  float product[kOwn];
  float result[kOwn][Tile::kColumns];
  for (int i = 0; i < kOwn; ++i) {
    lse[i] = 0.0F;
    product[i] = 0.0F;
    for (int o = 0; o < Tile::kColumns; ++o) result[i][o] = 0.0F;
    const int t = first + own_row + i;
    if (t >= length) continue;
    const std::int64_t at = std::int64_t{start + t} * shape.heads + head;
    lse[i] = log_sum_exp[at];
    for (int c = lane; c < shape.head_dim; c += kWarpSize) {
      product[i] += dout[at * shape.head_dim + c] * out[at * shape.head_dim + c];
    }
    product[i] = warp_sum(product[i]);
    if (lane == 0) products[at] = product[i];
  }
  const int keys = first + Tile::kRows < length ? first + Tile::kRows : length;
  for (int key = 0; key < keys; key += kWarpSize) {
    __syncthreads();
    load_rows<kDim, kWarpSize, Tile::kStride>(qkv, width, column.k, shape.head_dim, start + key, end, k);
    load_rows<kDim, kWarpSize, Tile::kStride>(qkv, width, column.v, shape.head_dim, start + key, end, v);
    __syncthreads();
    float scores[kOwn];
    float dp[kOwn];
    dot_products<kDim>(own_row, lane, q, k, scores);
    dot_products<kDim>(own_row, lane, dy, v, dp);
    for (int i = 0; i < kOwn; ++i) {
      const int t = first + own_row + i;
      const bool is_seen = key + lane <= t && t < length;
      const float weight = is_seen ? expf(scale * scores[i] - lse[i]) : 0.0F;
      ds[(own_row + i) * kWarpSize + lane] = scale * weight * (dp[i] - product[i]);
    }
    __syncwarp();
    add_weighted<kDim>(own_row, lane, ds, k, result);
  }
  for (int i = 0; i < kOwn; ++i) {
    const int t = first + own_row + i;
    if (t >= length) break;
    for (int o = 0; o < Tile::kColumns; ++o) {
      const int c = lane + o * kWarpSize;
      if (c < shape.head_dim) dqkv[std::int64_t{start + t} * width + column.q + c] = result[i][o];
    }
  }
}

// dk[u] = scale sum_t P (dP - D) q[t],  dv[u] = sum_t P dout[t], over the heads of the group in their order. A block
// for each tile of keys and key/value head.
template <int kDim>
__global__ void __launch_bounds__(Tiling<kDim>::kThreads, kBlocks)
    attention_backward_keys_kernel(AttentionShape shape, float scale, DeviceSpan<const std::int32_t> tiles,
                                   DeviceSpan<const float> qkv, DeviceSpan<const float> dout,
                                   DeviceSpan<const float> log_sum_exp, DeviceSpan<const float> products,
                                   DeviceSpan<float> dqkv) {
  using Tile = Tiling<kDim>;
  __shared__ typename Tile::Own k;
  __shared__ typename Tile::Own v;
  __shared__ typename Tile::Others q;
  __shared__ typename Tile::Others dy;
  __shared__ typename Tile::Weights p;
  __shared__ typename Tile::Weights ds;
  const auto [start, length, first] = tile_of_block(tiles);
  if (length == 0) return;
  const int kv_head = static_cast<int>(blockIdx.y);
  const int group = shape.heads / shape.kv_heads;
  const int width = shape.qkv_width();
  const HeadColumns column(shape, kv_head * group, kv_head);
  const int lane = lane_of_thread();
  const int own_row = static_cast<int>(threadIdx.x) / kWarpSize * kOwn;
  const int end = start + length;

  load_rows<kDim, Tile::kRows, kDim>(qkv, width, column.k, shape.head_dim, start + first, end, k);
  load_rows<kDim, Tile::kRows, kDim>(qkv, width, column.v, shape.head_dim, start + first, end, v);
  float dk[kOwn][Tile::kColumns];
  float dv[kOwn][Tile::kColumns];
  for (int i = 0; i < kOwn; ++i) {
    for (int o = 0; o < Tile::kColumns; ++o) {
      dk[i][o] = 0.0F;
      dv[i][o] = 0.0F;
    }
  }
  for (int head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    for (int query = first; query < length; query += kWarpSize) {
      __syncthreads();
      load_rows<kDim, kWarpSize, Tile::kStride>(qkv, width, head * shape.head_dim, shape.head_dim, start + query, end,
                                                q);
      load_rows<kDim, kWarpSize, Tile::kStride>(dout, shape.heads * shape.head_dim, head * shape.head_dim,
                                                shape.head_dim, start + query, end, dy);
      __syncthreads();
      float scores[kOwn];
      float dp[kOwn];
      dot_products<kDim>(own_row, lane, k, q, scores);
      dot_products<kDim>(own_row, lane, v, dy, dp);
      const int t = query + lane;
      const std::int64_t at = std::int64_t{start + t} * shape.heads + head;
      const float lse = t < length ? log_sum_exp[at] : 0.0F;
      const float product = t < length ? products[at] : 0.0F;
      for (int i = 0; i < kOwn; ++i) {
        const bool is_seen = first + own_row + i <= t && t < length;
        const float weight = is_seen ? expf(scale * scores[i] - lse) : 0.0F;
        p[(own_row + i) * kWarpSize + lane] = weight;
        ds[(own_row + i) * kWarpSize + lane] = scale * weight * (dp[i] - product);
      }
      __syncwarp();
      add_weighted<kDim>(own_row, lane, p, dy, dv);
      add_weighted<kDim>(own_row, lane, ds, q, dk);
    }
  }
  for (int i = 0; i < kOwn; ++i) {
    const int u = first + own_row + i;
    if (u >= length) break;
    for (int o = 0; o < Tile::kColumns; ++o) {
      const int c = lane + o * kWarpSize;
      if (c >= shape.head_dim) break;
      dqkv[std::int64_t{start + u} * width + column.k + c] = dk[i][o];
      dqkv[std::int64_t{start + u} * width + column.v + c] = dv[i][o];
    }
  }
}

}  // namespace

template <typename T>
int attention_tile(int head_dim) {
  if constexpr (std::is_same_v<T, Bfloat16>) return bfloat16_attention_tile(head_dim);
  return for_dim<8, 16, 32, 64, kMostHeadDim>(head_dim, [](auto dim) { return Tiling<decltype(dim)::value>::kRows; });
}

template <typename T>
void attention_forward(cudaStream_t stream, AttentionShape shape, float scale, std::int64_t tile_count,
                       DeviceSpan<const std::int32_t> tiles, DeviceSpan<const T> qkv, DeviceSpan<T> out,
                       DeviceSpan<float> log_sum_exp) {
  if constexpr (std::is_same_v<T, Bfloat16>) {
    bfloat16_attention_forward(stream, shape, scale, tile_count, tiles, qkv, out, log_sum_exp);
  } else {
    for_dim<8, 16, 32, 64, kMostHeadDim>(shape.head_dim, [&](auto dim) {
      constexpr int kDim = decltype(dim)::value;
      launch(stream, dim3(static_cast<unsigned>(tile_count), static_cast<unsigned>(shape.heads)),
             Tiling<kDim>::kThreads, attention_forward_kernel<kDim>, shape, scale, tiles, qkv, out, log_sum_exp);
    });
  }
}

template <typename T>
void attention_backward(cudaStream_t stream, AttentionShape shape, float scale, std::int64_t tile_count,
                        DeviceSpan<const std::int32_t> tiles, DeviceSpan<const T> qkv, DeviceSpan<const T> out,
                        DeviceSpan<const T> dout, DeviceSpan<const float> log_sum_exp, DeviceSpan<float> products,
                        DeviceSpan<T> dqkv) {
  if constexpr (std::is_same_v<T, Bfloat16>) {
    bfloat16_attention_backward(stream, shape, scale, tile_count, tiles, qkv, out, dout, log_sum_exp, products, dqkv);
  } else {
    for_dim<8, 16, 32, 64, kMostHeadDim>(shape.head_dim, [&](auto dim) {
      constexpr int kDim = decltype(dim)::value;
      const auto blocks = static_cast<unsigned>(tile_count);
      launch(stream, dim3(blocks, static_cast<unsigned>(shape.heads)), Tiling<kDim>::kThreads,
             attention_backward_queries_kernel<kDim>, shape, scale, tiles, qkv, out, dout, log_sum_exp, products, dqkv);
      launch(stream, dim3(blocks, static_cast<unsigned>(shape.kv_heads)), Tiling<kDim>::kThreads,
             attention_backward_keys_kernel<kDim>, shape, scale, tiles, qkv, dout, log_sum_exp, products, dqkv);
    });
  }
}

#define STRIDER_ATTENTION(T)                                                                                    \
  template int attention_tile<T>(int);                                                                          \
  template void attention_forward<T>(cudaStream_t, AttentionShape, float, std::int64_t,                         \
                                     DeviceSpan<const std::int32_t>, DeviceSpan<const T>, DeviceSpan<T>,        \
                                     DeviceSpan<float>);                                                        \
  template void attention_backward<T>(cudaStream_t, AttentionShape, float, std::int64_t,                        \
                                      DeviceSpan<const std::int32_t>, DeviceSpan<const T>, DeviceSpan<const T>, \
                                      DeviceSpan<const T>, DeviceSpan<const float>, DeviceSpan<float>, DeviceSpan<T>)

STRIDER_ATTENTION(float);
STRIDER_ATTENTION(Bfloat16);
#undef STRIDER_ATTENTION

}  // namespace strider::cuda
