#include "engine/cpu/ops/swiglu.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/cpu/ops/swiglu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/cpu/ops/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace strider {
namespace HWY_NAMESPACE {

void SwigluForward(std::int64_t rows, std::int64_t ffn, ConstRows gate_up, Rows act) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* gate = gate_up.row(r);
    const float* up = gate + ffn;
    float* out = act.row(r);
    for_vectors(ffn, [&](auto d, std::int64_t i) {
      const auto g = hn::LoadU(d, gate + i);
      hn::StoreU(hn::Mul(hn::Mul(g, sigmoid(d, g)), hn::LoadU(d, up + i)), d, out + i);
    });
  }
}

void SwigluBackward(std::int64_t rows, std::int64_t ffn, Rows gate_up, ConstRows dact, Rows act) {
  for (std::int64_t r = 0; r < rows; ++r) {
    float* gate = gate_up.row(r);
    float* up = gate + ffn;
    const float* grad = dact.row(r);
    float* out = act.row(r);
    for_vectors(ffn, [&](auto d, std::int64_t i) {
      __builtin_prefetch(gate + 2 * gate_up.stride + i, 1, 2);
      __builtin_prefetch(up + 2 * gate_up.stride + i, 1, 2);
      const auto g = hn::LoadU(d, gate + i);
      const auto u = hn::LoadU(d, up + i);
      const auto da = hn::LoadU(d, grad + i);
      const auto s = sigmoid(d, g);
      const auto silu = hn::Mul(g, s);
      // s (1 + g (1 - s)) = s + silu (1 - s)
      const auto slope = hn::MulAdd(silu, hn::Sub(hn::Set(d, 1.0F), s), s);
      hn::StoreU(hn::Mul(silu, u), d, out + i);
      hn::StoreU(hn::Mul(hn::Mul(da, u), slope), d, gate + i);
      hn::StoreU(hn::Mul(da, silu), d, up + i);
    });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace strider
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace strider {

HWY_EXPORT(SwigluForward);
HWY_EXPORT(SwigluBackward);

void swiglu_forward(std::int64_t rows, std::int64_t ffn, ConstRows gate_up, Rows act) {
  HWY_DYNAMIC_DISPATCH(SwigluForward)(rows, ffn, gate_up, act);
}

void swiglu_backward(std::int64_t rows, std::int64_t ffn, Rows gate_up, ConstRows dact, Rows act) {
  HWY_DYNAMIC_DISPATCH(SwigluBackward)(rows, ffn, gate_up, dact, act);
}

}  // namespace strider
#endif
