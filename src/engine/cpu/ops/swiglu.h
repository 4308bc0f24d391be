#pragma once
// The gated activation of Llama's feed-forward (Shazeer 2020): a[j] = silu(gate[j]) * up[j], silu(z) = z s, s =
// 1/(1+exp(-z)). Backward: dgate = da * up * s * (1 + gate * (1 - s)),  dup = da * gate * s.
#include <cstdint>

#include "engine/cpu/ops/rows.h"

namespace strider {

/// gate_up [rows, 2 * ffn], gate first; act [rows, ffn].
void swiglu_forward(std::int64_t rows, std::int64_t ffn, ConstRows gate_up, Rows act);

/// dact [rows, ffn]. gate_up holds gate and up on entry and dgate and dup on return; act [rows, ffn] is computed again.
void swiglu_backward(std::int64_t rows, std::int64_t ffn, Rows gate_up, ConstRows dact, Rows act);

}  // namespace strider
