#include "engine/cpu/ops/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/cpu/ops/cross_entropy.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/cpu/ops/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace strider {
namespace HWY_NAMESPACE {

float Largest(const float* logits, std::int64_t count) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  float largest = -std::numeric_limits<float>::infinity();
  std::int64_t i = 0;
  if (count >= lanes) {
    auto most = hn::LoadU(d, logits);
    for (i = lanes; i + lanes <= count; i += lanes) most = hn::Max(most, hn::LoadU(d, logits + i));
    largest = hn::GetLane(hn::MaxOfLanes(d, most));
  }
  for (; i < count; ++i) largest = std::max(largest, logits[i]);
  return largest;
}

// logits become exp(logits - largest); returns their sum.
float ExponentialsInPlace(float* logits, std::int64_t count, float largest) {
  return sum_vectors(count, [&](auto d, std::int64_t i) {
    const auto e = fast_exp(d, hn::Sub(hn::LoadU(d, logits + i), hn::Set(d, largest)));
    hn::StoreU(e, d, logits + i);
    return e;
  });
}

// values *= factor.
void Scale(float* values, std::int64_t count, float factor) {
  for_vectors(count, [&](auto d, std::int64_t i) {
    hn::StoreU(hn::Mul(hn::LoadU(d, values + i), hn::Set(d, factor)), d, values + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace strider
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace strider {
namespace {

HWY_EXPORT(Largest);
HWY_EXPORT(ExponentialsInPlace);
HWY_EXPORT(Scale);

std::int64_t block_columns(std::int64_t vocab) {
  return std::min(kLossColumns, (vocab + 15) / 16 * 16);
}

// The running softmax of kLossRows rows over blocks of columns: largest logit so far, sum of exponentials relative to
// it, and the target's logit (Milakov and Gimelshein 2018).
struct RunningSoftmax {
  float largest[kLossRows];
  float sum[kLossRows];
  float target[kLossRows];

  explicit RunningSoftmax(std::int64_t rows) {
    std::fill_n(largest, rows, -std::numeric_limits<float>::infinity());
    std::fill_n(sum, rows, 0.0F);
    std::fill_n(target, rows, 0.0F);
  }

  // Takes in logits of columns [first, first + count) and leaves exp(logits - largest so far) in their place.
  void add(std::int64_t rows, std::int64_t first, std::int64_t count, const std::int32_t* targets, Rows logits) {
    for (std::int64_t r = 0; r < rows; ++r) {
      float* row = logits.row(r);
      if (targets[r] >= first && targets[r] < first + count) target[r] = row[targets[r] - first];
      const float most = std::max(largest[r], HWY_DYNAMIC_DISPATCH(Largest)(row, count));
      sum[r] = sum[r] * std::exp(largest[r] - most) + HWY_DYNAMIC_DISPATCH(ExponentialsInPlace)(row, count, most);
      largest[r] = most;
    }
  }

  float loss(std::int64_t r) const { return largest[r] + std::log(sum[r]) - target[r]; }
};

// dlogits from exp(logits - largest) or, when `fresh`, from logits, then what they give to dx and dweight.
void add_gradients(const PackedLinear& lm_head, OutRange range, std::int64_t rows, ConstRows x,
                   const std::int32_t* targets, float scale, const RunningSoftmax& softmax, Rows logits, bool fresh,
                   Rows dx, float* dweight, Write write, LinearScratch linear_scratch) {
  for (std::int64_t r = 0; r < rows; ++r) {
    float* row = logits.row(r);
    if (fresh) HWY_DYNAMIC_DISPATCH(ExponentialsInPlace)(row, range.count, softmax.largest[r]);
    HWY_DYNAMIC_DISPATCH(Scale)(row, range.count, scale / softmax.sum[r]);
    const std::int64_t at = targets[r] - range.first;
    if (at >= 0 && at < range.count) row[at] -= scale;
  }
  linear_backward_input(lm_head, range, rows, logits, dx, range.first == 0 ? Write::kReplace : Write::kAdd,
                        linear_scratch);
  linear_backward_weight({lm_head.shape.in_features, range.count}, lm_head.precision, rows, logits, x,
                         dweight + range.first * lm_head.shape.in_features, write, linear_scratch);
}

}  // namespace

std::int64_t cross_entropy_scratch_floats(std::int64_t vocab) {
  return kLossRows * block_columns(vocab);
}

void cross_entropy_forward(const PackedLinear& lm_head, std::int64_t rows, ConstRows x, const std::int32_t* targets,
                           float* losses, float* scratch, LinearScratch linear_scratch) {
  const std::int64_t vocab = lm_head.shape.out_features;
  const std::int64_t columns = block_columns(vocab);
  const Rows logits{scratch, columns};
  for (std::int64_t row = 0; row < rows; row += kLossRows) {
    const std::int64_t count = std::min(kLossRows, rows - row);
    RunningSoftmax softmax(count);
    for (std::int64_t first = 0; first < vocab; first += columns) {
      const OutRange range{first, std::min(columns, vocab - first)};
      linear_forward(lm_head, range, count, x.from(row), logits, Write::kReplace, linear_scratch);
      softmax.add(count, first, range.count, targets + row, logits);
    }
    for (std::int64_t r = 0; r < count; ++r) losses[row + r] = softmax.loss(r);
  }
}

void cross_entropy_forward_backward(const PackedLinear& lm_head, std::int64_t rows, ConstRows x,
                                    const std::int32_t* targets, float scale, float* losses, Rows dx, float* dweight,
                                    Write write, float* scratch, LinearScratch linear_scratch) {
  const std::int64_t vocab = lm_head.shape.out_features;
  const std::int64_t columns = block_columns(vocab);
  const bool whole = columns >= vocab;
  const Rows logits{scratch, columns};
  if (rows == 0 && write == Write::kReplace) std::fill_n(dweight, vocab * lm_head.shape.in_features, 0.0F);
  for (std::int64_t row = 0; row < rows; row += kLossRows) {
    const std::int64_t count = std::min(kLossRows, rows - row);
    const Write add = row == 0 ? write : Write::kAdd;
    RunningSoftmax softmax(count);
    for (std::int64_t first = 0; first < vocab; first += columns) {
      const OutRange range{first, std::min(columns, vocab - first)};
      linear_forward(lm_head, range, count, x.from(row), logits, Write::kReplace, linear_scratch);
      softmax.add(count, first, range.count, targets + row, logits);
    }
    for (std::int64_t r = 0; r < count; ++r) losses[row + r] = softmax.loss(r);
    for (std::int64_t first = 0; first < vocab; first += columns) {
      const OutRange range{first, std::min(columns, vocab - first)};
      if (!whole) linear_forward(lm_head, range, count, x.from(row), logits, Write::kReplace, linear_scratch);
      add_gradients(lm_head, range, count, x.from(row), targets + row, scale, softmax, logits, !whole, dx.from(row),
                    dweight, add, linear_scratch);
    }
  }
}

}  // namespace strider
#endif
