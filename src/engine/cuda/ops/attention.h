#pragma once
// Causal self-attention over whole walks, which follow each other in the rows; q and k are rotated already:
//   S[t, u] = scale q[t] . k[u] for u <= t of the same walk,  P = softmax over u,  out[t] = sum_u P[t, u] v[u]
// Query head h reads key/value head h / (heads / kv_heads). Scores are made a tile of keys at a time with a running
// maximum and sum (Dao et al. 2022), so [length, length] is never stored, and the backward pass makes P again from the
// log-sum-exp:
//   dP[t, u] = dout[t] . v[u],  dS = P (dP - D) with D[t] = dout[t] . out[t],
//   dq[t] = scale sum_u dS k[u],  dk[u] = scale sum_t dS q[t],  dv[u] = sum_t P dout[t]
// No two threads add to the same gradient: one kernel goes over the keys of a query, another over the queries of a key.
#include "engine/cuda/ops/rope.h"

namespace strider::cuda {

inline constexpr int kMostHeadDim = 128;
inline constexpr int kTileNumbers = 3;  // of a tile: the walk's first row, its length, the tile's first position in it

/// Positions of one tile; a walk is cut into tiles from its first position on. Here and below T is float, whose
/// products have float32 operands, or Bfloat16 (attention_bfloat16.h).
template <typename T>
int attention_tile(int head_dim);

/// tiles [count, kTileNumbers]; a tile of a walk of length 0 is passed over. qkv [rows, qkv width], out [rows, heads *
/// head_dim], log_sum_exp [rows, heads].
template <typename T>
void attention_forward(cudaStream_t stream, AttentionShape shape, float scale, std::int64_t tile_count,
                       DeviceSpan<const std::int32_t> tiles, DeviceSpan<const T> qkv, DeviceSpan<T> out,
                       DeviceSpan<float> log_sum_exp);

/// dqkv [rows, qkv width] is written, for every row of a walk; `products` [rows, heads] is scratch.
template <typename T>
void attention_backward(cudaStream_t stream, AttentionShape shape, float scale, std::int64_t tile_count,
                        DeviceSpan<const std::int32_t> tiles, DeviceSpan<const T> qkv, DeviceSpan<const T> out,
                        DeviceSpan<const T> dout, DeviceSpan<const float> log_sum_exp, DeviceSpan<float> products,
                        DeviceSpan<T> dqkv);

}  // namespace strider::cuda
