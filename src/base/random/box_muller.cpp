// One target on every processor. The logarithm, sine and cosine of Highway's vector targets differ in their last bits,
// since some fuse a multiplication and an addition; weights drawn from a seed must have the same bits everywhere. This
// target fuses nothing (the build turns contraction off).
#define HWY_COMPILE_ONLY_SCALAR
#include "base/random/box_muller.h"

// The order is Highway's.
// clang-format off
#include <hwy/highway.h>
#include <hwy/contrib/math/math-inl.h>
// clang-format on
#include <numbers>

HWY_BEFORE_NAMESPACE();
namespace strider {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void BoxMuller(float* values, std::size_t blocks, float mean, float std) {
  constexpr std::size_t kHalf = kNormalBlock / 2;
  const hn::CappedTag<float, kHalf> d;
  const auto means = hn::Set(d, mean);
  const auto deviations = hn::Set(d, std);
  for (float* block = values; block != values + blocks * kNormalBlock; block += kNormalBlock) {
    for (std::size_t i = 0; i < kHalf; i += hn::Lanes(d)) {
      const auto u1 = hn::Sub(hn::Set(d, 1.0F), hn::LoadU(d, block + i));  // in (0, 1]
      const auto u2 = hn::LoadU(d, block + kHalf + i);
      const auto radius = hn::Sqrt(hn::Mul(hn::Set(d, -2.0F), hn::Log(d, u1)));
      const auto angle = hn::Mul(hn::Set(d, 2.0F * std::numbers::pi_v<float>), u2);
      const auto first = hn::Mul(radius, hn::Cos(d, angle));
      const auto second = hn::Mul(radius, hn::Sin(d, angle));
      hn::StoreU(hn::Add(hn::Mul(first, deviations), means), d, block + i);
      hn::StoreU(hn::Add(hn::Mul(second, deviations), means), d, block + kHalf + i);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace strider
HWY_AFTER_NAMESPACE();

namespace strider {

void box_muller(float* values, std::size_t blocks, float mean, float std) {
  HWY_STATIC_DISPATCH(BoxMuller)(values, blocks, mean, std);
}

}  // namespace strider
