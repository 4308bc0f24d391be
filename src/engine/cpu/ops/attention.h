#pragma once
// Causal self-attention of one walk, with rotary positions, over the rows that the q, k, v projections gave:
//   S[t, u] = rope(q)[t] . rope(k)[u] / sqrt(head_dim) for u <= t,  P = softmax over u,  out[t] = sum_u P[t, u] v[u]
// Query head h reads key/value head h / (heads / kv_heads). Scores live one tile of kQueryTile queries at a time,
// [keys, queries], so that softmax runs down whole vectors; [length, length] is never stored, and the backward pass
// makes P again from the log-sum-exp (Dao et al. 2022):
//   dP[t, u] = dout[t] . v[u],  dS = P (dP - D) with D[t] = sum_u P dP,
//   dq[t] = sum_u dS k[u] / sqrt(head_dim),  dk[u] = sum_t dS q[t] / sqrt(head_dim),  dv[u] = sum_t P dout[t]
#include <cstdint>
#include <memory>

#include "base/carver.h"
#include "engine/cpu/ops/rope.h"
#include "engine/cpu/ops/rows.h"

namespace strider {

struct AttentionShape {
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t qkv_width() const { return (heads + 2 * kv_heads) * head_dim; }
};

/// The kernels for a shape, found once. Nothing changes them: threads may share them.
class AttentionKernels {
 public:
  explicit AttentionKernels(const AttentionShape& shape);
  AttentionKernels(AttentionKernels&&) noexcept;
  ~AttentionKernels();

  struct Products;
  const AttentionShape& shape() const { return shape_; }
  const Products& products() const { return *products_; }

 private:
  AttentionShape shape_;
  std::unique_ptr<const Products> products_;
};

/// The scratch that a walk of up to `length` tokens needs.
std::byte* take_attention_scratch(Carver& carver, const AttentionShape& shape, std::int64_t length);

/// qkv [length, qkv_width] before rotation: q heads, then k heads, then v heads. out [length, heads * head_dim].
/// log_sum_exp [heads, length], to base 2, is written for the backward pass. scratch: that of
/// take_attention_scratch for as long a walk.
void attention_forward(const AttentionKernels& kernels, const RopeTable& rope, std::int64_t length, ConstRows qkv,
                       Rows out, float* log_sum_exp, std::byte* scratch);

/// qkv holds what the forward pass read and is replaced by its gradient.
void attention_backward(const AttentionKernels& kernels, const RopeTable& rope, std::int64_t length, Rows qkv,
                        ConstRows dout, const float* log_sum_exp, std::byte* scratch);

}  // namespace strider
