#include "engine/cpu/ops/sum_gradients.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/cpu/ops/sum_gradients.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/cpu/ops/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace strider {
namespace HWY_NAMESPACE {

double SumGradients(std::int64_t count, std::span<const float* const> parts, float* sum) {
  constexpr std::int64_t kRun = 4096;  // short float32 sums of squares, added up in double
  double squares = 0.0;
  for (std::int64_t begin = 0; begin < count; begin += kRun) {
    const std::int64_t size = std::min(kRun, count - begin);
    squares += static_cast<double>(sum_vectors(size, [&](auto d, std::int64_t i) {
      const auto pair = [&](std::size_t first) {
        const auto part = hn::LoadU(d, parts[first] + begin + i);
        return parts.size() > first + 4 ? hn::Add(part, hn::LoadU(d, parts[first + 4] + begin + i)) : part;
      };
      auto total = pair(0);
      if (parts.size() > 2) total = hn::Add(total, pair(2));
      if (parts.size() > 1) {
        auto odd = pair(1);
        if (parts.size() > 3) odd = hn::Add(odd, pair(3));
        total = hn::Add(total, odd);
      }
      hn::StoreU(total, d, sum + begin + i);
      return hn::Mul(total, total);
    }));
  }
  return squares;
}

}  // namespace HWY_NAMESPACE
}  // namespace strider
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace strider {

HWY_EXPORT(SumGradients);

double sum_gradients(std::int64_t count, std::span<const float* const> parts, float* sum) {
  return HWY_DYNAMIC_DISPATCH(SumGradients)(count, parts, sum);
}

}  // namespace strider
#endif
