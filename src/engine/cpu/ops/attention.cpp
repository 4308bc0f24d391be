#include "engine/cpu/ops/attention.h"

#include <algorithm>
#include <cmath>

#include "base/carver.h"
#include "engine/cpu/ops/attention_tile.h"
#include "engine/cpu/ops/small_gemm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/cpu/ops/attention.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// math-inl.h has Log; its include order matters.
#include <hwy/contrib/math/math-inl.h>

#include "engine/cpu/ops/attention_rows-inl.h"
#include "engine/cpu/ops/vector_math-inl.h"

#ifndef STRIDER_ATTENTION_CONSTANTS
#define STRIDER_ATTENTION_CONSTANTS
namespace strider {
namespace {

constexpr std::int64_t kKeyTile = kGemmDepth;  // most keys that one kernel takes

// Scores are kept times log2(e), so that softmax takes powers of two.
constexpr float kLog2E = 1.44269504088896341F;
constexpr float kLn2 = 0.693147180559945309F;

// One head's working memory. "Rows" are [keys or queries, head_dim]; "columns" the transpose. All padded with zeros to
// a multiple of kQueryTile, so that every kernel has one of a few shapes.
struct HeadScratch {
  float* q_rows;     // rotated and scaled
  float* q_columns;  // of a tile of queries after the other: [head_dim, kQueryTile] each
  float* k_rows;     // rotated
  float* v_rows;
  float* dout_rows;
  float* dout_columns;
  float* dk_rows;
  float* dv_rows;
  float* scores;   // [keys, kQueryTile]
  float* dscores;  // the same
  float* tile;     // [kQueryTile, head_dim]

  HeadScratch(Carver carver, std::int64_t head_dim, std::int64_t length) { lay_out(carver, head_dim, length); }

  static std::uint64_t bytes(std::int64_t head_dim, std::int64_t length) {
    Carver counting;
    HeadScratch().lay_out(counting, head_dim, length);
    return counting.bytes();
  }

 private:
  HeadScratch() = default;

  void lay_out(Carver& carver, std::int64_t head_dim, std::int64_t length) {
    const std::int64_t size = padded_length(length) * head_dim;
    for (float** part : {&q_rows, &q_columns, &k_rows, &v_rows, &dout_rows, &dout_columns, &dk_rows, &dv_rows}) {
      *part = carver.take<float>(size);
    }
    scores = carver.take<float>(padded_length(length) * kQueryTile);
    dscores = carver.take<float>(padded_length(length) * kQueryTile);
    tile = carver.take<float>(kQueryTile * head_dim);
  }
};

}  // namespace

// The products of a head, each as kernels for 1, 2, ... tiles of keys.
struct AttentionKernels::Products {
  static constexpr std::int64_t kSizes = kKeyTile / kQueryTile;
  GemmKernel products[kSizes], weighted[kSizes], weighted_add[kSizes], queries[kSizes];

  explicit Products(std::int64_t head_dim) {
    for (std::int64_t i = 0; i < kSizes; ++i) {
      const std::int64_t keys = (i + 1) * kQueryTile;
      products[i] = GemmKernel({.m = kQueryTile,
                                .n = keys,
                                .k = head_dim,
                                .a_stride = kQueryTile,
                                .b_stride = head_dim,
                                .c_stride = kQueryTile});
      GemmShape sum{.m = head_dim,
                    .n = kQueryTile,
                    .k = keys,
                    .a_stride = head_dim,
                    .b_stride = 1,
                    .b_depth = kQueryTile,
                    .c_stride = head_dim};
      weighted[i] = GemmKernel(sum);
      sum.add = true;
      weighted_add[i] = GemmKernel(sum);
      queries[i] = GemmKernel({.m = head_dim,
                               .n = keys,
                               .k = kQueryTile,
                               .a_stride = head_dim,
                               .b_stride = kQueryTile,
                               .c_stride = head_dim,
                               .add = true});
    }
  }

  static std::int64_t size_of(std::int64_t keys) { return std::min(kKeyTile, keys) / kQueryTile - 1; }
};

}  // namespace strider
#endif

HWY_BEFORE_NAMESPACE();
namespace strider {
namespace HWY_NAMESPACE {

using Kernels = AttentionKernels::Products;

// out[key][query] = sum_i columns[i][query] * rows[key][i] for keys below `keys`.
void tile_products(const Kernels& kernels, std::int64_t head_dim, std::int64_t keys, const float* columns,
                   const float* rows, float* out) {
  for (std::int64_t key = 0; key < keys; key += kKeyTile) {
    kernels.products[Kernels::size_of(keys - key)](columns, rows + key * head_dim, out + key * kQueryTile);
  }
}

// out[query][i] = sum over keys of weights[key][query] * rows[key][i].
void weighted_rows(const Kernels& kernels, std::int64_t head_dim, std::int64_t keys, const float* weights,
                   const float* rows, float* out) {
  for (std::int64_t key = 0; key < keys; key += kKeyTile) {
    const std::int64_t size = Kernels::size_of(keys - key);
    const GemmKernel& kernel = key == 0 ? kernels.weighted[size] : kernels.weighted_add[size];
    kernel(rows + key * head_dim, weights + key * kQueryTile, out);
  }
}

// out[key][i] += sum over the tile's queries of weights[key][query] * rows[query][i].
void add_weighted_queries(const Kernels& kernels, std::int64_t head_dim, std::int64_t keys, const float* weights,
                          const float* rows, float* out) {
  for (std::int64_t key = 0; key < keys; key += kKeyTile) {
    kernels.queries[Kernels::size_of(keys - key)](rows, weights + key * kQueryTile, out + key * head_dim);
  }
}

// Softmax down the keys of a score tile whose first query is `first`: scores become 2^(s - max), zero above the
// diagonal. Gives the inverse of their sums and the log-sum-exps, to base 2 as the scores.
void softmax_tile(std::int64_t first, float* scores, float* inverse_sums, float* log_sum_exp) {
  const hn::CappedTag<float, kQueryTile> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t keys = first + kQueryTile;
  for (std::int64_t lane = 0; lane < kQueryTile; lane += lanes) {
    const auto query = hn::Iota(d, static_cast<float>(lane));
    float* const column = scores + lane;
    auto most = hn::Set(d, -3.0e38F);
    auto most1 = most;
    for (std::int64_t key = 0; key + 2 <= first; key += 2) {
      most = hn::Max(most, hn::LoadU(d, column + key * kQueryTile));
      most1 = hn::Max(most1, hn::LoadU(d, column + key * kQueryTile + kQueryTile));
    }
    most = hn::Max(most, most1);
    for (std::int64_t key = first; key < keys; ++key) {
      const auto own = hn::Set(d, static_cast<float>(key - first));
      const auto s = hn::LoadU(d, column + key * kQueryTile);
      most = hn::Max(most, hn::IfThenElse(hn::Ge(query, own), s, most));
    }
    auto total = hn::Zero(d);
    for (std::int64_t key = 0; key < first; ++key) {
      float* const at = column + key * kQueryTile;
      const auto e = fast_exp2_of_negative(d, hn::Sub(hn::LoadU(d, at), most));
      total = hn::Add(total, e);
      hn::StoreU(e, d, at);
    }
    for (std::int64_t key = first; key < keys; ++key) {
      float* const at = column + key * kQueryTile;
      const auto own = hn::Set(d, static_cast<float>(key - first));
      const auto e = hn::IfThenElseZero(hn::Ge(query, own), fast_exp2_of_negative(d, hn::Sub(hn::LoadU(d, at), most)));
      total = hn::Add(total, e);
      hn::StoreU(e, d, at);
    }
    hn::StoreU(hn::Div(hn::Set(d, 1.0F), total), d, inverse_sums + lane);
    hn::StoreU(hn::MulAdd(hn::Log(d, total), hn::Set(d, kLog2E), most), d, log_sum_exp + lane);
  }
}

// P from the scores and log-sum-exps (in place), dS = P (dP - D) in place of dP. A tile has every key of its queries,
// so D, the sum of P dP over them, is at hand.
void softmax_backward_tile(std::int64_t first, const float* log_sum_exp, float* scores, float* dscores) {
  const hn::CappedTag<float, kQueryTile> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t keys = first + kQueryTile;
  for (std::int64_t lane = 0; lane < kQueryTile; lane += lanes) {
    const auto query = hn::Iota(d, static_cast<float>(lane));
    const auto lse = hn::LoadU(d, log_sum_exp + lane);
    auto dot = hn::Zero(d);
    for (std::int64_t key = 0; key < keys; ++key) {
      float* const at = scores + key * kQueryTile + lane;
      auto p = fast_exp2_of_negative(d, hn::Sub(hn::LoadU(d, at), lse));
      if (key >= first) p = hn::IfThenElseZero(hn::Ge(query, hn::Set(d, static_cast<float>(key - first))), p);
      hn::StoreU(p, d, at);
      dot = hn::MulAdd(p, hn::LoadU(d, dscores + key * kQueryTile + lane), dot);
    }
    for (std::int64_t key = 0; key < keys; ++key) {
      float* const grad = dscores + key * kQueryTile + lane;
      const auto p = hn::LoadU(d, scores + key * kQueryTile + lane);
      hn::StoreU(hn::Mul(p, hn::Sub(hn::LoadU(d, grad), dot)), d, grad);
    }
  }
}

void AttentionForward(const AttentionKernels& plan, const RopeTable& rope, std::int64_t length, ConstRows qkv, Rows out,
                      float* log_sum_exp, std::byte* scratch) {
  const AttentionShape& shape = plan.shape();
  const std::int64_t head_dim = shape.head_dim;
  const std::int64_t group = shape.heads / shape.kv_heads;
  const float scale = score_scale(head_dim);
  const HeadScratch own(Carver(scratch), head_dim, length);
  const Kernels& kernels = plan.products();
  float lse[kQueryTile], inverse_sums[kQueryTile];
  for (std::int64_t head = 0; head < shape.heads; ++head) {
    const std::int64_t kv = head / group;
    if (head % group == 0) {
      rotate_in(rope, length, head_dim, qkv.from(0, (shape.heads + kv) * head_dim), 1.0F, own.k_rows, nullptr);
      copy_in(length, head_dim, qkv.from(0, (shape.heads + shape.kv_heads + kv) * head_dim), own.v_rows, nullptr);
    }
    rotate_in(rope, length, head_dim, qkv.from(0, head * head_dim), scale * kLog2E, own.q_rows, own.q_columns);
    for (std::int64_t first = 0; first < length; first += kQueryTile) {
      const std::int64_t keys = first + kQueryTile;
      const std::int64_t count = std::min(kQueryTile, length - first);
      tile_products(kernels, head_dim, keys, own.q_columns + first * head_dim, own.k_rows, own.scores);
      softmax_tile(first, own.scores, inverse_sums, lse);
      weighted_rows(kernels, head_dim, keys, own.scores, own.v_rows, own.tile);
      std::copy_n(lse, count, log_sum_exp + head * length + first);
      for (std::int64_t t = 0; t < count; ++t) {
        const float inverse_sum = inverse_sums[t];
        const float* in = own.tile + t * head_dim;
        float* to = out.row(first + t) + head * head_dim;
        for_vectors(head_dim, [&](auto d, std::int64_t i) {
          hn::StoreU(hn::Mul(hn::LoadU(d, in + i), hn::Set(d, inverse_sum)), d, to + i);
        });
      }
    }
  }
}

void AttentionBackward(const AttentionKernels& plan, const RopeTable& rope, std::int64_t length, Rows qkv,
                       ConstRows dout, const float* log_sum_exp, std::byte* scratch) {
  const AttentionShape& shape = plan.shape();
  const std::int64_t head_dim = shape.head_dim;
  const std::int64_t group = shape.heads / shape.kv_heads;
  const std::int64_t pitch = padded_length(length);
  const float scale = score_scale(head_dim);
  const HeadScratch own(Carver(scratch), head_dim, length);
  const Kernels& kernels = plan.products();
  for (std::int64_t head = 0; head < shape.heads; ++head) {
    const std::int64_t kv = head / group;
    const Rows k = qkv.from(0, (shape.heads + kv) * head_dim);
    const Rows v = qkv.from(0, (shape.heads + shape.kv_heads + kv) * head_dim);
    const Rows q = qkv.from(0, head * head_dim);
    if (head % group == 0) {
      rotate_in(rope, length, head_dim, k, 1.0F, own.k_rows, nullptr);
      copy_in(length, head_dim, v, own.v_rows, nullptr);
      std::fill_n(own.dk_rows, pitch * head_dim, 0.0F);
      std::fill_n(own.dv_rows, pitch * head_dim, 0.0F);
    }
    rotate_in(rope, length, head_dim, q, scale * kLog2E, own.q_rows, own.q_columns);
    copy_in(length, head_dim, dout.from(0, head * head_dim), own.dout_rows, own.dout_columns);
    for (std::int64_t first = 0; first < length; first += kQueryTile) {
      const std::int64_t keys = first + kQueryTile;
      const std::int64_t count = std::min(kQueryTile, length - first);
      float lse[kQueryTile] = {};
      std::copy_n(log_sum_exp + head * length + first, count, lse);
      if (head + 1 < shape.heads) prefetch_head(q.from(0, head_dim), first, count, head_dim);
      if (head % group == group - 1 && kv + 1 < shape.kv_heads) {
        prefetch_head(k.from(0, head_dim), first, count, head_dim);
        prefetch_head(v.from(0, head_dim), first, count, head_dim);
      }
      tile_products(kernels, head_dim, keys, own.q_columns + first * head_dim, own.k_rows, own.scores);
      tile_products(kernels, head_dim, keys, own.dout_columns + first * head_dim, own.v_rows, own.dscores);
      softmax_backward_tile(first, lse, own.scores, own.dscores);
      weighted_rows(kernels, head_dim, keys, own.dscores, own.k_rows, own.tile);
      add_weighted_queries(kernels, head_dim, keys, own.dscores, own.q_rows + first * head_dim, own.dk_rows);
      add_weighted_queries(kernels, head_dim, keys, own.scores, own.dout_rows + first * head_dim, own.dv_rows);
      rotate_out(rope, first, count, head_dim, own.tile, scale, q);
    }
    if (head % group == group - 1) {
      rotate_out(rope, 0, length, head_dim, own.dk_rows, kLn2, k);  // q_rows are times log2(e)
      for (std::int64_t t = 0; t < length; ++t) std::copy_n(own.dv_rows + t * head_dim, head_dim, v.row(t));
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace strider
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace strider {

HWY_EXPORT(AttentionForward);
HWY_EXPORT(AttentionBackward);

std::byte* take_attention_scratch(Carver& carver, const AttentionShape& shape, std::int64_t length) {
  const std::uint64_t bytes = HeadScratch::bytes(shape.head_dim, length);
  return carver.take<std::byte>(static_cast<std::int64_t>(bytes));
}

AttentionKernels::AttentionKernels(const AttentionShape& shape)
    : shape_(shape), products_(std::make_unique<const Products>(shape.head_dim)) {}
AttentionKernels::AttentionKernels(AttentionKernels&&) noexcept = default;
AttentionKernels::~AttentionKernels() = default;

void attention_forward(const AttentionKernels& kernels, const RopeTable& rope, std::int64_t length, ConstRows qkv,
                       Rows out, float* log_sum_exp, std::byte* scratch) {
  HWY_DYNAMIC_DISPATCH(AttentionForward)(kernels, rope, length, qkv, out, log_sum_exp, scratch);
}

void attention_backward(const AttentionKernels& kernels, const RopeTable& rope, std::int64_t length, Rows qkv,
                        ConstRows dout, const float* log_sum_exp, std::byte* scratch) {
  HWY_DYNAMIC_DISPATCH(AttentionBackward)(kernels, rope, length, qkv, dout, log_sum_exp, scratch);
}

}  // namespace strider
#endif
