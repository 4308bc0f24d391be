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

/// exp(x) within 5 units in the last place for x in [-87, 88], within 3 for |x| < 10; outside it is held at the ends of
/// that range. x = n ln 2 + r with |r| <= ln 2 / 2; exp(r) = 1 + r (1 + r p(r)), where p has degree 3 and makes the
/// largest relative error over that interval least, 1.0e-7; n is added to its exponent bits.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V fast_exp(D d, V x) {
  const hn::RebindToSigned<D> di;
  // The operands' order lets a NaN through on x86, so that a broken run is seen.
  x = hn::Min(hn::Set(d, 88.0F), hn::Max(hn::Set(d, -87.0F), x));
  // Added to 3 * 2^22 a value is rounded to a whole number, which then is in the lowest bits.
  const V magic = hn::Set(d, 12582912.0F);
  const V shifted = hn::MulAdd(x, hn::Set(d, 1.44269504088896341F), magic);
  const V n = hn::Sub(shifted, magic);
#if HWY_NATIVE_FMA
  const V r = hn::NegMulAdd(n, hn::Set(d, 0.693147180559945309F), x);
#else
  // A product that is rounded must be exact: ln 2 in two parts.
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693359375F), x);
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4F), r);
#endif
  const V one = hn::Set(d, 1.0F);
  V p = hn::Set(d, 8.314798586e-3F);
  p = hn::MulAdd(p, r, hn::Set(d, 4.189024121e-2F));
  p = hn::MulAdd(p, r, hn::Set(d, 1.666708738e-1F));
  p = hn::MulAdd(p, r, hn::Set(d, 4.999923110e-1F));
  p = hn::MulAdd(p, r, one);
  p = hn::MulAdd(p, r, one);
  return hn::BitCast(d, hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(hn::BitCast(di, shifted))));
}

/// 2^x within 3 units in the last place for x in [-126, 1], and 2^-126 below; not for larger x. As above with r = x -
/// n, which is exact, and the same polynomial in r ln 2.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V fast_exp2_of_negative(D d, V x) {
  const hn::RebindToSigned<D> di;
  x = hn::Max(hn::Set(d, -126.0F), x);  // the order as above
  const V magic = hn::Set(d, 12582912.0F);
  const V shifted = hn::Add(x, magic);
  const V r = hn::Sub(x, hn::Sub(shifted, magic));
  V p = hn::Set(d, 1.330390205e-3F);
  p = hn::MulAdd(p, r, hn::Set(d, 9.669737959e-3F));
  p = hn::MulAdd(p, r, hn::Set(d, 5.550550974e-2F));
  p = hn::MulAdd(p, r, hn::Set(d, 2.402228128e-1F));
  p = hn::MulAdd(p, r, hn::Set(d, 6.931471806e-1F));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0F));
  return hn::BitCast(d, hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(hn::BitCast(di, shifted))));
}

/// 1 / x within 1 unit in the last place for positive normal x whose inverse is normal.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V inverse(D d, V x) {
  const V one = hn::Set(d, 1.0F);
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  // 14 bits from the processor (12 in shorter vectors), twice as many after a Newton step: half the time of a division.
  if constexpr (hn::MaxLanes(d) == 16) {
    const V guess = hn::ApproximateReciprocal(x);
    return hn::MulAdd(guess, hn::NegMulAdd(x, guess, one), guess);
  }
#endif
  return hn::Div(one, x);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V sigmoid(D d, V x) {
  return inverse(d, hn::Add(hn::Set(d, 1.0F), fast_exp(d, hn::Neg(x))));
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
