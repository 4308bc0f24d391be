// The ceilings of this machine: float32 multiply-adds in registers, and bytes moved (a = b + s c, counted as STREAM's
// triad counts them) through memory, over arrays far larger than the caches, and through the second-level cache of one
// core. Prints one JSON object.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/machine.h"
#include "base/thread_team.h"

namespace {

// The widest vectors that the processor has, as the kernels use them.
#if defined(__x86_64__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
void triad(std::size_t count, float* a, const float* b, const float* c) {
  for (std::size_t i = 0; i < count; ++i) a[i] = b[i] + 0.5F * c[i];
}

double measure_cache_bandwidth() {
  constexpr std::size_t kFloats = 12'000;  // three arrays of 48 kB
  constexpr int kRounds = 5'000;
  strider::AlignedBuffer<float> a(kFloats);
  strider::AlignedBuffer<float> b(kFloats);
  strider::AlignedBuffer<float> c(kFloats);
  double best = 0.0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    const auto began = std::chrono::steady_clock::now();
    for (int round = 0; round < kRounds; ++round) {
      triad(kFloats, a.data(), b.data(), c.data());
      std::swap(a, b);  // so that no round can be left out
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    best = std::max(best, 3.0 * sizeof(float) * static_cast<double>(kFloats) * kRounds / seconds);
  }
  return a[7] < 1.0F ? best : 0.0;  // uses the result
}

double measure_bandwidth(int threads) {
  constexpr std::size_t kFloats = 32'000'000;
  strider::AlignedBuffer<float> a(kFloats);
  strider::AlignedBuffer<float> b(kFloats);
  strider::AlignedBuffer<float> c(kFloats);
  strider::ThreadTeam team(threads);
  double best = 0.0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    const auto began = std::chrono::steady_clock::now();
    team.run([&](int member) {
      const std::size_t part = kFloats / static_cast<std::size_t>(threads);
      const std::size_t first = part * static_cast<std::size_t>(member);
      triad(part, a.data() + first, b.data() + first, c.data() + first);
    });
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    best = std::max(best, 3.0 * sizeof(float) * static_cast<double>(kFloats) / seconds);
  }
  return a[7] < 1.0F ? best : 0.0;  // uses the result
}

}  // namespace

int main() {
  const int threads = strider::available_processors();
  fmt::print(
      "{{\"processor\": \"{}\", \"vectors\": \"{}\", \"threads\": {}, \"peak_flops_1\": {:.4g}, \"peak_flops\": "
      "{:.4g}, "
      "\"bandwidth_1\": {:.4g}, \"bandwidth\": {:.4g}, \"cache_bandwidth_1\": {:.4g}}}\n",
      strider::processor_name(), strider::vector_instructions(), threads, strider::measure_peak_flops(1),
      strider::measure_peak_flops(threads), measure_bandwidth(1), measure_bandwidth(threads),
      measure_cache_bandwidth());
  return 0;
}
