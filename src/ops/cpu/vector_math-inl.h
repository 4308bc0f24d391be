// Vector functions for one Highway target. Included once a target, so the guard is Highway's, not #pragma once.
#if defined(STRIDER_OPS_CPU_VECTOR_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef STRIDER_OPS_CPU_VECTOR_MATH_INL_H_
#undef STRIDER_OPS_CPU_VECTOR_MATH_INL_H_
#else
#define STRIDER_OPS_CPU_VECTOR_MATH_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace strider {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// exp(x) within 3 units in the last place for x in [-87, 88]; outside it is held at the ends of that range.
/// x = n ln 2 + r with |r| <= ln 2 / 2, ln 2 in two parts; exp(r) = 1 + r + r^2 p(r), where p has degree 3 and makes the
/// largest relative error over that interval least, 1.0e-7; times 2^n made from its exponent bits.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V fast_exp(D d, V x) {
  const hn::RebindToSigned<D> di;
  // The operands' order lets a NaN through on x86, so that a broken run is seen.
  x = hn::Min(hn::Set(d, 88.0F), hn::Max(hn::Set(d, -87.0F), x));
  const auto n = hn::NearestInt(hn::Mul(x, hn::Set(d, 1.44269504088896341F)));
  const V nf = hn::ConvertTo(d, n);
  V r = hn::NegMulAdd(nf, hn::Set(d, 0.693359375F), x);
  r = hn::NegMulAdd(nf, hn::Set(d, -2.12194440e-4F), r);
  V p = hn::Set(d, 8.314798586e-3F);
  p = hn::MulAdd(p, r, hn::Set(d, 4.189024121e-2F));
  p = hn::MulAdd(p, r, hn::Set(d, 1.666708738e-1F));
  p = hn::MulAdd(p, r, hn::Set(d, 4.999923110e-1F));
  p = hn::MulAdd(hn::Mul(p, r), r, hn::Add(r, hn::Set(d, 1.0F)));
  const auto scale = hn::ShiftLeft<23>(hn::Add(n, hn::Set(di, 127)));
  return hn::Mul(p, hn::BitCast(d, scale));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V sigmoid(D d, V x) {
  const V one = hn::Set(d, 1.0F);
  return hn::Div(one, hn::Add(one, fast_exp(d, hn::Neg(x))));
}

/// Calls body(tag, i) for whole vectors of at most kLanes from i on, then for what is left with ever shorter ones.
template <std::size_t kLanes, class Body>
HWY_INLINE void for_rest(std::int64_t i, std::int64_t count, const Body& body) {
  const hn::CappedTag<float, kLanes> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (; i + lanes <= count; i += lanes) body(d, i);
  if constexpr (kLanes > 1) {
    if (i < count) for_rest<kLanes / 2>(i, count, body);
  }
}

/// Calls body(tag, i) for i in [0, count), in steps of the tag's lanes: whole vectors first.
template <class Body>
HWY_INLINE void for_vectors(std::int64_t count, const Body& body) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) body(d, i);
  if (i < count) for_rest<8>(i, count, body);
}

/// Sum over [0, count) of term(tag, i), in a fixed order.
template <class Term>
HWY_INLINE float sum_vectors(std::int64_t count, const Term& term) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  auto total = hn::Zero(d);
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) total = hn::Add(total, term(d, i));
  float sum = hn::GetLane(hn::SumOfLanes(d, total));
  const hn::CappedTag<float, 1> one;
  for (; i < count; ++i) sum += hn::GetLane(term(one, i));
  return sum;
}

}  // namespace HWY_NAMESPACE
}  // namespace strider
HWY_AFTER_NAMESPACE();

#endif
