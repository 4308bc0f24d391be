#include <cmath>

#include "engine/cuda/ops/attention_bfloat16.h"
#include "engine/cuda/ops/attention_tile.h"
#include "engine/cuda/ops/mma.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

// A warp owns the kMmaRows rows of one A (queries, or keys in the kernel for dk and dv). Its block brings kStage rows
// of the others into shared memory at a time, and the warp goes over kOthers of them at a time: their scores stay in
// registers, where the accumulators of one product are the A of the next. kDim is head_dim rounded up: the columns
// after head_dim are zeros.
constexpr float kLog2OfE = 1.4426950408889634F;
constexpr float kLogOf2 = 0.6931471805599453F;

// Eight elements: what is copied at once.
struct alignas(16) Eight {
  std::uint32_t pairs[4] = {};
};
constexpr int kEight = 8;

template <int kDim>
struct Tiling {
  static constexpr int kWarps = kDim > 64 ? 2 : 4;  // what fits into 48 KB of shared memory
  static constexpr int kStage = kDim > 32 ? 32 : 64;
  static constexpr int kOthers = kDim > 64 ? 16 : 32;  // with 32, dk and dv of 128 columns leave too few registers
  // Blocks that an SM should hold at least: so ptxas knows how many registers it may take.
  [[maybe_unused]] static constexpr int kBlocks = kDim > 32 && kDim <= 64 ? 2 : 4;
  static constexpr int kThreads = kWarps * kWarpSize;
  static constexpr int kRows = kMmaRows * kWarps;  // that a block owns
  static constexpr int kStride = kDim + kMmaPadding;
  static constexpr int kScores = kOthers / kMmaColumns;  // accumulators that hold the scores
  static constexpr int kResults = kDim / kMmaColumns;    // accumulators that hold a result
  using Own = SharedArray<Bfloat16, kRows * kStride>;
  using Others = SharedArray<Bfloat16, kStage * kStride>;
  using Scores = FragmentD[kScores];
  using Result = FragmentD[kResults];
};

// Columns [column, column + 8) of the head that begins at element `begin`; those from head_dim on are zeros. Where
// head_dim is a multiple of 8 all heads begin at a multiple of 16 bytes.
template <typename T>
__device__ Eight load_eight(DeviceSpan<const T> from, std::int64_t begin, int column, int head_dim) {
  if (head_dim % kEight == 0) return column < head_dim ? load_vector<Eight>(from, begin + column) : Eight();
  Eight result;
  STRIDER_UNROLL
  for (int i = 0; i < kEight; ++i) {
    if (column + i >= head_dim) break;
    const Bfloat16 value = from[begin + column + i];
    result.pairs[i / 2] |= std::uint32_t{value.bits} << static_cast<unsigned>(i % 2 * 16);
  }
  return result;
}

// Rows [first, first + kCount) of one head into shared memory; those from `end` on are zeros.
template <int kDim, int kCount, typename Shared>
__device__ void load_rows(DeviceSpan<const Bfloat16> from, int width, int head_column, int head_dim, int first, int end,
                          Shared& to) {
  constexpr int kPieces = kDim / kEight;
  for (int i = static_cast<int>(threadIdx.x); i < kCount * kPieces; i += Tiling<kDim>::kThreads) {
    const int row = i / kPieces;
    const int column = i % kPieces * kEight;
    Eight values;
    if (first + row < end) {
      values = load_eight(from, std::int64_t{first + row} * width + head_column, column, head_dim);
    }
    store_vector(to, row * Tiling<kDim>::kStride + column, values);
  }
}

// The warp's result, times factors[half of the rows], to rows [first, end) of one head: through the shared memory of
// the warp's own rows, which nobody else reads, since a lane has but two columns next to each other.
template <int kDim>
__device__ void store_rows(const typename Tiling<kDim>::Result& result, const float (&factors)[2],
                           typename Tiling<kDim>::Own& own, int own_row, DeviceSpan<Bfloat16> to, int width,
                           int head_column, int head_dim, int first, int end) {
  constexpr int kStride = Tiling<kDim>::kStride;
  constexpr int kPieces = kDim / kEight;
  const int lane = lane_of_thread();
  __syncwarp();
  STRIDER_UNROLL
  for (int n = 0; n < Tiling<kDim>::kResults; ++n) {
    STRIDER_UNROLL
    for (int i = 0; i < 4; i += 2) {
      const std::uint32_t pair =
          round_pair(factors[i / 2] * result[n].values[i], factors[i / 2] * result[n].values[i + 1]);
      store_vector(own, (own_row + row_of_d(lane, i)) * kStride + n * kMmaColumns + column_of_d(lane, i), pair);
    }
  }
  __syncwarp();
  for (int i = lane; i < kMmaRows * kPieces; i += kWarpSize) {
    const int row = i / kPieces;
    const int column = i % kPieces * kEight;
    if (first + row >= end) break;
    const int place = (own_row + row) * kStride + column;
    const std::int64_t begin = std::int64_t{first + row} * width + head_column + column;
    if (head_dim % kEight == 0) {
      if (column < head_dim) store_vector(to, begin, load_vector<Eight>(own, place));
    } else {
      for (int c = 0; c < kEight && column + c < head_dim; ++c) {
        to[begin + c] = static_cast<Bfloat16>(own[place + c]);
      }
    }
  }
}

// products[i, j] = sum_c own[row i of this warp, c] others[other_row + j, c]
template <int kDim>
__device__ void dot_products(typename Tiling<kDim>::Own& own, int own_row, typename Tiling<kDim>::Others& others,
                             int other_row, typename Tiling<kDim>::Scores& products) {
  constexpr int kStride = Tiling<kDim>::kStride;
  STRIDER_UNROLL
  for (int n = 0; n < Tiling<kDim>::kScores; ++n) products[n] = FragmentD{};
  STRIDER_UNROLL
  for (int c = 0; c < kDim; c += kMmaDepth) {
    const FragmentA a = load_a<kStride>(own, own_row, c);
    STRIDER_UNROLL
    for (int n = 0; n < Tiling<kDim>::kScores; n += 2) {
      FragmentB b[2];
      load_b_transposed<kStride>(others, other_row + n * kMmaColumns, c, b);
      multiply_add(products[n], a, b[0]);
      multiply_add(products[n + 1], a, b[1]);
    }
  }
}

// sums[i, c] += sum_j weights[i, j] others[other_row + j, c]; the weights are rounded.
template <int kDim>
__device__ void add_weighted(const typename Tiling<kDim>::Scores& weights, typename Tiling<kDim>::Others& others,
                             int other_row, typename Tiling<kDim>::Result& sums) {
  STRIDER_UNROLL
  for (int j = 0; j < Tiling<kDim>::kScores; j += 2) {
    const FragmentA a = round_to_a(weights[j], weights[j + 1]);
    STRIDER_UNROLL
    for (int n = 0; n < Tiling<kDim>::kResults; n += 2) {
      FragmentB b[2];
      load_b<Tiling<kDim>::kStride>(others, other_row + j * kMmaColumns, n * kMmaColumns, b);
      multiply_add(sums[n], a, b[0]);
      multiply_add(sums[n + 1], a, b[1]);
    }
  }
}

template <int kDim>
__device__ void clear(typename Tiling<kDim>::Result& result) {
  STRIDER_UNROLL
  for (int n = 0; n < Tiling<kDim>::kResults; ++n) result[n] = FragmentD{};
}

// Of the four lanes that share the rows of an accumulator.
__device__ float quad_max(float value) {
  value = fmaxf(value, __shfl_xor_sync(kWholeWarp, value, 1));
  return fmaxf(value, __shfl_xor_sync(kWholeWarp, value, 2));
}
__device__ float quad_sum(float value) {
  value += __shfl_xor_sync(kWholeWarp, value, 1);
  return value + __shfl_xor_sync(kWholeWarp, value, 2);
}

// out[t] = sum_u exp(S[t, u] - m) v[u] / l with m and l the maximum and sum so far; log_sum_exp[t] = m + log l. A block
// for each tile of queries and head. Exponentials are powers of two, with S and m times log2(e).
template <int kDim>
__global__ void __launch_bounds__(Tiling<kDim>::kThreads, Tiling<kDim>::kBlocks)
    attention_forward_kernel(AttentionShape shape, float scale, DeviceSpan<const std::int32_t> tiles,
                             DeviceSpan<const Bfloat16> qkv, DeviceSpan<Bfloat16> out, DeviceSpan<float> log_sum_exp) {
  using Tile = Tiling<kDim>;
  __shared__ typename Tile::Own q;
  __shared__ typename Tile::Others k;
  __shared__ typename Tile::Others v;
  const auto [start, length, first] = tile_of_block(tiles);
  if (length == 0) return;
  const int head = static_cast<int>(blockIdx.y);
  const HeadColumns column(shape, head, head / (shape.heads / shape.kv_heads));
  const int width = shape.qkv_width();
  const int lane = lane_of_thread();
  const int own_row = static_cast<int>(threadIdx.x) / kWarpSize * kMmaRows;
  const int own = first + own_row;
  const int end = start + length;
  const float scale_of_2 = scale * kLog2OfE;

  load_rows<kDim, Tile::kRows>(qkv, width, column.q, shape.head_dim, start + first, end, q);
  float most[2] = {-INFINITY, -INFINITY};
  float sum[2] = {0.0F, 0.0F};  // over this lane's columns
  typename Tile::Result result;
  clear<kDim>(result);
  const int keys = first + Tile::kRows < length ? first + Tile::kRows : length;
  for (int stage = 0; stage < keys; stage += Tile::kStage) {
    __syncthreads();
    load_rows<kDim, Tile::kStage>(qkv, width, column.k, shape.head_dim, start + stage, end, k);
    load_rows<kDim, Tile::kStage>(qkv, width, column.v, shape.head_dim, start + stage, end, v);
    __syncthreads();
    if (own >= length) continue;
    for (int row = 0; row < Tile::kStage; row += Tile::kOthers) {
      const int key = stage + row;
      if (key >= own + kMmaRows) break;  // none of them is seen
      typename Tile::Scores scores;
      dot_products<kDim>(q, own_row, k, row, scores);
      float most_now[2] = {most[0], most[1]};
      const bool are_all_seen = key + Tile::kOthers <= own + 1;
      STRIDER_UNROLL
      for (int n = 0; n < Tile::kScores; ++n) {
        STRIDER_UNROLL
        for (int i = 0; i < 4; ++i) {
          float& score = scores[n].values[i];
          const bool is_seen = are_all_seen || key + n * kMmaColumns + column_of_d(lane, i) <= own + row_of_d(lane, i);
          score = is_seen ? scale_of_2 * score : -INFINITY;
          most_now[i / 2] = fmaxf(most_now[i / 2], score);
        }
      }
      float faded[2];
      STRIDER_UNROLL
      for (int half = 0; half < 2; ++half) {
        most_now[half] = quad_max(most_now[half]);  // finite: every query sees the first key
        faded[half] = exp2f(most[half] - most_now[half]);
        most[half] = most_now[half];
        sum[half] *= faded[half];
      }
      STRIDER_UNROLL
      for (int n = 0; n < Tile::kResults; ++n) {
        STRIDER_UNROLL
        for (int i = 0; i < 4; ++i) result[n].values[i] *= faded[i / 2];
      }
      STRIDER_UNROLL
      for (int n = 0; n < Tile::kScores; ++n) {
        STRIDER_UNROLL
        for (int i = 0; i < 4; ++i) {
          float& weight = scores[n].values[i];
          weight = exp2f(weight - most[i / 2]);
          sum[i / 2] += weight;
        }
      }
      add_weighted<kDim>(scores, v, row, result);
    }
  }
  if (own >= length) return;
  float inverse[2];
  STRIDER_UNROLL
  for (int half = 0; half < 2; ++half) {
    sum[half] = quad_sum(sum[half]);
    inverse[half] = 1.0F / sum[half];
    const int t = own + row_of_d(lane, 2 * half);
    if (lane % 4 == 0 && t < length) {
      log_sum_exp[std::int64_t{start + t} * shape.heads + head] = most[half] * kLogOf2 + logf(sum[half]);
    }
  }
  store_rows<kDim>(result, inverse, q, own_row, out, shape.heads * shape.head_dim, column.q, shape.head_dim,
                   start + own, end);
}

// D[t] = dout[t] . out[t],  dq[t] = scale sum_u P (dP - D) k[u]. A block for each tile of queries and head.
template <int kDim>
__global__ void __launch_bounds__(Tiling<kDim>::kThreads, Tiling<kDim>::kBlocks)
    attention_backward_queries_kernel(AttentionShape shape, float scale, DeviceSpan<const std::int32_t> tiles,
                                      DeviceSpan<const Bfloat16> qkv, DeviceSpan<const Bfloat16> out,
                                      DeviceSpan<const Bfloat16> dout, DeviceSpan<const float> log_sum_exp,
                                      DeviceSpan<float> products, DeviceSpan<Bfloat16> dqkv) {
  using Tile = Tiling<kDim>;
  __shared__ typename Tile::Own q;
  __shared__ typename Tile::Own dy;
  __shared__ typename Tile::Others k;
  __shared__ typename Tile::Others v;
  const auto [start, length, first] = tile_of_block(tiles);
  if (length == 0) return;
  const int head = static_cast<int>(blockIdx.y);
  const HeadColumns column(shape, head, head / (shape.heads / shape.kv_heads));
  const int width = shape.qkv_width();
  const int out_width = shape.heads * shape.head_dim;
  const int lane = lane_of_thread();
  const int own_row = static_cast<int>(threadIdx.x) / kWarpSize * kMmaRows;
  const int own = first + own_row;
  const int end = start + length;
  const float scale_of_2 = scale * kLog2OfE;

  load_rows<kDim, Tile::kRows>(qkv, width, column.q, shape.head_dim, start + first, end, q);
  load_rows<kDim, Tile::kRows>(dout, out_width, column.q, shape.head_dim, start + first, end, dy);
  __syncthreads();
  // Two lanes for a row, of which each takes every other piece of eight columns.
  float product = 0.0F;
  const int row_of_product = own + lane / 2;
  if (row_of_product < length) {
    const std::int64_t begin = std::int64_t{start + row_of_product} * out_width + column.q;
    for (int c = lane % 2 * kEight; c < kDim; c += 2 * kEight) {
      const Eight a = load_eight(out, begin, c, shape.head_dim);
      const auto b = load_vector<Eight>(dy, (own_row + lane / 2) * Tile::kStride + c);
      STRIDER_UNROLL
      for (int i = 0; i < kEight; ++i) {
        const auto shift = static_cast<unsigned>(i % 2 * 16);
        product += to_float(Bfloat16{static_cast<std::uint16_t>(a.pairs[i / 2] >> shift)}) *
                   to_float(Bfloat16{static_cast<std::uint16_t>(b.pairs[i / 2] >> shift)});
      }
    }
  }
  product += __shfl_xor_sync(kWholeWarp, product, 1);
  if (lane % 2 == 0 && row_of_product < length) {
    products[std::int64_t{start + row_of_product} * shape.heads + head] = product;
  }
  float lse[2];  // times log2(e)
  float product_of[2];
  STRIDER_UNROLL
  for (int half = 0; half < 2; ++half) {
    const int row = row_of_d(lane, 2 * half);
    product_of[half] = __shfl_sync(kWholeWarp, product, 2 * row);
    lse[half] =
        own + row < length ? kLog2OfE * log_sum_exp[std::int64_t{start + own + row} * shape.heads + head] : 0.0F;
  }
  typename Tile::Result result;
  clear<kDim>(result);
  const int keys = first + Tile::kRows < length ? first + Tile::kRows : length;
  for (int stage = 0; stage < keys; stage += Tile::kStage) {
    __syncthreads();
    load_rows<kDim, Tile::kStage>(qkv, width, column.k, shape.head_dim, start + stage, end, k);
    load_rows<kDim, Tile::kStage>(qkv, width, column.v, shape.head_dim, start + stage, end, v);
    __syncthreads();
    if (own >= length) continue;
    for (int row = 0; row < Tile::kStage; row += Tile::kOthers) {
      const int key = stage + row;
      if (key >= own + kMmaRows) break;
      typename Tile::Scores scores;
      typename Tile::Scores dp;
      dot_products<kDim>(q, own_row, k, row, scores);
      dot_products<kDim>(dy, own_row, v, row, dp);
      const bool are_all_seen = key + Tile::kOthers <= own + 1;
      STRIDER_UNROLL
      for (int n = 0; n < Tile::kScores; ++n) {
        STRIDER_UNROLL
        for (int i = 0; i < 4; ++i) {
          const bool is_seen = are_all_seen || key + n * kMmaColumns + column_of_d(lane, i) <= own + row_of_d(lane, i);
          const float weight = is_seen ? exp2f(scale_of_2 * scores[n].values[i] - lse[i / 2]) : 0.0F;
          scores[n].values[i] = weight * (dp[n].values[i] - product_of[i / 2]);
        }
      }
      add_weighted<kDim>(scores, k, row, result);
    }
  }
  if (own >= length) return;
  store_rows<kDim>(result, {scale, scale}, q, own_row, dqkv, width, column.q, shape.head_dim, start + own, end);
}

// dk[u] = scale sum_t P (dP - D) q[t],  dv[u] = sum_t P dout[t], over the heads of the group in their order. A block
// for each tile of keys and key/value head; scores are [keys, queries] here.
template <int kDim>
__global__ void __launch_bounds__(Tiling<kDim>::kThreads, Tiling<kDim>::kBlocks)
    attention_backward_keys_kernel(AttentionShape shape, float scale, DeviceSpan<const std::int32_t> tiles,
                                   DeviceSpan<const Bfloat16> qkv, DeviceSpan<const Bfloat16> dout,
                                   DeviceSpan<const float> log_sum_exp, DeviceSpan<const float> products,
                                   DeviceSpan<Bfloat16> dqkv) {
  using Tile = Tiling<kDim>;
  __shared__ typename Tile::Own k;
  __shared__ typename Tile::Own v;
  __shared__ typename Tile::Others q;
  __shared__ typename Tile::Others dy;
  __shared__ SharedArray<float, Tile::kStage> lse;  // times log2(e)
  __shared__ SharedArray<float, Tile::kStage> product;
  const auto [start, length, first] = tile_of_block(tiles);
  if (length == 0) return;
  const int kv_head = static_cast<int>(blockIdx.y);
  const int group = shape.heads / shape.kv_heads;
  const HeadColumns column(shape, kv_head * group, kv_head);
  const int width = shape.qkv_width();
  const int lane = lane_of_thread();
  const int own_row = static_cast<int>(threadIdx.x) / kWarpSize * kMmaRows;
  const int own = first + own_row;
  const int end = start + length;
  const float scale_of_2 = scale * kLog2OfE;

  load_rows<kDim, Tile::kRows>(qkv, width, column.k, shape.head_dim, start + first, end, k);
  load_rows<kDim, Tile::kRows>(qkv, width, column.v, shape.head_dim, start + first, end, v);
  typename Tile::Result dk;
  typename Tile::Result dv;
  clear<kDim>(dk);
  clear<kDim>(dv);
  for (int head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    for (int stage = first; stage < length; stage += Tile::kStage) {
      __syncthreads();
      load_rows<kDim, Tile::kStage>(qkv, width, head * shape.head_dim, shape.head_dim, start + stage, end, q);
      load_rows<kDim, Tile::kStage>(dout, shape.heads * shape.head_dim, head * shape.head_dim, shape.head_dim,
                                    start + stage, end, dy);
      for (int i = static_cast<int>(threadIdx.x); i < Tile::kStage; i += Tile::kThreads) {
        const std::int64_t at = std::int64_t{start + stage + i} * shape.heads + head;
        lse[i] = stage + i < length ? kLog2OfE * log_sum_exp[at] : 0.0F;
        product[i] = stage + i < length ? products[at] : 0.0F;
      }
      __syncthreads();
      if (own >= length) continue;
      for (int row = 0; row < Tile::kStage; row += Tile::kOthers) {
        const int query = stage + row;
        if (query >= length) break;
        if (query + Tile::kOthers <= own) continue;  // none of them sees these keys
        typename Tile::Scores scores;
        typename Tile::Scores dp;
        dot_products<kDim>(k, own_row, q, row, scores);
        dot_products<kDim>(v, own_row, dy, row, dp);
        const bool do_all_see = query + 1 >= own + kMmaRows;
        STRIDER_UNROLL
        for (int n = 0; n < Tile::kScores; ++n) {
          STRIDER_UNROLL
          for (int i = 0; i < 4; ++i) {
            // Queries after the last one have q = dout = 0, and add nothing.
            const int t = n * kMmaColumns + column_of_d(lane, i);
            const bool is_seen = do_all_see || own + row_of_d(lane, i) <= query + t;
            const float weight = is_seen ? exp2f(scale_of_2 * scores[n].values[i] - lse[row + t]) : 0.0F;
            scores[n].values[i] = weight;
            dp[n].values[i] = weight * (dp[n].values[i] - product[row + t]);
          }
        }
        add_weighted<kDim>(scores, dy, row, dv);
        add_weighted<kDim>(dp, q, row, dk);
      }
    }
  }
  if (own >= length) return;
  store_rows<kDim>(dk, {scale, scale}, k, own_row, dqkv, width, column.k, shape.head_dim, start + own, end);
  store_rows<kDim>(dv, {1.0F, 1.0F}, v, own_row, dqkv, width, column.v, shape.head_dim, start + own, end);
}

}  // namespace

int bfloat16_attention_tile(int head_dim) {
  return for_dim<16, 32, 48, 64, kMostHeadDim>(head_dim, [](auto dim) { return Tiling<decltype(dim)::value>::kRows; });
}

void bfloat16_attention_forward(cudaStream_t stream, AttentionShape shape, float scale, std::int64_t tile_count,
                                DeviceSpan<const std::int32_t> tiles, DeviceSpan<const Bfloat16> qkv,
                                DeviceSpan<Bfloat16> out, DeviceSpan<float> log_sum_exp) {
  for_dim<16, 32, 48, 64, kMostHeadDim>(shape.head_dim, [&](auto dim) {
    constexpr int kDim = decltype(dim)::value;
    launch(stream, dim3(static_cast<unsigned>(tile_count), static_cast<unsigned>(shape.heads)), Tiling<kDim>::kThreads,
           attention_forward_kernel<kDim>, shape, scale, tiles, qkv, out, log_sum_exp);
  });
}

void bfloat16_attention_backward(cudaStream_t stream, AttentionShape shape, float scale, std::int64_t tile_count,
                                 DeviceSpan<const std::int32_t> tiles, DeviceSpan<const Bfloat16> qkv,
                                 DeviceSpan<const Bfloat16> out, DeviceSpan<const Bfloat16> dout,
                                 DeviceSpan<const float> log_sum_exp, DeviceSpan<float> products,
                                 DeviceSpan<Bfloat16> dqkv) {
  for_dim<16, 32, 48, 64, kMostHeadDim>(shape.head_dim, [&](auto dim) {
    constexpr int kDim = decltype(dim)::value;
    const auto blocks = static_cast<unsigned>(tile_count);
    launch(stream, dim3(blocks, static_cast<unsigned>(shape.heads)), Tiling<kDim>::kThreads,
           attention_backward_queries_kernel<kDim>, shape, scale, tiles, qkv, out, dout, log_sum_exp, products, dqkv);
    launch(stream, dim3(blocks, static_cast<unsigned>(shape.kv_heads)), Tiling<kDim>::kThreads,
           attention_backward_keys_kernel<kDim>, shape, scale, tiles, qkv, dout, log_sum_exp, products, dqkv);
  });
}

}  // namespace strider::cuda
