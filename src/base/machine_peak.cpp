// The float32 peak: fused multiply-adds between registers, enough of them at once to hide their latency.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/machine.h"
#include "base/thread_team.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "base/machine_peak.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace strider {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Twelve sums and two factors fit the sixteen registers of AVX2; two units of latency four need eight sums.
float MultiplyAdds(std::int64_t rounds, double* operations) {
  const hn::ScalableTag<float> d;
  const auto a = hn::Set(d, 0.999F);
  const auto b = hn::Set(d, 1e-3F);
  // Sums that begin alike would be one sum to the compiler.
  auto s0 = hn::Set(d, 0.0F), s1 = hn::Set(d, 0.1F), s2 = hn::Set(d, 0.2F), s3 = hn::Set(d, 0.3F);
  auto s4 = hn::Set(d, 0.4F), s5 = hn::Set(d, 0.5F), s6 = hn::Set(d, 0.6F), s7 = hn::Set(d, 0.7F);
  auto s8 = hn::Set(d, 0.8F), s9 = hn::Set(d, 0.9F), s10 = hn::Set(d, 1.0F), s11 = hn::Set(d, 1.1F);
  for (std::int64_t i = 0; i < rounds; ++i) {
    s0 = hn::MulAdd(s0, a, b);
    s1 = hn::MulAdd(s1, a, b);
    s2 = hn::MulAdd(s2, a, b);
    s3 = hn::MulAdd(s3, a, b);
    s4 = hn::MulAdd(s4, a, b);
    s5 = hn::MulAdd(s5, a, b);
    s6 = hn::MulAdd(s6, a, b);
    s7 = hn::MulAdd(s7, a, b);
    s8 = hn::MulAdd(s8, a, b);
    s9 = hn::MulAdd(s9, a, b);
    s10 = hn::MulAdd(s10, a, b);
    s11 = hn::MulAdd(s11, a, b);
  }
  *operations = static_cast<double>(rounds) * 12.0 * 2.0 * static_cast<double>(hn::Lanes(d));
  const auto low = hn::Add(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)), hn::Add(s4, s5));
  const auto high = hn::Add(hn::Add(hn::Add(s6, s7), hn::Add(s8, s9)), hn::Add(s10, s11));
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(low, high)));
}

std::int64_t TargetOfVectors() {
  return HWY_TARGET;
}

}  // namespace HWY_NAMESPACE
}  // namespace strider
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace strider {

HWY_EXPORT(MultiplyAdds);
HWY_EXPORT(TargetOfVectors);

std::string vector_instructions() {
  return hwy::TargetName(HWY_DYNAMIC_DISPATCH(TargetOfVectors)());
}

double measure_peak_flops(int threads) {
  constexpr std::int64_t kRounds = 20'000;  // some 20 to 80 microseconds
  constexpr auto kTime = std::chrono::milliseconds(18);
  ThreadTeam team(threads);
  std::vector<double> rates(static_cast<std::size_t>(threads), 0.0);
  volatile float sink = 0.0F;  // keeps the sums alive
  const Clock::time_point end = Clock::now() + kTime;
  team.run([&](int member) {
    float kept = 0.0F;
    double best = 0.0;
    // All threads run to the end, so that each one's best stretch is one with the others at work.
    while (Clock::now() < end) {
      double operations = 0.0;
      const Clock::time_point start = Clock::now();
      kept += HWY_DYNAMIC_DISPATCH(MultiplyAdds)(kRounds, &operations);
      best = std::max(best, operations / seconds_since(start));
    }
    rates[member] = best;
    if (member == 0) sink = kept;
  });
  double sum = 0.0;
  for (const double rate : rates) sum += rate;
  return sum;
}

}  // namespace strider
#endif
