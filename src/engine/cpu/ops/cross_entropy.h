#pragma once
// The output layer and its loss in one: logits = x W^T for W = lm_head [vocab, hidden], and for a row with target y
//   loss = log sum_v exp(logits[v]) - logits[y],   dlogits[v] = scale * (softmax(logits)[v] - [v == y])
// Logits are in a buffer of kLossRows rows and at most kLossColumns columns: a vocabulary that fits is computed once,
// a larger one in blocks, twice (once for the log-sum-exp, once for the gradient), so memory does not grow with it.
#include <cstdint>

#include "engine/cpu/ops/linear.h"

namespace strider {

inline constexpr std::int64_t kLossRows = 128;
inline constexpr std::int64_t kLossColumns = 4096;

/// Floats of scratch for a vocabulary of that size. `linear_scratch` has room for kLossRows rows, and a width of hidden
/// plus kLossColumns or what the vocabulary has if that is less.
std::int64_t cross_entropy_scratch_floats(std::int64_t vocab);

/// losses[r] for x [rows, hidden] and targets [rows] in [0, vocab).
void cross_entropy_forward(const PackedLinear& lm_head, std::int64_t rows, ConstRows x, const std::int32_t* targets,
                           float* losses, float* scratch, LinearScratch linear_scratch = {});

/// Losses as above, and the gradient of scale * (their sum): dx [rows, hidden] is replaced, dweight [vocab, hidden]
/// replaced or added to, as `write` says.
void cross_entropy_forward_backward(const PackedLinear& lm_head, std::int64_t rows, ConstRows x,
                                    const std::int32_t* targets, float scale, float* losses, Rows dx, float* dweight,
                                    Write write, float* scratch, LinearScratch linear_scratch = {});

}  // namespace strider
