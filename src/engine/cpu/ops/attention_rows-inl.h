// How the rows of one attention head come in and go out. Included once a target, so the guard is Highway's, not #pragma
// once.
#if defined(STRIDER_OPS_CPU_ATTENTION_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef STRIDER_OPS_CPU_ATTENTION_ROWS_INL_H_
#undef STRIDER_OPS_CPU_ATTENTION_ROWS_INL_H_
#else
#define STRIDER_OPS_CPU_ATTENTION_ROWS_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "engine/cpu/ops/attention_tile.h"
#include "engine/cpu/ops/prefetch.h"
#include "engine/cpu/ops/rope.h"
#include "engine/cpu/ops/rows.h"
#include "engine/cpu/ops/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace strider {
namespace HWY_NAMESPACE {

// columns [head_dim, count] from rows [count, head_dim], in squares of four: one store moves four values. `count` is a
// multiple of four.
void transpose(std::int64_t count, std::int64_t head_dim, const float* rows, float* columns) {
  std::int64_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::CappedTag<float, 4> d;
  const hn::CappedTag<double, 2> pairs;
  if (hn::Lanes(d) == 4) {
    for (; i + 4 <= head_dim; i += 4) {
      for (std::int64_t t = 0; t < count; t += 4) {
        const float* in = rows + t * head_dim + i;
        const auto a = hn::LoadU(d, in);
        const auto b = hn::LoadU(d, in + head_dim);
        const auto c = hn::LoadU(d, in + 2 * head_dim);
        const auto e = hn::LoadU(d, in + 3 * head_dim);
        const auto ab_low = hn::BitCast(pairs, hn::InterleaveLower(d, a, b));
        const auto ab_high = hn::BitCast(pairs, hn::InterleaveUpper(d, a, b));
        const auto ce_low = hn::BitCast(pairs, hn::InterleaveLower(d, c, e));
        const auto ce_high = hn::BitCast(pairs, hn::InterleaveUpper(d, c, e));
        float* out = columns + i * count + t;
        hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, ab_low, ce_low)), d, out);
        hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, ab_low, ce_low)), d, out + count);
        hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, ab_high, ce_high)), d, out + 2 * count);
        hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, ab_high, ce_high)), d, out + 3 * count);
      }
    }
  }
#endif
  for (; i < head_dim; ++i) {
    for (std::int64_t t = 0; t < count; ++t) columns[i * count + t] = rows[t * head_dim + i];
  }
}

// One row of a head turned by its position's angles, forward (direction 1) or back (-1), times `scale`.
HWY_INLINE void rotate_row(const RopeTable& rope, std::int64_t position, std::int64_t head_dim, const float* in,
                           float direction, float scale, float* out) {
  const float* c = rope.cos(position);
  const float* s = rope.sin(position);
  if (head_dim == 1) {  // rope.h says why. One factor, so back is as forward.
    out[0] = scale * in[0] * (c[0] - s[0]);
    return;
  }
  const std::int64_t half = head_dim / 2;
  for_vectors(half, [&](auto d, std::int64_t i) {
    const auto low = hn::LoadU(d, in + i);
    const auto high = hn::LoadU(d, in + half + i);
    const auto cosine = hn::LoadU(d, c + i);
    const auto sine = hn::Mul(hn::LoadU(d, s + i), hn::Set(d, direction));
    const auto factor = hn::Set(d, scale);
    hn::StoreU(hn::Mul(factor, hn::NegMulAdd(high, sine, hn::Mul(low, cosine))), d, out + i);
    hn::StoreU(hn::Mul(factor, hn::MulAdd(low, sine, hn::Mul(high, cosine))), d, out + half + i);
  });
}

// Zeros after the rows of a walk, and the transpose of every tile where it is asked for.
void finish_rows(std::int64_t length, std::int64_t head_dim, float* rows, float* columns) {
  const std::int64_t pitch = padded_length(length);
  std::fill(rows + length * head_dim, rows + pitch * head_dim, 0.0F);
  if (columns == nullptr) return;
  for (std::int64_t first = 0; first < pitch; first += kQueryTile) {
    transpose(kQueryTile, head_dim, rows + first * head_dim, columns + first * head_dim);
  }
}

// Rotates rows of one head into `rows` (and, transposed, into `columns` where given), times `scale`.
void rotate_in(const RopeTable& rope, std::int64_t length, std::int64_t head_dim, ConstRows x, float scale, float* rows,
               float* columns) {
  for (std::int64_t t = 0; t < length; ++t) {
    rotate_row(rope, t, head_dim, x.row(t), 1.0F, scale, rows + t * head_dim);
  }
  finish_rows(length, head_dim, rows, columns);
}

// Rotates gradients of one head back and writes them to their rows, times `scale`.
void rotate_out(const RopeTable& rope, std::int64_t first, std::int64_t count, std::int64_t head_dim, const float* rows,
                float scale, Rows dx) {
  for (std::int64_t t = 0; t < count; ++t) {
    rotate_row(rope, first + t, head_dim, rows + t * head_dim, -1.0F, scale, dx.row(first + t));
  }
}

void copy_in(std::int64_t length, std::int64_t head_dim, ConstRows x, float* rows, float* columns) {
  for (std::int64_t t = 0; t < length; ++t) {
    const float* in = x.row(t);
    float* out = rows + t * head_dim;
    for_vectors(head_dim, [&](auto d, std::int64_t i) { hn::StoreU(hn::LoadU(d, in + i), d, out + i); });
  }
  finish_rows(length, head_dim, rows, columns);
}

// What the backward pass reads of the next head was stored long ago.
void prefetch_head(ConstRows x, std::int64_t first, std::int64_t count, std::int64_t head_dim) {
  prefetch_rows(x.row(first), count, head_dim, x.stride);
}

}  // namespace HWY_NAMESPACE
}  // namespace strider
HWY_AFTER_NAMESPACE();

#endif
